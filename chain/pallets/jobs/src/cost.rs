//! What a call's lists weigh, from what the benchmarks measured of their parts.

use alloc::collections::BTreeSet;

use frame_support::weights::Weight;
use opensky_protocol::{
    Signed, Voucher,
    ledger::{Call, Evidence, Showing},
};

use crate::weights::WeightInfo;

/// A claim: what its escrows and operators have in common is read once. One that is too long weighs what the longest
/// does, and is refused.
pub fn claim<W: WeightInfo>(vouchers: &[Signed<Voucher>]) -> Weight {
    let vouchers = &vouchers[..vouchers.len().min(Call::MAX_VOUCHERS)];
    let escrows: BTreeSet<_> = vouchers.iter().map(|signed| signed.value.escrow).collect();
    let operators = vouchers.iter().map(|signed| signed.value.operator);
    let operators: BTreeSet<_> = operators.collect();
    let steps = vouchers.iter().map(steps).sum();
    let apart = W::claim(escrows.len() as u32)
        .saturating_add(each(W::claim_of_operators, operators.len()))
        .saturating_add(each(W::paths, steps));
    // Until now there was one voucher for each escrow, and one for each operator.
    let counted = escrows.len() + operators.len();
    let (more, fewer) = match vouchers.len().checked_sub(counted) {
        Some(more) => (more, 0),
        None => (0, counted - vouchers.len()),
    };
    apart
        .saturating_add(each(W::claim_of_pairs, more))
        .saturating_sub(each(W::claim_of_pairs, fewer))
}

/// A showing. One that is too long weighs what the longest does, and is refused.
pub fn show<W: WeightInfo>(showing: &Showing) -> Weight {
    let shown = &showing.evidence[..showing.evidence.len().min(Showing::MAX_EVIDENCE)];
    let opened = showing.opened.len().min(Showing::MAX_OPENED);
    let turn = |turn: &Evidence| {
        steps(&turn.ticket) + steps(&turn.assignment) + steps(&turn.commit) + steps(&turn.summons)
    };
    let steps = showing
        .voucher
        .iter()
        .map(steps)
        .chain(shown.iter().map(turn));
    W::show(shown.len() as u32)
        .saturating_add(each(W::show_opened, opened))
        .saturating_add(each(W::paths, steps.sum()))
}

/// What so many weigh beyond none.
pub fn each(measured: fn(u32) -> Weight, number: usize) -> Weight {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    measured(number).saturating_sub(measured(0))
}

/// Hashes on the way from a signed value to what is signed.
fn steps<T>(signed: &Signed<T>) -> usize {
    signed.seal.path.siblings.len()
}
