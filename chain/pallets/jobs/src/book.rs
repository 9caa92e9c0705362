//! The chain's storage and money as the rule book wants them.

use alloc::vec::Vec;
use core::marker::PhantomData;

use frame_support::traits::{
    fungible::{Mutate as _, MutateHold as _},
    tokens::{Fortitude, Precision, Preservation, Restriction},
};
use opensky_chain_pallet_providers::{Book as Operators, rejection};
use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        Case, Escrow, NodeState, Operator, Rejection, Tab, Terms,
        rules::{Purpose, Register, State},
    },
};

use crate::{Cases, Config, Escrows, HoldReason, Pallet, Tabs};

/// Units of one escrow that are looked at in one go: with as many claims as there can be, their rows are a third of what
/// a block may prove.
pub const LOOKED_AT: usize = 256;

/// The whole books.
pub struct Book<T>(PhantomData<T>);

impl<T> Book<T> {
    /// All of its state is in the chain's storage.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Config> Register for Book<T> {
    fn id(&self) -> Digest {
        Operators::<T>::new().id()
    }

    fn terms(&self) -> Terms {
        Operators::<T>::new().terms()
    }

    fn operator(&self, account: &Account) -> Operator {
        Operators::<T>::new().operator(account)
    }

    fn put_operator(&mut self, account: &Account, operator: Operator) {
        Operators::<T>::new().put_operator(account, operator);
    }

    fn node(&self, node: &NodeKey) -> Option<NodeState> {
        Operators::<T>::new().node(node)
    }

    fn put_node(&mut self, node: &NodeKey, state: NodeState) {
        Operators::<T>::new().put_node(node, state);
    }

    fn hold(&mut self, of: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection> {
        let held = T::Currency::hold(&reason::<T>(purpose), &of.0.into(), amount);
        held.map_err(rejection)
    }

    fn release(&mut self, of: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection> {
        let reason = reason::<T>(purpose);
        let released = T::Currency::release(&reason, &of.0.into(), amount, Precision::Exact);
        released.map(drop).map_err(rejection)
    }
}

impl<T: Config> State for Book<T> {
    fn escrow(&self, id: &Digest) -> Option<Escrow> {
        Escrows::<T>::get(id)
    }

    fn put_escrow(&mut self, id: &Digest, escrow: Escrow) {
        Escrows::<T>::insert(id, escrow);
    }

    fn tab(&self, escrow: &Digest, operator: &Account) -> Tab {
        Tabs::<T>::get(escrow, T::AccountId::from(operator.0))
    }

    fn put_tab(&mut self, escrow: &Digest, operator: &Account, tab: Tab) {
        Tabs::<T>::insert(escrow, T::AccountId::from(operator.0), tab);
    }

    fn case(&self, escrow: &Digest, unit: &Digest) -> Option<Case> {
        Cases::<T>::get(escrow, unit)
    }

    fn put_case(&mut self, escrow: &Digest, unit: &Digest, case: Option<Case>) {
        Cases::<T>::set(escrow, unit, case);
    }

    /// So many that whoever keeps others waiting behind disputes has to stake a lot; beyond them, units are
    /// settled by a call.
    fn unsettled(&self, escrow: &Digest) -> Vec<Digest> {
        Cases::<T>::iter_key_prefix(escrow)
            .take(LOOKED_AT)
            .collect()
    }

    fn remind(&mut self, at: u64, escrow: &Digest) {
        Pallet::<T>::remind(at, escrow);
    }

    /// A reminder is taken out before it is looked at.
    fn forget(&mut self, _: u64, _: &Digest) {}

    fn pay(
        &mut self,
        from: &Account,
        purpose: Purpose,
        to: &Account,
        amount: u128,
    ) -> Result<(), Rejection> {
        if from == to {
            return self.release(from, purpose, amount);
        }
        move_held::<T>(from, purpose, &to.0.into(), amount)
    }

    fn forfeit(&mut self, from: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection> {
        move_held::<T>(from, purpose, &Pallet::<T>::pot(), amount)
    }

    fn reward(&mut self, to: &Account, amount: u128) -> Result<(), Rejection> {
        let (pot, to) = (Pallet::<T>::pot(), to.0.into());
        let moved = T::Currency::transfer(&pot, &to, amount, Preservation::Preserve);
        moved.map(drop).map_err(rejection)
    }
}

fn reason<T: Config>(purpose: Purpose) -> T::RuntimeHoldReason {
    match purpose {
        Purpose::Escrow => HoldReason::Escrow.into(),
        Purpose::Objection => HoldReason::Objection.into(),
        Purpose::Bond => opensky_chain_pallet_providers::HoldReason::Bond.into(),
    }
}

fn move_held<T: Config>(
    from: &Account,
    purpose: Purpose,
    to: &T::AccountId,
    amount: u128,
) -> Result<(), Rejection> {
    if amount == 0 {
        return Ok(());
    }
    let moved = T::Currency::transfer_on_hold(
        &reason::<T>(purpose),
        &from.0.into(),
        to,
        amount,
        Precision::Exact,
        Restriction::Free,
        Fortitude::Polite,
    );
    moved.map(drop).map_err(rejection)
}
