//! What the chain wants of an operator now: read from its state, after any block.

use opensky_protocol::{
    Account, Digest, Profile, Turn,
    ledger::{Asked, Offered, Stage},
};
use subxt::utils::{AccountId32, Static};

use super::{At, ChainAway, api};

/// Open requests that are looked at: as many as there can be.
const REQUESTS: usize = 1_024;

/// Operators that take part in one round of the beacon.
const PARTIES: usize = 32;

/// One thing that an operator is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Commit to a secret, in that round of the beacon.
    Commit {
        /// The round.
        round: u64,
    },
    /// Reveal the secret.
    Reveal {
        /// The round.
        round: u64,
    },
    /// Run a unit and promise the result.
    Promise(Box<Seat>),
    /// Show the result that was promised.
    Show(Box<Seat>),
}

/// A place in the committee of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The request's name, the unit, and which seat it is.
    pub turn: Turn,
    /// What is asked.
    pub asked: Asked,
    /// By which rules it is run.
    pub profile: Profile,
}

/// All of them. Of the same state they are the same.
pub(super) async fn of(at: &At, operator: &Account) -> Result<Vec<Duty>, ChainAway> {
    let mut duties = Vec::new();
    let storage = at.storage();
    let beacon = api::storage().beacon();
    if let Some(round) = storage.try_fetch(beacon.current(), ()).await? {
        let round = round.decode()?;
        let mut parties = round.parties.0.iter();
        let own = parties.find(|party| party.operator.0 == *operator);
        let number = round.number;
        match own {
            None if !round.reveals => {
                let others = round.parties.0.iter().map(|party| party.operator.0);
                if may_commit(at, operator, number, others.collect()).await? {
                    duties.push(Duty::Commit { round: number });
                }
            }
            Some(own) if round.reveals && own.secret.is_none() => {
                duties.push(Duty::Reveal { round: number });
            }
            _ => {}
        }
    }
    let requests = api::storage().requests();
    let mut rows = storage.iter(requests.requests(), ()).await?;
    for _ in 0..REQUESTS {
        let Some(row) = rows.next().await else { break };
        let row = row?;
        let (Static(name),) = row.key()?.decode()?;
        let Static(request) = row.value().decode()?;
        let Some(place) = request.seat_of(operator) else {
            continue;
        };
        let seat = &request.seats[place];
        let is_wanted = match request.stage {
            Stage::Drawing { .. } => false,
            Stage::Promising { .. } => seat.promise.is_none() && !seat.is_out,
            Stage::Showing { .. } => seat.promise.is_some() && seat.shown.is_none() && !seat.is_out,
        };
        if !is_wanted {
            continue;
        }
        let asks = api::storage().requests().asks();
        let Some(asked) = storage.try_fetch(asks, (Static(name),)).await? else {
            continue;
        };
        let Static(asked) = asked.decode()?;
        let seat = Box::new(Seat {
            turn: request.turn(&name, place),
            asked,
            profile: request.profile.clone(),
        });
        duties.push(match request.stage {
            Stage::Showing { .. } => Duty::Show(seat),
            _ => Duty::Promise(seat),
        });
    }
    Ok(duties)
}

/// Whether the beacon takes an operator's commitment in a round with these others: what it refuses costs a fee.
async fn may_commit(
    at: &At,
    operator: &Account,
    round: u64,
    others: Vec<Account>,
) -> Result<bool, ChainAway> {
    let (storage, beacon) = (at.storage(), api::storage().beacon());
    let key = (AccountId32(operator.0),);
    let barred = storage.fetch(beacon.barred(), key).await?.decode()?;
    if barred > round || listed(at, operator).await?.is_none() {
        return Ok(false);
    }
    let penalty = api::constants().beacon().penalty();
    let stake = bond(at, operator).await?;
    if stake < at.constants().entry(penalty)? {
        return Ok(false);
    }
    if others.len() < PARTIES {
        return Ok(true);
    }
    // Somebody with less at stake makes room.
    for other in &others {
        if bond(at, other).await? < stake {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an operator has bonded.
async fn bond(at: &At, operator: &Account) -> Result<u128, ChainAway> {
    let operators = api::storage().providers().operators();
    let key = (AccountId32(operator.0),);
    let Static(operator) = at.storage().fetch(operators, key).await?.decode()?;
    Ok(operator.bond)
}

/// What an operator offers, if it is on the roster.
pub(super) async fn listed(at: &At, operator: &Account) -> Result<Option<Offered>, ChainAway> {
    let roster = api::storage().offers().roster();
    let roster = at.storage().fetch(roster, ()).await?.decode()?;
    let mut roster = roster.0.into_iter();
    let own = roster.find(|listed| listed.operator.0 == *operator);
    Ok(own.map(|listed| listed.offer.0))
}

/// Until when an operator has said that it keeps a program at hand.
pub(super) async fn pinned(
    at: &At,
    operator: &Account,
    program: &Digest,
) -> Result<Option<u64>, ChainAway> {
    let holders = api::storage().offers().holders();
    let holders = at
        .storage()
        .fetch(holders, (Static(*program),))
        .await?
        .decode()?;
    let mut holders = holders.0.into_iter();
    let own = holders.find(|(holder, _)| holder.0 == *operator);
    Ok(own.map(|(_, until)| until))
}
