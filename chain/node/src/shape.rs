//! The shape of the runtimes that this node can run: what it calls, without anything that answers. Each call goes to the
//! WebAssembly of the chain's state, so the bodies here are never run.

use sp_core::{OpaqueMetadata, crypto::KeyTypeId};
use sp_runtime::{
    AccountId32, ApplyExtrinsicResult, ExtrinsicInclusionMode, OpaqueExtrinsic, generic,
    traits::{BlakeTwo256, Block as BlockT},
    transaction_validity::{TransactionSource, TransactionValidity},
};

/// A block as the node sees it: what is in an extrinsic is the runtime's affair.
pub type Block = generic::Block<generic::Header<u32, BlakeTwo256>, OpaqueExtrinsic>;

/// How many transactions an account has made.
pub type Nonce = u32;

/// Whoever makes them.
pub type AccountId = AccountId32;

#[allow(dead_code)] // it is never made: it only has the shape
struct Runtime;

#[allow(dead_code)] // what is not run is not compiled either
fn elsewhere() -> ! {
    unreachable!("a runtime's answers come from its WebAssembly")
}

sp_api::impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> sp_version::RuntimeVersion {
            elsewhere()
        }

        fn execute_block(_: <Block as BlockT>::LazyBlock) {
            elsewhere()
        }

        fn initialize_block(_: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            elsewhere()
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            elsewhere()
        }

        fn metadata_at_version(_: u32) -> Option<OpaqueMetadata> {
            elsewhere()
        }

        fn metadata_versions() -> Vec<u32> {
            elsewhere()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(_: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            elsewhere()
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            elsewhere()
        }

        fn inherent_extrinsics(_: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            elsewhere()
        }

        fn check_inherents(
            _: <Block as BlockT>::LazyBlock,
            _: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            elsewhere()
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            _: TransactionSource,
            _: <Block as BlockT>::Extrinsic,
            _: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            elsewhere()
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(_: &<Block as BlockT>::Header) {
            elsewhere()
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(_: Vec<u8>, _: Option<Vec<u8>>) -> sp_session::OpaqueGeneratedSessionKeys {
            elsewhere()
        }

        fn decode_session_keys(_: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            elsewhere()
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(_: AccountId) -> Nonce {
            elsewhere()
        }
    }
}
