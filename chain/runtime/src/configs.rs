//! What each pallet is told: the numbers of this chain, and the reasons for them.

use frame_support::{
    PalletId, derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{ConstU32, ConstU64, ConstU128, VariantCountOf, tokens::imbalance::ResolveTo},
    weights::{
        ConstantMultiplier, Weight,
        constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
    },
};
use frame_system::{
    EnsureRoot,
    limits::{BlockLength, BlockWeights},
};
use pallet_revive::{AutoMapper, evm::fees::BlockRatioFee};
use pallet_transaction_payment::{ConstFeeMultiplier, FungibleAdapter, Multiplier};
use sp_runtime::{Perbill, traits::One};
use sp_version::RuntimeVersion;

use crate::{
    AccountId, Balance, Balances, Beacon, Block, BlockNumber, Jobs, Nonce, PalletInfo, Requests,
    Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin,
    RuntimeTask, System, Timestamp, VERSION, contracts::OpenSky,
};

/// An account of less than this is none: it pays for the row that it takes.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000_000;

/// A block may take two seconds of six on a reference machine, and a proof of 5 MiB: what a parachain has.
const BLOCK: Weight = Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, 5 << 20);

/// Of that, three quarters are for transactions that anybody sends.
const NORMAL: Perbill = Perbill::from_percent(75);

parameter_types! {
    pub const Version: RuntimeVersion = VERSION;
    pub const BlockHashCount: BlockNumber = 2400;
    pub Weights: BlockWeights = BlockWeights::with_sensible_defaults(BLOCK, NORMAL);
    pub Length: BlockLength = BlockLength::builder()
        .max_length(5 << 20)
        .modify_max_length_for_class(DispatchClass::Normal, |length| *length = NORMAL * *length)
        .build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId;
    type Block = Block;
    type BlockHashCount = BlockHashCount;
    type BlockLength = Length;
    type BlockWeights = Weights;
    type DbWeight = ParityDbWeight;
    type Lookup = sp_runtime::traits::AccountIdLookup<AccountId, ()>;
    type Nonce = Nonce;
    type SingleBlockMigrations = (
        opensky_chain_pallet_providers::Migrations,
        opensky_chain_pallet_jobs::Migrations,
    );
    // Contracts know accounts by addresses: each account has one as long as it is there, and nobody has to ask for it.
    type OnKilledAccount = AutoMapper<Runtime>;
    type OnNewAccount = AutoMapper<Runtime>;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    // Blocks that are sealed at once may have the same millisecond.
    type MinimumPeriod = ConstU64<0>;
    type Moment = u64;
    type OnTimestampSet = ();
    type WeightInfo = ();
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Self>;
}

parameter_types! {
    pub Even: Multiplier = Multiplier::one();
}

#[derive_impl(pallet_transaction_payment::config_preludes::TestDefaultConfig)]
impl pallet_transaction_payment::Config for Runtime {
    type FeeMultiplierUpdate = ConstFeeMultiplier<Even>;
    type LengthToFee = ConstantMultiplier<Balance, ConstU128<1>>;
    type OnChargeTransaction = FungibleAdapter<Balances, ResolveTo<Pot, Balances>>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Self>;
    // Time and proofs cost the same part of a block. A second of a provider's is worth about two million pSKY, and what a
    // chain does a thousand nodes do: a pSKY is 500 picoseconds of a block. So paying for one unit costs less than the unit.
    type WeightToFee = BlockRatioFee<1, 500, Runtime, Balance>;
}

impl pallet_sudo::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Self>;
}

parameter_types! {
    pub const PotId: PalletId = PalletId(*b"sky/pot0");
    pub Pot: AccountId = Jobs::pot();
}

impl opensky_chain_pallet_providers::Config for Runtime {
    type Currency = Balances;
    type Governance = EnsureRoot<AccountId>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Time = Timestamp;
    type WeightInfo = opensky_chain_pallet_providers::weights::Measured<Self>;
}

impl opensky_chain_pallet_jobs::Config for Runtime {
    type PotId = PotId;
    type WeightInfo = opensky_chain_pallet_jobs::weights::Measured<Self>;
}

parameter_types! {
    pub IsWanted: bool = Requests::is_waiting();
    // As much as a hundred units of a second each.
    pub const Penalty: u128 = 100_000_000;
}

impl opensky_chain_pallet_providers::offers::Config for Runtime {
    type LeastStake = Penalty;
    type WeightInfo = opensky_chain_pallet_providers::offers::weights::Measured<Self>;
}

impl opensky_chain_pallet_jobs::beacon::Config for Runtime {
    // More than it takes until an operator knows of a final block, and its word is in another.
    type Blocks = ConstU32<10>;
    type IsWanted = IsWanted;
    type Penalty = Penalty;
    type Turn = ConstU64<12_000>;
    type WeightInfo = opensky_chain_pallet_jobs::beacon::weights::Measured<Self>;
}

impl opensky_chain_pallet_jobs::requests::Config for Runtime {
    type Callback = OpenSky;
    type Randomness = Beacon;
    type WeightInfo = opensky_chain_pallet_jobs::requests::weights::Measured<Self>;
}
