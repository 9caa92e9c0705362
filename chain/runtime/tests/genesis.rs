//! Each preset makes a chain on which money is where it says.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

use frame_support::traits::GetStorageVersion as _;
use opensky_chain_runtime::{Balances, Jobs, Providers, Runtime};
use serde_json::{Map, Value};
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder as _;
use sp_keyring::Ed25519Keyring;

#[test]
fn presets_make_a_state_with_rich_accounts_and_a_pot() {
    for preset in Runtime::preset_names() {
        // A preset names what differs from the default.
        let mut genesis = read(Runtime::get_preset(&None));
        genesis.extend(read(Runtime::get_preset(&Some(preset))));
        let genesis = serde_json::to_vec(&genesis).unwrap();
        let mut chain = sp_io::TestExternalities::default();
        chain.execute_with(|| {
            Runtime::build_state(genesis).unwrap();
            let alice = Ed25519Keyring::Alice.to_account_id();
            assert!(Balances::free_balance(&alice) >= 1_000_000_000_000);
            assert!(Balances::free_balance(Jobs::pot()) > 0);
            let issued = pallet_balances::TotalIssuance::<Runtime>::get();
            let accounts = frame_system::Account::<Runtime>::iter_values();
            assert_eq!(
                accounts.map(|account| account.data.free).sum::<u128>(),
                issued
            );
            // An upgrade's migrations begin where the genesis says.
            assert_eq!(Providers::on_chain_storage_version(), 1);
            assert_eq!(Jobs::on_chain_storage_version(), 1);
        });
    }
    assert_eq!(Runtime::get_preset(&Some("odd".into())), None);
}

fn read(preset: Option<Vec<u8>>) -> Map<String, Value> {
    serde_json::from_slice(&preset.unwrap()).unwrap()
}
