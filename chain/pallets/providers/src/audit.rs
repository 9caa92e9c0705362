//! What must hold of the pallet's state after each block, for tools and tests.

use frame_support::{
    ensure,
    traits::{GetStorageVersion as _, fungible::InspectHold as _},
};
use opensky_protocol::{Account, ledger::Operator};
use sp_runtime::TryRuntimeError;

use crate::{Config, CurrentTerms, HoldReason, Nodes, Operators, Pallet};

type Checked = Result<(), TryRuntimeError>;

/// The first thing that is wrong.
pub fn state<T: Config>() -> Checked {
    ensure!(
        Pallet::<T>::on_chain_storage_version() == Pallet::<T>::in_code_storage_version(),
        "operators' rows are of another version than the code"
    );
    let terms = CurrentTerms::<T>::get();
    ensure!(
        terms.unbonding > terms.dispute_horizon(),
        "an operator could take its bond away before a verdict"
    );
    Operators::<T>::iter().try_for_each(|(account, operator)| bond::<T>(&account, &operator))?;
    Nodes::<T>::iter().try_for_each(|(node, state)| {
        let until = state.revoked.unwrap_or_default();
        ensure!(
            until <= Pallet::<T>::now(),
            "a node is let go in the future"
        );
        let own = Account::from(node) == state.operator;
        ensure!(!own, "an operator has certified its own key");
        Ok(())
    })
}

fn bond<T: Config>(account: &T::AccountId, operator: &Operator) -> Checked {
    ensure!(
        *operator != Operator::default(),
        "there is a row of an operator with nothing at stake"
    );
    ensure!(
        operator.unbonding.len() <= Operator::MAX_UNBONDINGS,
        "an operator has too many amounts unbonding"
    );
    let held = T::Currency::balance_on_hold(&HoldReason::Bond.into(), account);
    ensure!(
        held == operator.at_stake(),
        "an operator's held money is not what it has at stake"
    );
    Ok(())
}
