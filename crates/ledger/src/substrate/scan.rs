//! What a block says: the facts in its events, who paid fees, and which transactions failed, and why.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Digest,
    ledger::{EvidenceError, Fact, Rejection},
};
use subxt::{
    error::{DispatchError, TokenError},
    events::Phase,
};

use super::{
    At, ChainAway, api,
    notes::{About, Notes},
};

/// What one transaction did, or the chain by itself.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    /// The transaction's hash, if it was one.
    pub transaction: Option<Digest>,
    /// What the chain did by itself: the escrow or the request that it is about, or the block where that has no name.
    /// Anybody can give an escrow the name of a transaction.
    pub about: Option<Digest>,
    /// Who paid for it.
    pub fee: Option<(Account, u128)>,
    /// What happened, in order.
    pub facts: Vec<Fact>,
    /// Why nothing did.
    pub failed: Option<Rejection>,
}

/// What a block says.
pub(crate) struct Scan {
    /// Its time, in Unix milliseconds.
    pub time: u64,
    pub deeds: Vec<Deed>,
}

/// Reads a block.
pub(crate) async fn scan(at: &At) -> Result<Scan, ChainAway> {
    let now = api::storage().timestamp().now();
    let time = at.storage().fetch(now, ()).await?.decode()?;
    let events = at.events().fetch().await?;
    let mut noted = BTreeMap::<u32, Notes>::new();
    let mut own = Notes::default();
    for event in events.iter() {
        let event = event?;
        let notes = match event.phase() {
            Phase::ApplyExtrinsic(index) => noted.entry(index).or_default(),
            Phase::Finalization | Phase::Initialization => &mut own,
        };
        notes.note(&event, at)?;
    }
    // What is left is signed by somebody.
    noted.retain(|_, notes| notes.fee.is_some() || !notes.told.is_empty());
    let mut deeds = by_name(own.told, Digest(at.block_hash().0));
    if !noted.is_empty() {
        let extrinsics = at.extrinsics().fetch().await?;
        let mut signed = Vec::new();
        for extrinsic in extrinsics.iter() {
            let extrinsic = extrinsic?;
            if let Some(notes) = noted.remove(&(extrinsic.index() as u32)) {
                signed.push(Deed {
                    transaction: Some(Digest(extrinsic.hash().0)),
                    about: None,
                    fee: notes.fee,
                    facts: notes.told.into_iter().map(|(_, fact)| fact).collect(),
                    failed: notes.failed,
                });
            }
        }
        deeds.splice(..0, signed);
    }
    Ok(Scan { time, deeds })
}

/// What the chain did by itself, each escrow's and request's facts for themselves, under its name; what has none is told
/// under the block's.
fn by_name(told: Vec<(About, Fact)>, block: Digest) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut unnamed = Vec::new();
    for (about, fact) in told {
        unnamed.push(fact);
        let name = match about {
            About::Named(name) => name,
            About::Nameless => block,
            About::Next => continue,
        };
        join(&mut deeds, name, std::mem::take(&mut unnamed));
    }
    join(&mut deeds, block, unnamed);
    deeds
}

fn join(deeds: &mut Vec<Deed>, name: Digest, mut facts: Vec<Fact>) {
    match deeds.last_mut() {
        _ if facts.is_empty() => {}
        Some(last) if last.about == Some(name) => last.facts.append(&mut facts),
        _ => deeds.push(Deed {
            about: Some(name),
            facts,
            ..Deed::default()
        }),
    }
}

/// A reason of the rule book.
pub(super) fn rejection(error: &DispatchError) -> Rejection {
    match error {
        DispatchError::Module(error) => {
            let name = error.details().map(|details| details.variant.name.clone());
            name.ok()
                .as_deref()
                .and_then(called)
                .unwrap_or(Rejection::Unknown)
        }
        DispatchError::BadOrigin => Rejection::Unauthorised,
        DispatchError::Token(
            TokenError::BelowMinimum | TokenError::CannotCreate | TokenError::NotExpendable,
        ) => Rejection::Existential,
        DispatchError::Token(_) => Rejection::Balance,
        DispatchError::Arithmetic(_) => Rejection::Overflow,
        _ => Rejection::Unknown,
    }
}

