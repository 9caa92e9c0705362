//! What the chain wants of an operator now: read from its state, after any block.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Digest, Profile, Turn,
    ledger::{Asked, Offered, Request, Stage},
};
use subxt::utils::{AccountId32, Static};

use super::{At, ChainAway, api};

/// Open requests that are looked at: as many as there can be.
const REQUESTS: usize = 1_024;

/// What an operator is to do in a round of the beacon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Commit to a secret.
    Commit {
        /// In which round.
        round: u64,
    },
    /// Reveal the secret that was committed to.
    Reveal {
        /// In which round.
        round: u64,
        /// What the chain holds, whenever that was handed in.
        commitment: Digest,
    },
}

/// What an operator is to do in one committee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Run a unit and promise the result.
    Promise(Seat),
    /// Show the result that was promised.
    Show(Seat),
    /// Nothing now; but the result of that turn is still needed.
    Keep(Turn),
}

impl Duty {
    /// The turn that it is about.
    pub fn turn(&self) -> Turn {
        match self {
            Self::Promise(seat) | Self::Show(seat) => seat.turn,
            Self::Keep(turn) => *turn,
        }
    }
}

/// A place in the committee of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The request's name, the unit, and which seat it is.
    pub turn: Turn,
    /// By which rules it is run.
    pub profile: Profile,
    /// Who asks and pays.
    pub payer: Account,
}

/// Those in committees. Of the same state they are the same.
pub(super) async fn of(at: &At, operator: &Account) -> Result<Vec<Duty>, ChainAway> {
    let mut duties = Vec::new();
    let requests = api::storage().requests().requests();
    let mut rows = at.storage().iter(requests, ()).await?;
    for _ in 0..REQUESTS {
        let Some(row) = rows.next().await else { break };
        let row = row?;
        let (Static(name),) = row.key()?.decode()?;
        let Static(request) = row.value().decode()?;
        duties.extend(in_committee(operator, &name, &request));
    }
    Ok(duties)
}

/// What is asked by a request, until that is over.
pub(super) async fn asked(at: &At, name: &Digest) -> Result<Option<Asked>, ChainAway> {
    let asks = api::storage().requests().asks();
    let asked = at.storage().try_fetch(asks, (Static(*name),)).await?;
    let asked = asked.map(|asked| asked.decode()).transpose()?;
    Ok(asked.map(|Static(asked)| asked))
}

/// What it is to do in the round of the beacon that goes on.
pub(super) async fn in_round(at: &At, operator: &Account) -> Result<Option<Part>, ChainAway> {
    let current = api::storage().beacon().current();
    let Some(round) = at.storage().try_fetch(current, ()).await? else {
        return Ok(None);
    };
    let round = round.decode()?;
    let mut parties = round.parties.0.iter();
    let own = parties.find(|party| party.operator.0 == *operator);
    let number = round.number;
    Ok(match own {
        Some(own) if round.reveals && own.secret.is_none() => Some(Part::Reveal {
            round: number,
            commitment: own.commitment.0,
        }),
        None if !round.reveals => {
            let may = may_commit(at, operator, number).await?;
            may.then_some(Part::Commit { round: number })
        }
        _ => None,
    })
}

/// Whether an operator can take part in that round: it can be drawn, has as much at stake as silence costs, and is not
/// barred for it.
async fn may_commit(at: &At, operator: &Account, round: u64) -> Result<bool, ChainAway> {
    let key = || (AccountId32(operator.0),);
    let storage = at.storage();
    let barred = api::storage().beacon().barred();
    let operators = api::storage().providers().operators();
    let penalty = at.constants().entry(api::constants().beacon().penalty())?;
    let Static(bonded) = storage.fetch(operators, key()).await?.decode()?;
    Ok(bonded.bond >= penalty
        && storage.fetch(barred, key()).await?.decode()? <= round
        && listed(at, operator).await?.is_some())
}

/// What it is to do in the committee of a request, if it is in it and was not put out.
fn in_committee(operator: &Account, name: &Digest, request: &Request) -> Option<Duty> {
    let place = request.seat_of(operator)?;
    let own = &request.seats[place];
    let turn = request.turn(name, place);
    let seat = || Seat {
        turn,
        profile: request.profile.clone(),
        payer: request.payer,
    };
    match request.stage {
        _ if own.is_out => None,
        Stage::Promising { .. } if own.promise.is_none() => Some(Duty::Promise(seat())),
        Stage::Showing { .. } if own.promise.is_some() && own.shown.is_none() => {
            Some(Duty::Show(seat()))
        }
        _ => Some(Duty::Keep(turn)),
    }
}

/// What an operator offers, if it is on the roster.
pub(super) async fn listed(at: &At, operator: &Account) -> Result<Option<Offered>, ChainAway> {
    let roster = api::storage().offers().roster();
    let roster = at.storage().fetch(roster, ()).await?.decode()?;
    let mut roster = roster.0.into_iter();
    let own = roster.find(|listed| listed.operator.0 == *operator);
    Ok(own.map(|listed| listed.offer.0))
}

/// What an operator has to have bonded at least for anything that it offers.
pub(super) fn least_stake(at: &At) -> Result<u128, ChainAway> {
    let least = at
        .constants()
        .entry(api::constants().offers().least_stake())?;
    Ok(least.max(1))
}

/// The programs that an operator has said it keeps at hand, and until when.
pub(super) async fn pinned(
    at: &At,
    operator: &Account,
) -> Result<BTreeMap<Digest, u64>, ChainAway> {
    let pins = api::storage().offers().pins();
    let pins = at.storage().fetch(pins, (AccountId32(operator.0),)).await?;
    let mut said = BTreeMap::new();
    for Static(program) in pins.decode()?.0 {
        let holders = api::storage().offers().holders();
        let holders = at.storage().fetch(holders, (Static(program),)).await?;
        let mut holders = holders.decode()?.0.into_iter();
        let own = holders.find(|(holder, _)| holder.0 == *operator);
        said.extend(own.map(|(_, until)| (program, until)));
    }
    Ok(said)
}
