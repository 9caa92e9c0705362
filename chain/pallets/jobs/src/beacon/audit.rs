//! What must hold of the pallet's state after each block, for tools and tests.

use alloc::collections::BTreeSet;

use frame_support::{ensure, traits::GetStorageVersion as _};
use opensky_chain_pallet_providers::offers;
use opensky_protocol::ledger::commitment;
use sp_runtime::TryRuntimeError;

use super::{BARRED, Barred, Config, Current, Last, Pallet, Party, Round};

type Checked = Result<(), TryRuntimeError>;

/// The first thing that is wrong.
pub fn state<T: Config>() -> Checked {
    ensure!(
        Pallet::<T>::on_chain_storage_version() == Pallet::<T>::in_code_storage_version(),
        "the beacon's rows are of another version than the code"
    );
    let last = Last::<T>::get();
    let block = frame_system::Pallet::<T>::block_number();
    ensure!(
        block >= last.begun.into(),
        "random numbers are of a round that has not begun"
    );
    ensure!(
        Barred::<T>::iter_values().all(|until| until <= last.round + BARRED),
        "an operator sits out for too long"
    );
    let Some(round) = Current::<T>::get() else {
        return Ok(());
    };
    ensure!(
        round.number == last.round + 1 && block >= round.begun.into(),
        "the round is not the next one"
    );
    let latest = Pallet::<T>::until();
    ensure!(
        round.until.time <= latest.time && round.until.block <= latest.block,
        "the round takes too long"
    );
    ensure!(
        round.reveals == offers::Entered::<T>::exists(),
        "it is not settled who is drawn when something can be revealed"
    );
    let operators: BTreeSet<_> = round.parties.iter().map(|party| party.operator).collect();
    ensure!(
        operators.len() == round.parties.len(),
        "an operator takes part twice"
    );
    let mut parties = round.parties.iter();
    parties.try_for_each(|party| self::party(&round, party))
}

fn party(round: &Round, party: &Party) -> Checked {
    let Some(secret) = party.secret else {
        return Ok(());
    };
    ensure!(round.reveals, "a secret is known too early");
    ensure!(
        party.commitment == commitment(round.number, &party.operator, &secret),
        "a secret is not what was committed to"
    );
    Ok(())
}
