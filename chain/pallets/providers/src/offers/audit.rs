//! What must hold of the pallet's state after each block, for tools and tests.

use alloc::collections::BTreeSet;

use frame_support::{ensure, traits::GetStorageVersion as _};
use opensky_protocol::{Account, Digest};
use sp_runtime::TryRuntimeError;

use super::{Config, Holders, MAX_TERM, Pallet, Pins, Roster};
use crate::Pallet as Providers;

type Checked = Result<(), TryRuntimeError>;

/// The first thing that is wrong.
pub fn state<T: Config>() -> Checked {
    ensure!(
        Pallet::<T>::on_chain_storage_version() == Pallet::<T>::in_code_storage_version(),
        "offers' rows are of another version than the code"
    );
    let roster = Roster::<T>::get();
    let operators: BTreeSet<_> = roster.iter().map(|listed| listed.operator).collect();
    ensure!(
        operators.len() == roster.len(),
        "an operator is on the roster twice"
    );
    let pairs = |rows: &mut dyn Iterator<Item = (Account, Digest)>| {
        let (mut all, mut pairs) = (0, BTreeSet::new());
        rows.for_each(|pair| {
            all += 1;
            pairs.insert(pair);
        });
        (all, pairs)
    };
    let latest = Providers::<T>::now().saturating_add(MAX_TERM);
    ensure!(
        Holders::<T>::iter_values()
            .flatten()
            .all(|(_, until)| until <= latest),
        "a program is kept for too long"
    );
    ensure!(
        Holders::<T>::iter_values().all(|holders| !holders.is_empty())
            && Pins::<T>::iter_values().all(|pins| !pins.is_empty()),
        "there is a row of nothing that is kept"
    );
    let holders = Holders::<T>::iter();
    let mut holders = holders
        .flat_map(|(program, holders)| holders.into_iter().map(move |(who, _)| (who, program)));
    let pins = Pins::<T>::iter();
    let mut pins = pins.flat_map(|(who, pins)| {
        let who = Account(who.into());
        pins.into_iter().map(move |program| (who, program))
    });
    let (holders, pins) = (pairs(&mut holders), pairs(&mut pins));
    ensure!(
        holders.0 == holders.1.len() && pins.0 == pins.1.len(),
        "a program is pinned twice"
    );
    ensure!(
        holders.1 == pins.1,
        "a program's holders are not those who pinned it"
    );
    Ok(())
}
