//! Rows of another version than the code's: they are found, and moved once.
#![cfg(feature = "try-runtime")]
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

#[path = "../conformance/runtime.rs"]
mod runtime;

use frame_support::{
    migrations::VersionedMigration,
    traits::{
        GetStorageVersion as _, Hooks as _, OnRuntimeUpgrade, StorageVersion,
        UncheckedOnRuntimeUpgrade,
    },
    weights::Weight,
};
use opensky_chain_pallet_jobs::{Migrations, NextTurn};
use runtime::{Jobs, Runtime, audit, chain};

/// As if turns had once been of another length: what the first real one is written like.
struct Turns;

impl UncheckedOnRuntimeUpgrade for Turns {
    fn on_runtime_upgrade() -> Weight {
        NextTurn::<Runtime>::mutate(|turn| *turn *= 10);
        Weight::zero()
    }
}

type Upgrade = VersionedMigration<0, 1, Turns, Jobs, ()>;

/// A chain whose rows are of the version before the first.
fn older(play: impl FnOnce()) {
    chain(vec![(Jobs::pot(), 1)]).execute_with(|| {
        StorageVersion::new(0).put::<Jobs>();
        NextTurn::<Runtime>::put(7);
        play();
    });
}

#[test]
fn rows_of_another_version_are_found() {
    older(|| {
        Migrations::on_runtime_upgrade();
        Jobs::try_state(1).unwrap_err();
        StorageVersion::new(2).put::<Jobs>();
        Jobs::try_state(1).unwrap_err();
        StorageVersion::new(1).put::<Jobs>();
        audit();
    });
}

#[test]
fn rows_are_moved_once() {
    older(|| {
        for _ in 0..2 {
            Upgrade::on_runtime_upgrade();
            assert_eq!(NextTurn::<Runtime>::get(), 70);
            assert_eq!(Jobs::on_chain_storage_version(), 1);
        }
        audit();
    });
}
