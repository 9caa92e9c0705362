//! The real runtime in real blocks: signed transactions, inherents, hooks.

use opensky_chain_pallet_providers::{self as providers, offers};
use opensky_chain_runtime::{
    Header, Runtime, RuntimeCall, RuntimeEvent, System, TxExtension, UncheckedExtrinsic,
};
use opensky_protocol::{Digest, PriceTerms, ledger::Offered};
use parity_scale_codec::Encode as _;
use serde_json::{Map, Value};
use sp_api::runtime_decl_for_core::Core as _;
use sp_block_builder::runtime_decl_for_block_builder::BlockBuilder as _;
use sp_core::H256;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder as _;
use sp_keyring::Ed25519Keyring as Key;
use sp_runtime::{
    DispatchError,
    generic::{Era, SignedPayload},
    traits::Header as _,
};

/// A minute, in milliseconds.
pub const MINUTE: u64 = 60_000;

/// From block to block, in milliseconds.
const SLOT: u64 = 6_000;

/// A chain with rich accounts.
pub struct Chain {
    state: sp_io::TestExternalities,
    head: Header,
    /// The time of the last block, in Unix milliseconds.
    pub now: u64,
}

impl Chain {
    pub fn new() -> Self {
        // A preset names what differs from the default.
        let mut genesis = preset(Runtime::get_preset(&None));
        genesis.extend(preset(Runtime::get_preset(&Some("local".into()))));
        let genesis = serde_json::to_vec(&genesis).unwrap();
        let mut state = sp_io::TestExternalities::default();
        state.execute_with(|| Runtime::build_state(genesis).unwrap());
        let none = H256::zero();
        Self {
            state,
            head: Header::new(0, none, none, none, Default::default()),
            now: 1_800_000_000_000,
        }
    }

    /// One on which somebody keeps a program at hand, and three offer to run anything: but nobody says a word.
    pub fn keeping(program: [u8; 32]) -> Self {
        let program = Digest(program);
        let mut chain = Self::new();
        let until = chain.now + 10_000 * MINUTE;
        let offer = Offered {
            ask: PriceTerms {
                dispatch: 0,
                per_gfuel: 0,
                per_gib: 0,
            },
            memory: u64::MAX,
            fuel: u64::MAX,
        };
        for key in [Key::One, Key::Two, Key::Ferdie] {
            chain.send(
                key,
                providers::Call::bond {
                    amount: 1_000_000_000,
                },
            );
            chain.send(key, offers::Call::set_offer { offer: Some(offer) });
        }
        chain.send(Key::Two, offers::Call::pin { program, until });
        chain
    }

    /// Looks at the state, or plays what a pallet does.
    pub fn with<R>(&mut self, look: impl FnOnce() -> R) -> R {
        self.state.execute_with(look)
    }

    /// One block of one transaction, which has to succeed; answers its events.
    pub fn send(&mut self, key: Key, call: impl Into<RuntimeCall>) -> Vec<RuntimeEvent> {
        self.block(vec![(key, call.into())]).remove(0).unwrap();
        self.events()
    }

    /// One block: what became of each transaction.
    pub fn block(&mut self, calls: Vec<(Key, RuntimeCall)>) -> Vec<Result<(), DispatchError>> {
        self.now += SLOT;
        let time = pallet_timestamp::Call::set { now: self.now };
        let (number, parent) = (self.head.number + 1, self.head.hash());
        let none = H256::zero();
        let head = Header::new(number, none, none, parent, Default::default());
        let (done, head) = self.state.execute_with(|| {
            Runtime::initialize_block(&head);
            let time = UncheckedExtrinsic::new_bare(time.into());
            Runtime::apply_extrinsic(time).unwrap().unwrap();
            let calls = calls.into_iter();
            let done = calls
                .map(|(key, call)| Runtime::apply_extrinsic(signed(key, call)).unwrap())
                .collect();
            (done, Runtime::finalize_block())
        });
        self.head = head;
        done
    }

    /// What happened in the last block.
    pub fn events(&mut self) -> Vec<RuntimeEvent> {
        let records = self.with(System::events).into_iter();
        records.map(|record| record.event).collect()
    }
}

fn preset(preset: Option<Vec<u8>>) -> Map<String, Value> {
    serde_json::from_slice(&preset.unwrap()).unwrap()
}

fn signed(key: Key, call: RuntimeCall) -> UncheckedExtrinsic {
    let account = key.to_account_id();
    let extension: TxExtension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckMortality::from(Era::Immortal),
        frame_system::CheckNonce::from(System::account_nonce(&account)),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
        frame_system::WeightReclaim::new(),
    );
    let payload = SignedPayload::new(call, extension).unwrap();
    let signature = payload.using_encoded(|bytes| key.sign(bytes));
    let (call, extension, _) = payload.deconstruct();
    UncheckedExtrinsic::new_signed(call, account.into(), signature.into(), extension)
}
