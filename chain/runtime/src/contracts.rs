//! Contracts: Solidity on pallet-revive, and what it costs here.

mod callback;
mod interface;
mod precompile;

use frame_support::{
    derive_impl,
    traits::{ConstBool, ConstU32, ConstU64, ConstU128},
};
use frame_system::EnsureSigned;
use pallet_revive::{
    AccountId32Mapper,
    evm::{fees::Info, runtime::EthExtra},
};
use sp_runtime::{generic::Era, traits::InvalidVersion};

pub use self::precompile::OpenSky;
use crate::{
    AccountId, Address, Balance, Balances, Nonce, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeHoldReason, RuntimeOrigin, Signature, Timestamp, TxExtension,
    configs::EXISTENTIAL_DEPOSIT,
};

/// What signs for another of the networks that tools of contracts know is worth nothing here: "SKY" in ASCII.
const CHAIN_ID: u64 = 0x53_4b59;

/// Contracts count money in 10^18 parts of a coin, the chain in 10^12.
const WEI: u32 = 1_000_000;

/// So much of the fee is one gas: a word that is stored then costs about as much of it as tools expect, 20,000.
const GAS: u32 = 400;

/// What a byte or an entry that a contract stores is worth until it is removed.
const DEPOSIT: Balance = EXISTENTIAL_DEPOSIT / 500;

/// How gas and fees become each other.
type Fees = Info<Address, Signature, Ethereum>;

#[derive_impl(pallet_revive::config_preludes::TestDefaultConfig)]
impl pallet_revive::Config for Runtime {
    type AddressMapper = AccountId32Mapper<Runtime>;
    type AllowEVMBytecode = ConstBool<true>;
    type AutoMap = ConstBool<true>;
    type Balance = Balance;
    type ChainId = ConstU64<CHAIN_ID>;
    type Currency = Balances;
    type DebugEnabled = ConstBool<false>;
    // As much beside the fees as an account's bytes are: contracts can write more of them in one go.
    type DepositPerByte = ConstU128<DEPOSIT>;
    type DepositPerChildTrieItem = ConstU128<DEPOSIT>;
    type DepositPerItem = ConstU128<DEPOSIT>;
    type FeeInfo = Fees;
    type GasScale = ConstU32<GAS>;
    type InstantiateOrigin = EnsureSigned<AccountId>;
    type NativeToEthRatio = ConstU32<WEI>;
    type Precompiles = (OpenSky,);
    type Time = Timestamp;
    type UploadOrigin = EnsureSigned<AccountId>;
    type WeightInfo = pallet_revive::weights::SubstrateWeight<Self>;
}

/// Transactions as Ethereum's wallets sign them: the chain prices them, and takes none.
pub struct Ethereum;

impl EthExtra for Ethereum {
    type Config = Runtime;
    type ExtensionOtherVersions = InvalidVersion;
    type ExtensionV0 = TxExtension;

    fn get_eth_extension(nonce: Nonce, tip: Balance) -> TxExtension {
        (
            frame_system::AuthorizeCall::new(),
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckMortality::from(Era::Immortal),
            frame_system::CheckNonce::from(nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(tip),
            frame_system::WeightReclaim::new(),
        )
    }
}
