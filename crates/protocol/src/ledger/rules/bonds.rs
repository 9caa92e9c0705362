//! Operators: their nodes, and what they have at stake.

use alloc::vec::Vec;

use super::{Purpose, Register, some};
use crate::{
    Account, NodeKey,
    ledger::{Consent, Fact, NodeState, Rejection},
};

type Done = Result<Vec<Fact>, Rejection>;

/// Takes a node on, by its own word.
///
/// # Errors
/// [`Rejection::Unauthorised`] if the word is for another operator or ledger, [`Rejection::NodeTaken`].
pub fn certify(ledger: &mut impl Register, operator: &Account, consent: &Consent) -> Done {
    let node = consent.node;
    if consent.ledger != ledger.id() || consent.operator != *operator {
        return Err(Rejection::Unauthorised);
    }
    // An account's own key is its node without being certified.
    if ledger.node(&node).is_some() || Account::from(node) == *operator {
        return Err(Rejection::NodeTaken);
    }
    let operator = *operator;
    let state = NodeState {
        operator,
        revoked: None,
    };
    ledger.put_node(&node, state);
    Ok([Fact::Certified { operator, node }].into())
}

/// Lets a node go.
///
/// # Errors
/// [`Rejection::NodeUnknown`].
pub fn revoke(ledger: &mut impl Register, operator: &Account, node: &NodeKey, now: u64) -> Done {
    let state = ledger.node(node);
    let state = state.filter(|state| state.operator == *operator);
    let mut state = state.ok_or(Rejection::NodeUnknown)?;
    if state.revoked.is_some() {
        return Err(Rejection::NodeUnknown);
    }
    state.revoked = Some(now);
    ledger.put_node(node, state);
    let (operator, node) = (*operator, *node);
    Ok([Fact::Revoked { operator, node }].into())
}

/// Whether the operator answers for what the node signed, be it that the node was let go since.
pub fn answers_for(ledger: &impl Register, operator: &Account, node: &NodeKey) -> bool {
    let state = ledger.node(node);
    Account::from(*node) == *operator || state.is_some_and(|state| state.operator == *operator)
}

/// Sets more of an operator's money aside, that it can lose.
///
/// # Errors
/// [`Rejection`] of the amount.
pub fn bond(ledger: &mut impl Register, own: &Account, amount: u128) -> Done {
    some(amount)?;
    ledger.hold(own, Purpose::Bond, amount)?;
    let mut operator = ledger.operator(own);
    operator.add(amount)?;
    ledger.put_operator(own, operator);
    let operator = *own;
    Ok([Fact::Bonded { operator, amount }].into())
}

/// Begins to take some of it back.
///
/// # Errors
/// [`Rejection::Bond`], [`Rejection::Unbondings`].
pub fn unbond(ledger: &mut impl Register, own: &Account, amount: u128, now: u64) -> Done {
    some(amount)?;
    let ready = now.saturating_add(ledger.terms().unbonding);
    let mut operator = ledger.operator(own);
    operator.unbond(amount, ready)?;
    ledger.put_operator(own, operator);
    let fact = Fact::Unbonding {
        operator: *own,
        amount,
        ready,
    };
    Ok([fact].into())
}

/// Takes back what has been unbonding for long enough.
///
/// # Errors
/// [`Rejection::TooEarly`].
pub fn withdraw(ledger: &mut impl Register, own: &Account, now: u64) -> Done {
    let mut operator = ledger.operator(own);
    let amount = operator.withdraw(now)?;
    ledger.put_operator(own, operator);
    ledger.release(own, Purpose::Bond, amount)?;
    let operator = *own;
    Ok([Fact::Withdrawn { operator, amount }].into())
}
