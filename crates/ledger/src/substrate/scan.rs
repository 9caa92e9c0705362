//! What a block says: the facts in its events, who paid fees, and which transactions failed, and why.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Digest,
    ledger::{EvidenceError, Fact, Rejection},
};
use subxt::{
    error::{DispatchError, TokenError},
    events::{Event, Phase},
    utils::Static,
};

use super::{At, ChainAway, Config, api};

/// What one transaction did, or the chain by itself.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    /// The transaction's hash, if it was one.
    pub transaction: Option<Digest>,
    /// Whose escrow it is that the chain tended by itself. Anybody can give an escrow the name of a transaction.
    pub escrow: Option<Digest>,
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
    let mut deeds = BTreeMap::<u32, Deed>::new();
    let mut own = Deed::default();
    for event in events.iter() {
        let event = event?;
        match event.phase() {
            Phase::ApplyExtrinsic(index) => note(deeds.entry(index).or_default(), &event, at)?,
            Phase::Finalization | Phase::Initialization => note(&mut own, &event, at)?,
        }
    }
    // What is left is signed by somebody.
    deeds.retain(|_, deed| deed.fee.is_some() || !deed.facts.is_empty());
    if !deeds.is_empty() {
        let extrinsics = at.extrinsics().fetch().await?;
        for extrinsic in extrinsics.iter() {
            let extrinsic = extrinsic?;
            if let Some(deed) = deeds.get_mut(&(extrinsic.index() as u32)) {
                deed.transaction = Some(Digest(extrinsic.hash().0));
            }
        }
    }
    let deeds = deeds.into_values().chain(by_escrow(own.facts)).collect();
    Ok(Scan { time, deeds })
}

/// What the chain did by itself, each escrow's facts for themselves, under its id. What somebody loses or is given in a
/// dispute names none: it comes before the fact that the unit is settled, which does.
fn by_escrow(facts: Vec<Fact>) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    let mut unnamed = Vec::new();
    for fact in facts {
        let escrow = escrow_of(&fact);
        unnamed.push(fact);
        match deeds.last_mut() {
            _ if escrow.is_none() => {}
            Some(last) if last.escrow == escrow => last.facts.append(&mut unnamed),
            _ => deeds.push(Deed {
                escrow,
                facts: std::mem::take(&mut unnamed),
                ..Deed::default()
            }),
        }
    }
    deeds
}

fn escrow_of(fact: &Fact) -> Option<Digest> {
    match *fact {
        Fact::Opened { escrow, .. }
        | Fact::ToppedUp { escrow, .. }
        | Fact::Closed { escrow, .. }
        | Fact::Paid { escrow, .. }
        | Fact::NotPaid { escrow, .. }
        | Fact::Filed { escrow, .. }
        | Fact::NotFiled { escrow, .. }
        | Fact::Objected { escrow, .. }
        | Fact::Resolved { escrow, .. }
        | Fact::Settled { escrow, .. }
        | Fact::Refunded { escrow, .. } => Some(escrow),
        _ => None,
    }
}

fn note(deed: &mut Deed, event: &Event<'_, Config>, at: &At) -> Result<(), ChainAway> {
    use api::{balances::events as balances, transaction_payment::events as payment};
    match (event.pallet_name(), event.event_name()) {
        ("Jobs" | "Providers", "Booked") => {
            let Static(fact) = event.decode_fields_unchecked_as::<Booked>()?.0;
            book(&mut deed.facts, fact);
        }
        ("Balances", "Transfer") => {
            let moved = event.decode_fields_unchecked_as::<balances::Transfer>()?;
            deed.facts.push(Fact::Transferred {
                from: Account(moved.from.0),
                to: Account(moved.to.0),
                amount: moved.amount,
            });
        }
        ("TransactionPayment", "TransactionFeePaid") => {
            let paid = event.decode_fields_unchecked_as::<payment::TransactionFeePaid>()?;
            deed.fee = Some((Account(paid.who.0), paid.actual_fee));
        }
        ("System", "ExtrinsicFailed") => {
            let error = DispatchError::decode_from(event.field_bytes(), at.metadata());
            deed.failed = Some(error.map_or(Rejection::Unknown, |error| rejection(&error)));
        }
        _ => {}
    }
    Ok(())
}

/// A fact of the books says what was moved for it; but what the pot gives was noted before.
fn book(facts: &mut Vec<Fact>, fact: Fact) {
    if let Fact::Rewarded { account, amount } = fact {
        let is_it = |fact: &Fact| match *fact {
            Fact::Transferred { to, amount: of, .. } => (to, of) == (account, amount),
            _ => false,
        };
        if let Some(given) = facts.iter().rposition(is_it) {
            facts.remove(given);
        }
    }
    facts.push(fact);
}

/// The field of the pallets' event.
#[derive(subxt::ext::scale_decode::DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Booked(Static<Fact>);

/// A reason of the rule book.
fn rejection(error: &DispatchError) -> Rejection {
    match error {
        DispatchError::Module(error) => {
            let name = error.details().map(|details| details.variant.name.clone());
            name.ok()
                .as_deref()
                .and_then(by_name)
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
fn by_name(name: &str) -> Option<Rejection> {
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
                assert!(by_name(&error.name).is_some(), "{name}: {}", error.name);
            }
        }
    }

    #[test]
    fn what_the_pot_gives_is_told_once_and_takes_no_transfer_with_it() {
        let [pot, ada, bob] = [1, 2, 3].map(|byte| Account([byte; 32]));
        let moved = |from, amount| Fact::Transferred {
            from,
            to: bob,
            amount,
        };
        let rewarded = |account| Fact::Rewarded { account, amount: 5 };
        let mut facts = vec![moved(ada, 5), moved(pot, 5), moved(ada, 9)];
        book(&mut facts, rewarded(bob));
        book(&mut facts, rewarded(ada));
        let told = [moved(ada, 5), moved(ada, 9), rewarded(bob), rewarded(ada)];
        assert_eq!(facts, told);
    }

    #[test]
    fn what_the_chain_does_by_itself_is_told_by_escrow() {
        let [one, two] = [1, 2].map(|byte| Digest([byte; 32]));
        let settled = |escrow| Fact::Settled {
            escrow,
            unit: Digest([9; 32]),
        };
        let slashed = Fact::Slashed {
            account: Account([3; 32]),
            amount: 5,
        };
        let lost = [slashed, settled(one)];
        let facts = [&lost[..], &[settled(two)], &lost].concat();
        let deeds = by_escrow(facts);
        let escrows: Vec<_> = deeds.iter().map(|deed| deed.escrow).collect();
        assert_eq!(escrows, [Some(one), Some(two), Some(one)]);
        assert_eq!(deeds[0].facts, lost);
        assert_eq!(deeds[1].facts, [settled(two)]);
        assert_eq!(deeds[2].facts, lost);
        assert!(deeds.iter().all(|deed| deed.transaction.is_none()));
    }
}
