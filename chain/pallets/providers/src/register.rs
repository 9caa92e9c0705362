//! The pallet's storage and the chain's money as the rule book wants them.

use core::marker::PhantomData;

use frame_support::traits::{fungible::MutateHold as _, tokens::Precision};
use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        NodeState, Operator, Rejection, Terms,
        rules::{Purpose, Register},
    },
};
use sp_runtime::{ArithmeticError, DispatchError, TokenError};

use crate::{Config, CurrentTerms, HoldReason, Nodes, Operators, Pallet};

/// The operators' part of the books.
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
        Pallet::<T>::ledger()
    }

    fn terms(&self) -> Terms {
        CurrentTerms::<T>::get()
    }

    fn operator(&self, account: &Account) -> Operator {
        Operators::<T>::get(T::AccountId::from(account.0))
    }

    fn put_operator(&mut self, account: &Account, operator: Operator) {
        let account = T::AccountId::from(account.0);
        match operator == Operator::default() {
            true => Operators::<T>::remove(account),
            false => Operators::<T>::insert(account, operator),
        }
    }

    fn node(&self, node: &NodeKey) -> Option<NodeState> {
        Nodes::<T>::get(node)
    }

    fn put_node(&mut self, node: &NodeKey, state: NodeState) {
        Nodes::<T>::insert(node, state);
    }

    /// Bonds only: what else is held is another pallet's affair.
    fn hold(&mut self, of: &Account, _: Purpose, amount: u128) -> Result<(), Rejection> {
        let reason = HoldReason::Bond.into();
        T::Currency::hold(&reason, &of.0.into(), amount).map_err(rejection)
    }

    fn release(&mut self, of: &Account, _: Purpose, amount: u128) -> Result<(), Rejection> {
        let reason = HoldReason::Bond.into();
        let released = T::Currency::release(&reason, &of.0.into(), amount, Precision::Exact);
        released.map(drop).map_err(rejection)
    }
}

/// Why the chain's money did not move, in the rules' words.
pub fn rejection(error: DispatchError) -> Rejection {
    match error {
        DispatchError::Token(TokenError::BelowMinimum | TokenError::CannotCreate) => {
            Rejection::Existential
        }
        DispatchError::Arithmetic(ArithmeticError::Overflow) => Rejection::Overflow,
        _ => Rejection::Balance,
    }
}
