//! The smallest runtime that the pallets run in.
#![allow(dead_code)] // each test takes its share

use frame_support::{
    PalletId, construct_runtime, derive_impl, parameter_types,
    traits::{ConstU32, ConstU64, ConstU128, VariantCountOf},
    weights::Weight,
};
use frame_system::EnsureRoot;
use opensky_chain_pallet_jobs::{
    Agenda, Escrows,
    requests::{self, CallBack},
};
use opensky_protocol::{Digest, ledger::Answer};
use sp_runtime::{AccountId32, BuildStorage, traits::IdentityLookup};

construct_runtime!(
    pub enum Runtime {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Balances: pallet_balances,
        Providers: opensky_chain_pallet_providers,
        Jobs: opensky_chain_pallet_jobs,
        Requests: opensky_chain_pallet_jobs::requests,
        Beacon: opensky_chain_pallet_jobs::beacon,
        Offers: opensky_chain_pallet_providers::offers,
    }
);

parameter_types! {
    pub const PotId: PalletId = PalletId(*b"sky/pot0");
    /// Of the variant that is played.
    pub static ExistentialDeposit: u128 = 1;
    /// Which requests contracts were told of.
    pub static Told: Vec<Digest> = Vec::new();
    /// Whether anybody waits for random numbers.
    pub IsWanted: bool = Requests::is_waiting();
}

/// How long each half of a round of the beacon may take.
pub const TURN: u64 = 12_000;

/// And how many blocks at least.
pub const BLOCKS: u32 = 3;

/// What it costs to withhold a random number.
pub const PENALTY: u128 = 30;
/// What an operator has to have at stake.
pub const LEAST: u128 = 10;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<u128>;
    type AccountId = AccountId32;
    type Block = frame_system::mocking::MockBlock<Runtime>;
    type Lookup = IdentityLookup<AccountId32>;
}

impl pallet_timestamp::Config for Runtime {
    type MinimumPeriod = ConstU64<0>;
    type Moment = u64;
    type OnTimestampSet = ();
    type WeightInfo = ();
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = u128;
    type ExistentialDeposit = ExistentialDeposit;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
}

impl opensky_chain_pallet_providers::Config for Runtime {
    type Currency = Balances;
    type Governance = EnsureRoot<AccountId32>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Time = Timestamp;
    type WeightInfo = opensky_chain_pallet_providers::weights::Measured<Self>;
}

impl opensky_chain_pallet_jobs::Config for Runtime {
    type PotId = PotId;
    type WeightInfo = opensky_chain_pallet_jobs::weights::Measured<Self>;
}

impl opensky_chain_pallet_providers::offers::Config for Runtime {
    type LeastStake = ConstU128<LEAST>;
    type WeightInfo = opensky_chain_pallet_providers::offers::weights::Measured<Self>;
}

impl opensky_chain_pallet_jobs::beacon::Config for Runtime {
    type Blocks = ConstU32<BLOCKS>;
    type IsWanted = IsWanted;
    type Penalty = ConstU128<PENALTY>;
    type Turn = ConstU64<TURN>;
    type WeightInfo = opensky_chain_pallet_jobs::beacon::weights::Measured<Self>;
}

impl requests::Config for Runtime {
    type Callback = Contract;
    type Randomness = Beacon;
    type WeightInfo = requests::weights::Measured<Self>;
}

/// A contract that keeps what a call costs, one coin for each gas.
pub struct Contract;

impl CallBack<AccountId32> for Contract {
    fn price(gas: u64) -> u128 {
        gas.into()
    }

    fn weight(gas: u64) -> Weight {
        Weight::from_parts(gas, 0)
    }

    fn purse() -> AccountId32 {
        [0xcb; 32].into()
    }

    fn call_back(_: [u8; 20], request: Digest, _: &Answer, gas: u64) -> Weight {
        Told::mutate(|told| told.push(request));
        Self::weight(gas)
    }
}

/// Has each pallet check its state, and sees that the chain comes back to each escrow that is not over: where the agenda
/// has room, as it has in tests.
pub fn audit() {
    let due: Vec<_> = Agenda::<Runtime>::iter_values().flatten().collect();
    for (id, escrow) in Escrows::<Runtime>::iter() {
        let is_over = escrow.left() == 0 && escrow.cases == 0;
        assert!(is_over || due.contains(&id), "{escrow:?} is forgotten");
    }
    #[cfg(feature = "try-runtime")]
    {
        use frame_support::traits::{TryState, TryStateSelect};
        let checked = AllPalletsWithSystem::try_state(System::block_number(), TryStateSelect::All);
        checked.unwrap();
    }
}

/// A chain before its first block, with these accounts.
pub fn chain(balances: Vec<(AccountId32, u128)>) -> sp_io::TestExternalities {
    let balances = pallet_balances::GenesisConfig {
        balances,
        ..Default::default()
    };
    let genesis = RuntimeGenesisConfig {
        balances,
        ..Default::default()
    };
    genesis.build_storage().unwrap().into()
}