/// The rejection that the pallets call so.
fn called(name: &str) -> Option<Rejection> {
    let evidence = |error| Some(Rejection::Evidence(error));
    let known = match name {
        "Balance" | "InsufficientBalance" => Rejection::Balance,
        "Existential" | "ExistentialDeposit" | "Expendability" => Rejection::Existential,
        "Zero" => Rejection::Zero,
        "Overflow" => Rejection::Overflow,
        "Unauthorised" => Rejection::Unauthorised,
        "NodeTaken" => Rejection::NodeTaken,
        "NodeUnknown" => Rejection::NodeUnknown,
        "Bond" => Rejection::Bond,
        "Unbondings" => Rejection::Unbondings,
        "TooEarly" => Rejection::TooEarly,
        "EscrowTaken" => Rejection::EscrowTaken,
        "EscrowUnknown" => Rejection::EscrowUnknown,
        "Deadline" => Rejection::Deadline,
        "Phase" => Rejection::Phase,
        "Voucher" => Rejection::Voucher,
        "Opening" => Rejection::Opening,
        "EvidenceTicket" => return evidence(EvidenceError::Ticket),
        "EvidenceAssignment" => return evidence(EvidenceError::Assignment),
        "EvidenceOperator" => return evidence(EvidenceError::Operator),
        "EvidenceCommit" => return evidence(EvidenceError::Commit),
        "EvidenceStatement" => return evidence(EvidenceError::Statement),
        "EvidenceLimits" => return evidence(EvidenceError::Limits),
        "EvidenceNode" => return evidence(EvidenceError::Node),
        "EvidenceBond" => return evidence(EvidenceError::Bond),
        "EvidenceSummons" => return evidence(EvidenceError::Summons),
        "Claimed" => Rejection::Claimed,
        "Claims" => Rejection::Claims,
        "Unsettled" => Rejection::Unsettled,
        "CaseUnknown" => Rejection::CaseUnknown,
        "Undisputed" => Rejection::Undisputed,
        "Disputed" => Rejection::Disputed,
        "NoArbiter" => Rejection::NoArbiter,
        // No rule of settlement says these: an intent is sound, or it is not taken on; terms are no affair of nodes.
        "Unsound" | "Unsigned" | "Horizon" | "Unexpected" => Rejection::Unknown,
        _ => return None,
    };
    Some(known)
}

#[cfg(test)]
mod tests {
    use subxt::Metadata;

    use super::*;

    #[test]
    fn every_reason_of_the_pallets_is_known() {
        let metadata = Metadata::decode_from(include_bytes!("metadata.scale")).unwrap();
        for name in ["Jobs", "Providers"] {
            let pallet = metadata.pallet_by_name(name).unwrap();
            let errors = pallet.error_variants().unwrap();
            assert!(!errors.is_empty());
            for error in errors {
                assert!(called(&error.name).is_some(), "{name}: {}", error.name);
            }
        }
    }

    #[test]
    fn what_the_chain_does_by_itself_is_told_by_what_it_is_about() {
        let [one, two, block] = [1, 2, 5].map(|byte| Digest([byte; 32]));
        let settled = |escrow| {
            let unit = Digest([9; 32]);
            (About::Named(escrow), Fact::Settled { escrow, unit })
        };
        let slashed = |about| {
            let account = Account([3; 32]);
            (about, Fact::Slashed { account, amount: 5 })
        };
        let lost = [slashed(About::Next), settled(one)];
        let silent = [slashed(About::Nameless)];
        let told = [
            &lost[..],
            &[settled(two)],
            &lost,
            &silent,
            &[slashed(About::Next)],
        ];
        let deeds = by_name(told.concat(), block);
        let about = deeds.iter().map(|deed| deed.about.unwrap());
        assert!(about.eq([one, two, one, block]));
        let facts = |told: &[(About, Fact)]| {
            let facts = told.iter().map(|(_, fact)| fact.clone());
            facts.collect::<Vec<_>>()
        };
        assert_eq!(deeds[0].facts, facts(&lost));
        assert_eq!(deeds[1].facts, facts(&[settled(two)]));
        assert_eq!(deeds[2].facts, facts(&lost));
        let last = [slashed(About::Nameless), slashed(About::Next)];
        assert_eq!(deeds[3].facts, facts(&last), "nothing is left out");
        assert!(deeds.iter().all(|deed| deed.transaction.is_none()));
    }
}
