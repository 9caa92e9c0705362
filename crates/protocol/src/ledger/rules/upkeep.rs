//! What a ledger does by itself when its time has come: it settles what nobody disputes any more, and gives back what is
//! left. So nobody waits for money because somebody else does not ask.

use alloc::vec::Vec;

use super::{State, disputes::settle, escrows::refund};
use crate::{
    Digest,
    ledger::{Escrow, Fact, Phase, Rejection},
};

/// Does what there is to do for an escrow that the ledger was [reminded](State::remind) of, but settles no more units
/// than `most`. If that is all of them, there may be more: the reminder stays.
///
/// # Errors
/// [`Rejection`]: what was written has to be taken back, and the reminder is of no use.
pub fn tend(
    ledger: &mut impl State,
    id: &Digest,
    at: u64,
    most: usize,
) -> Result<Vec<Fact>, Rejection> {
    let escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    let phase = escrow.phase(at, &ledger.terms());
    let mut facts = Vec::new();
    let mut ended = 0;
    for unit in endable(ledger, id, phase, most) {
        settle(ledger, id, &unit, phase, &mut facts)?;
        ended += 1;
    }
    if ended == most {
        return Ok(facts);
    }
    ledger.forget(at, id);
    let escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    if escrow.cases == 0 && escrow.left() > 0 {
        facts.extend(refund(ledger, id, at)?);
    }
    if escrow.cases > 0 {
        remind_of_next(ledger, id, &escrow, phase);
    }
    Ok(facts)
}

/// Units whose case ends in this phase, but no more than `most`.
fn endable(ledger: &impl State, id: &Digest, phase: Phase, most: usize) -> Vec<Digest> {
    let ends = |unit: &Digest| {
        let case = ledger.case(id, unit);
        case.is_some_and(|case| case.ending(phase).is_ok())
    };
    let units = ledger.unsettled(id).into_iter();
    units.filter(ends).take(most).collect()
}

fn remind_of_next(ledger: &mut impl State, id: &Digest, escrow: &Escrow, phase: Phase) {
    let terms = ledger.terms();
    let claimed = escrow.ends().saturating_add(terms.claims);
    let next = match phase {
        Phase::Open | Phase::Claims => claimed,
        Phase::Objections => claimed.saturating_add(terms.objections),
        Phase::Verdicts | Phase::Over => escrow.ends().saturating_add(terms.dispute_horizon()),
    };
    ledger.remind(next, id);
}
