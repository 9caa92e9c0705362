//! What a new chain begins with.

use alloc::{vec, vec::Vec};

use opensky_chain_pallet_jobs::requests::CallBack as _;
use serde_json::{Value, json};
use sp_genesis_builder::{DEV_RUNTIME_PRESET, PresetId};
use sp_keyring::Ed25519Keyring;

use crate::{AccountId, Balance, Jobs, configs::EXISTENTIAL_DEPOSIT, contracts::OpenSky};

/// What each account of a preset begins with: a billion SKY.
const FORTUNE: Balance = 1_000_000_000 * 1_000_000_000_000;

/// A chain with many rich accounts, for tests of several parties.
const LOCAL_PRESET: &str = "local";

/// The names of the presets.
pub fn names() -> Vec<PresetId> {
    vec![DEV_RUNTIME_PRESET.into(), LOCAL_PRESET.into()]
}

/// A preset, as the JSON of a genesis. Its keys are known to everybody.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
    let rich = match id.as_ref() {
        DEV_RUNTIME_PRESET => vec![Ed25519Keyring::Alice],
        LOCAL_PRESET => Ed25519Keyring::iter().collect(),
        _ => return None,
    };
    let genesis = genesis(rich.into_iter().map(|key| key.to_account_id()));
    // A value of strings and numbers can be written.
    serde_json::to_vec(&genesis).ok()
}

fn genesis(rich: impl Iterator<Item = AccountId>) -> Value {
    // What is too little to begin an account with can be put into one that is there.
    let open = [Jobs::pot(), OpenSky::purse()].map(|account| (account, EXISTENTIAL_DEPOSIT));
    let rich = rich.map(|account| (account, FORTUNE));
    let balances: Vec<_> = rich.chain(open).collect();
    json!({
        "balances": { "balances": balances },
        "sudo": { "key": Ed25519Keyring::Alice.to_account_id() },
    })
}
