//! What must hold of the pallet's state after each block, for tools and tests.

use alloc::collections::{BTreeMap, BTreeSet};

use frame_support::{
    ensure,
    traits::{
        GetStorageVersion as _,
        fungible::{Inspect as _, InspectHold as _},
    },
};
use opensky_protocol::{
    Account, Digest,
    ledger::{Case, Escrow},
};
use sp_runtime::TryRuntimeError;

use crate::{Agenda, Cases, Config, Escrows, HoldReason, NextTurn, Pallet, Tabs};

type Checked = Result<(), TryRuntimeError>;

/// The first thing that is wrong.
pub fn state<T: Config>() -> Checked {
    ensure!(
        Pallet::<T>::on_chain_storage_version() == Pallet::<T>::in_code_storage_version(),
        "jobs' rows are of another version than the code"
    );
    ensure!(
        T::Currency::balance(&Pallet::<T>::pot()) >= T::Currency::minimum_balance(),
        "there is no pot"
    );
    ensure!(
        Agenda::<T>::iter_keys().all(|turn| turn >= NextTurn::<T>::get()),
        "a turn of the agenda has been passed over"
    );
    Escrows::<T>::iter().try_for_each(|(id, escrow)| self::escrow::<T>(&id, &escrow))?;
    Cases::<T>::iter().try_for_each(|(id, _, case)| self::case::<T>(&id, &case))?;
    let tabs = Tabs::<T>::iter_keys();
    let orphan = tabs
        .into_iter()
        .any(|(id, _)| !Escrows::<T>::contains_key(id));
    ensure!(!orphan, "an operator has something coming from no escrow");
    held::<T>()
}

fn escrow<T: Config>(id: &Digest, escrow: &Escrow) -> Checked {
    let spent = escrow.paid.checked_add(escrow.refunded);
    ensure!(
        spent.is_some_and(|spent| spent <= escrow.locked),
        "an escrow has paid more than was set aside"
    );
    ensure!(
        escrow.reserved <= escrow.left(),
        "an escrow keeps more than it has"
    );
    let (mut cases, mut kept) = (0, 0);
    for case in Cases::<T>::iter_prefix_values(id) {
        cases += 1;
        kept += case.filed.iter().map(|claim| claim.kept).sum::<u128>();
    }
    ensure!(cases == escrow.cases, "an escrow has miscounted its cases");
    ensure!(
        kept == escrow.reserved,
        "an escrow does not keep what its cases wait for"
    );
    // Beyond an escrow's seats operators are paid from what others lost.
    let paid: u128 = Tabs::<T>::iter_prefix_values(id).map(|tab| tab.paid).sum();
    ensure!(escrow.paid <= paid, "an escrow has paid what nobody got");
    Ok(())
}

fn case<T: Config>(id: &Digest, case: &Case) -> Checked {
    ensure!(
        Escrows::<T>::contains_key(id),
        "there is a case of no escrow"
    );
    let operators: BTreeSet<_> = case.filed.iter().map(|claim| claim.operator).collect();
    ensure!(!operators.is_empty(), "there is a case without a claim");
    ensure!(
        operators.len() == case.filed.len() && operators.len() <= Case::MAX_FILED,
        "a case has too many claims"
    );
    Ok(())
}

/// That each account's held money is what it is held for.
fn held<T: Config>() -> Checked {
    let mut escrows = BTreeMap::<Account, u128>::new();
    for escrow in Escrows::<T>::iter_values() {
        *escrows.entry(escrow.payer).or_default() += escrow.left();
    }
    let mut objections = BTreeMap::<Account, u128>::new();
    for objection in Cases::<T>::iter_values().filter_map(|case| case.objection) {
        *objections.entry(objection.by).or_default() += objection.bond;
    }
    let holds = |(account, due): (&Account, &u128), reason: HoldReason| {
        T::Currency::balance_on_hold(&reason.into(), &account.0.into()) == *due
    };
    ensure!(
        escrows.iter().all(|row| holds(row, HoldReason::Escrow)),
        "a payer's held money is not what its escrows have left"
    );
    ensure!(
        objections
            .iter()
            .all(|row| holds(row, HoldReason::Objection)),
        "held money is not what was staked on objections"
    );
    Ok(())
}
