//! Operators: their nodes, and what they have at stake.

use opensky_protocol::{
    Account, NodeKey,
    ledger::{Consent, Fact, NodeState, Rejection},
};

use super::{Books, some};
use crate::rows::Key;

type Done = Result<Vec<Fact>, Rejection>;

impl Books {
    pub(super) fn certify(&mut self, operator: &Account, consent: &Consent) -> Done {
        let node = consent.node;
        if consent.ledger != self.id() || consent.operator != *operator {
            return Err(Rejection::Unauthorised);
        }
        // An account's own key is its node without being certified.
        if self.node(&node).is_some() || Account::from(node) == *operator {
            return Err(Rejection::NodeTaken);
        }
        let operator = *operator;
        let state = NodeState {
            operator,
            revoked: None,
        };
        self.rows.put(Key::Node(node), state);
        Ok([Fact::Certified { operator, node }].into())
    }

    pub(super) fn revoke(&mut self, operator: &Account, node: &NodeKey, now: u64) -> Done {
        let state = self.node(node).filter(|state| state.operator == *operator);
        let mut state = state.ok_or(Rejection::NodeUnknown)?;
        if state.revoked.is_some() {
            return Err(Rejection::NodeUnknown);
        }
        state.revoked = Some(now);
        self.rows.put(Key::Node(*node), state);
        let (operator, node) = (*operator, *node);
        Ok([Fact::Revoked { operator, node }].into())
    }

    /// Whether the operator answers for what the node signed, be it that the node was let go since.
    pub(super) fn answers_for(&self, operator: &Account, node: &NodeKey) -> bool {
        let state = self.node(node);
        Account::from(*node) == *operator || state.is_some_and(|state| state.operator == *operator)
    }

    pub(super) fn bond(&mut self, own: &Account, amount: u128) -> Done {
        some(amount)?;
        self.change_purse(own, |purse, least| purse.hold(amount, least))?;
        let mut operator = self.operator(own);
        operator.add(amount)?;
        self.put_operator(own, operator);
        let operator = *own;
        Ok([Fact::Bonded { operator, amount }].into())
    }

    pub(super) fn unbond(&mut self, own: &Account, amount: u128, now: u64) -> Done {
        some(amount)?;
        let ready = now.saturating_add(self.terms().unbonding);
        let mut operator = self.operator(own);
        operator.unbond(amount, ready)?;
        self.put_operator(own, operator);
        let fact = Fact::Unbonding {
            operator: *own,
            amount,
            ready,
        };
        Ok([fact].into())
    }

    pub(super) fn withdraw(&mut self, own: &Account, now: u64) -> Done {
        let mut operator = self.operator(own);
        let amount = operator.withdraw(now)?;
        self.put_operator(own, operator);
        self.change_purse(own, |purse, _| purse.release(amount))?;
        let operator = *own;
        Ok([Fact::Withdrawn { operator, amount }].into())
    }
}
