//! Escrows, from their opening to their end, and the vouchers that spend them.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{Caller, Purpose, State, some};
use crate::{
    Account, Digest, Signed, Voucher,
    ledger::{Escrow, Fact, Phase, Rejection},
};

type Done = Result<Vec<Fact>, Rejection>;

/// Sets money aside for a job, under an id that is used up by that.
///
/// # Errors
/// [`Rejection::EscrowTaken`], [`Rejection::Deadline`], or of the amount.
pub fn open_escrow(ledger: &mut impl State, id: &Digest, new: Escrow, now: u64) -> Done {
    some(new.locked)?;
    if ledger.escrow(id).is_some() {
        return Err(Rejection::EscrowTaken);
    }
    if new.deadline <= now {
        return Err(Rejection::Deadline);
    }
    ledger.hold(&new.payer, Purpose::Escrow, new.locked)?;
    let fact = Fact::Opened {
        escrow: *id,
        payer: new.payer,
        requester: new.requester,
        amount: new.locked,
        deadline: new.deadline,
    };
    ledger.remind(new.ends().saturating_add(ledger.terms().claims), id);
    ledger.put_escrow(id, new);
    Ok([fact].into())
}

/// Sets more aside, while work goes on.
///
/// # Errors
/// [`Rejection::Unauthorised`] if somebody else than the payer asks, [`Rejection::Phase`], or of the amount.
pub fn top_up(ledger: &mut impl State, own: &Account, id: &Digest, amount: u128, now: u64) -> Done {
    some(amount)?;
    let mut escrow = escrow_in(ledger, id, now, Phase::Open..=Phase::Open)?;
    if escrow.payer != *own {
        return Err(Rejection::Unauthorised);
    }
    escrow.top_up(amount)?;
    ledger.hold(own, Purpose::Escrow, amount)?;
    ledger.put_escrow(id, escrow);
    let fact = Fact::ToppedUp {
        escrow: *id,
        payer: *own,
        amount,
    };
    Ok([fact].into())
}

/// Ends work before the deadline.
///
/// # Errors
/// [`Rejection::Unauthorised`], [`Rejection::Phase`].
pub fn close(ledger: &mut impl State, caller: &Caller, id: &Digest, now: u64) -> Done {
    let mut escrow = escrow_in(ledger, id, now, Phase::Open..=Phase::Open)?;
    if escrow.payer != caller.account && escrow.requester != caller.signer {
        return Err(Rejection::Unauthorised);
    }
    escrow.closed = Some(now);
    let until = escrow.ends().saturating_add(ledger.terms().claims);
    ledger.remind(until, id);
    let fact = Fact::Closed {
        escrow: *id,
        payer: escrow.payer,
        until,
    };
    ledger.put_escrow(id, escrow);
    Ok([fact].into())
}

/// Pays each that can be paid. If none can, the first one's reason is the claim's.
pub fn claim_all(ledger: &mut impl State, vouchers: &[Signed<Voucher>], now: u64) -> Done {
    let mut facts = Vec::new();
    let mut first = None;
    for Signed { value, .. } in vouchers {
        let fact = claim(ledger, value, now).unwrap_or_else(|reason| {
            first.get_or_insert(reason);
            Fact::NotPaid {
                escrow: value.escrow,
                operator: value.operator,
                reason,
            }
        });
        facts.push(fact);
    }
    let is_paid = |fact: &Fact| matches!(fact, Fact::Paid { .. });
    match first {
        Some(reason) if !facts.iter().any(is_paid) => Err(reason),
        _ => Ok(facts),
    }
}

/// Changes the books only if it returns `Ok`.
pub(super) fn claim(
    ledger: &mut impl State,
    voucher: &Voucher,
    now: u64,
) -> Result<Fact, Rejection> {
    let Voucher {
        escrow: id,
        operator,
        ..
    } = voucher;
    let mut escrow = escrow_in(ledger, id, now, Phase::Open..=Phase::Claims)?;
    if voucher.ledger != ledger.id() || voucher.requester != escrow.requester {
        return Err(Rejection::Voucher);
    }
    let mut tab = ledger.tab(id, operator);
    let amount = escrow.claim(&mut tab, voucher);
    let payer = escrow.payer;
    ledger.pay(&payer, Purpose::Escrow, operator, amount)?;
    ledger.put_escrow(id, escrow);
    ledger.put_tab(id, operator, tab);
    Ok(Fact::Paid {
        escrow: *id,
        payer,
        operator: *operator,
        amount,
    })
}

/// Gives the payer back what is left.
///
/// # Errors
/// [`Rejection::Phase`], [`Rejection::Unsettled`].
pub fn refund(ledger: &mut impl State, id: &Digest, now: u64) -> Done {
    let mut escrow = escrow_in(ledger, id, now, Phase::Objections..=Phase::Over)?;
    if escrow.cases > 0 {
        return Err(Rejection::Unsettled);
    }
    let (payer, amount) = (escrow.payer, escrow.refund());
    ledger.release(&payer, Purpose::Escrow, amount)?;
    ledger.put_escrow(id, escrow);
    let escrow = *id;
    let fact = Fact::Refunded {
        escrow,
        payer,
        amount,
    };
    Ok([fact].into())
}

/// The escrow, if it is in one of these phases.
pub(super) fn escrow_in(
    ledger: &impl State,
    id: &Digest,
    now: u64,
    phases: RangeInclusive<Phase>,
) -> Result<Escrow, Rejection> {
    let escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    match phases.contains(&escrow.phase(now, &ledger.terms())) {
        true => Ok(escrow),
        false => Err(Rejection::Phase),
    }
}
