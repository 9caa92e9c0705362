//! The runtime: what a block of the chain may do, and the order in which it does it.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
mod configs;
pub mod contracts;
mod genesis;

use alloc::{borrow::Cow, vec::Vec};

use frame_support::runtime;
use sp_runtime::{
    MultiAddress, MultiSignature, generic,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
};
use sp_version::{RuntimeVersion, runtime_version};

/// Whoever has money: on a development chain, a node's own key.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// An amount of the smallest coin, pSKY: 10^12 are one SKY.
pub type Balance = u128;
/// A block's number.
pub type BlockNumber = u32;
/// How many transactions an account has made.
pub type Nonce = u32;
/// A transaction's signature; nodes sign with ed25519.
pub type Signature = MultiSignature;
/// How a transaction names an account.
pub type Address = MultiAddress<AccountId, ()>;
/// The head of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What a transaction carries beside its call and its signature.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckMortality<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);
/// A transaction.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;

type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Its number has to stand there as a number: it is also written into the WebAssembly, beside the code.
macro_rules! version {
    ($spec_version:tt) => {
        /// The version: an upgrade of a running chain has a larger `spec_version`.
        #[runtime_version]
        pub const VERSION: RuntimeVersion = RuntimeVersion {
            spec_name: Cow::Borrowed("opensky"),
            impl_name: Cow::Borrowed("opensky"),
            authoring_version: 1,
            spec_version: $spec_version,
            impl_version: 1,
            apis: apis::RUNTIME_API_VERSIONS,
            transaction_version: 1,
            system_version: 1,
        };
    };
}

#[cfg(not(feature = "upgrade"))]
version!(1);

#[cfg(feature = "upgrade")]
version!(2);

#[runtime]
mod runtime {
    /// The runtime.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;

    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;

    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances;

    #[runtime::pallet_index(3)]
    pub type TransactionPayment = pallet_transaction_payment;

    /// For development: whoever has its key may do all. A chain of strangers has governance in its place.
    #[runtime::pallet_index(4)]
    pub type Sudo = pallet_sudo;

    #[runtime::pallet_index(5)]
    pub type Revive = pallet_revive;

    #[runtime::pallet_index(10)]
    pub type Providers = opensky_chain_pallet_providers;

    #[runtime::pallet_index(11)]
    pub type Jobs = opensky_chain_pallet_jobs;

    /// What the chain does by itself it does in this order: random numbers are made however many requests there are, and
    /// used as soon as they are known.
    #[runtime::pallet_index(12)]
    pub type Beacon = opensky_chain_pallet_jobs::beacon;

    #[runtime::pallet_index(13)]
    pub type Requests = opensky_chain_pallet_jobs::requests;

    #[runtime::pallet_index(14)]
    pub type Offers = opensky_chain_pallet_providers::offers;
}
