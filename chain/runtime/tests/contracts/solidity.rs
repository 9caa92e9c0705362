//! Contracts as their authors see them: bytecode, calls, answers.

use std::{fs, path::PathBuf};

use frame_support::weights::Weight;
use opensky_chain_runtime::{AccountId, Revive, Runtime, RuntimeEvent, RuntimeOrigin};
use pallet_revive::{
    AccountId32Mapper, AddressMapper as _, ExecConfig, H160, TransactionLimits,
    precompiles::alloy::{
        self,
        sol_types::{SolCall, SolValue},
    },
};
use sp_keyring::Ed25519Keyring as Key;

use crate::chain::Chain;

alloy::sol!("../../examples/contract-request/IOpenSky.sol");

alloy::sol! {
    struct Result {
        uint8 status;
        uint64 fuel;
        bytes32 digest;
        bytes output;
    }

    /// examples/contract-request/Requester.sol
    interface Requester {
        function ask(bytes calldata input, uint256 maxPrice) external returns (bytes32 id);
        function result(bytes32 id) external view returns (Result memory);
        function isOpen(bytes32 id) external view returns (bool);
        event Asked(bytes32 indexed id);
    }

    /// Hostile.sol
    interface Asker {
        function ask(bytes32 program, uint256 input, uint8 replicas, uint256 maxPrice, uint64 deadline, uint64 gas_)
            external;
        function calls() external view returns (uint256);
        function last() external view returns (bytes32);
        function reason() external view returns (string memory);
        function isAnswered() external view returns (bool);
    }

    interface Odd {
        function delegate(bytes calldata data) external;
        function look(bytes calldata data) external;
        function pay(bytes calldata data, uint256 value) external;
        function isDone() external view returns (bool);
        function answer() external view returns (bytes memory);
    }

    interface Nest {
        function hatch(bytes32 program, uint256 maxPrice) external;
        function child() external view returns (address);
    }

    /// What `revert("...")` leaves behind.
    error Error(string reason);
}

/// What a transaction may use.
const LIMIT: Weight = Weight::from_parts(1_000_000_000_000, 2 << 20);

/// A contract on a chain.
#[derive(Clone, Copy)]
pub struct Contract(pub H160);

impl Contract {
    /// Puts a contract of that name on the chain, with so much money.
    pub fn deploy(chain: &mut Chain, name: &str, args: Vec<u8>, value: u128) -> Self {
        let events = chain.send(
            Key::Alice,
            pallet_revive::Call::instantiate_with_code {
                value,
                weight_limit: LIMIT,
                storage_deposit_limit: u128::MAX,
                code: [bytecode(name), args].concat(),
                data: Vec::new(),
                salt: None,
            },
        );
        let address = events.into_iter().find_map(|event| match event {
            RuntimeEvent::Revive(pallet_revive::Event::Instantiated { contract, .. }) => {
                Some(contract)
            }
            _ => None,
        });
        Self(address.unwrap())
    }

    /// A transaction that calls it.
    pub fn call(self, call: impl SolCall) -> pallet_revive::Call<Runtime> {
        pallet_revive::Call::call {
            dest: self.0,
            value: 0,
            weight_limit: LIMIT,
            storage_deposit_limit: u128::MAX,
            data: call.abi_encode(),
        }
    }

    /// What it says, without a transaction.
    pub fn look<C: SolCall>(self, chain: &mut Chain, call: C) -> C::Return {
        let limits = TransactionLimits::WeightAndDeposit {
            weight_limit: LIMIT,
            deposit_limit: 0,
        };
        let origin = RuntimeOrigin::signed(Key::Alice.to_account_id());
        let config = ExecConfig::new_substrate_tx();
        let data = call.abi_encode();
        let answer =
            chain.with(|| Revive::bare_call(origin, self.0, 0.into(), limits, data, &config));
        C::abi_decode_returns(&answer.result.unwrap().data).unwrap()
    }

    /// Where its money is.
    pub fn account(self) -> AccountId {
        AccountId32Mapper::<Runtime>::to_fallback_account_id(&self.0)
    }
}

/// What a contract's constructor is given.
pub fn args(values: impl SolValue) -> Vec<u8> {
    values.abi_encode()
}

fn bytecode(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("OPENSKY_CONTRACTS");
    let folder = PathBuf::from(folder.expect(
        "OPENSKY_CONTRACTS is the folder of the contracts' bytecode, which `cargo xtask contracts` makes",
    ));
    let suffix = format!("_sol_{name}.bin");
    let files = fs::read_dir(&folder).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let file = files.find(|file| file.to_str().unwrap().ends_with(&suffix));
    let digits = fs::read(file.unwrap_or_else(|| panic!("no {name} in {folder:?}"))).unwrap();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
