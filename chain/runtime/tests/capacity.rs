//! What one block has room for.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

use frame_support::{dispatch::DispatchClass, traits::fungible::Mutate as _, weights::Weight};
use opensky_chain_pallet_jobs::{
    self as jobs,
    beacon::{self, WeightInfo as _},
    requests::{self, CallBack as _, WeightInfo as _},
    weights::WeightInfo as _,
};
use opensky_chain_pallet_providers::offers::{self, WeightInfo as _};
use opensky_chain_runtime::{
    AccountId, Address, Balances, Jobs, Providers, Runtime, RuntimeCall, RuntimeOrigin, Signature,
    System, TxExtension, UncheckedExtrinsic, contracts::OpenSky,
};
use opensky_protocol::{
    Account, Digest, SecretKey, Signed, Verified, Voucher,
    ledger::{Call, Showing},
};
use sp_api::runtime_decl_for_core::Core as _;
use sp_block_builder::runtime_decl_for_block_builder::BlockBuilder as _;
use sp_core::{Encode as _, Pair as _};
use sp_inherents::InherentData;
use sp_keyring::Ed25519Keyring;
use sp_runtime::{
    BuildStorage as _,
    generic::{Era, SignedPayload},
    traits::Header as _,
};

type Cost = jobs::weights::Measured<Runtime>;
type OfRequests = requests::weights::Measured<Runtime>;
type OfBeacon = beacon::weights::Measured<Runtime>;
type OfOffers = offers::weights::Measured<Runtime>;

const REQUESTERS: u8 = 100;
const PROVIDERS: u8 = 20;
/// What each provider has done for each requester.
const UNITS: u128 = 50;
const PRICE: u128 = 1_000_000;
const NOON: u64 = 1_800_000_000_000;

/// The first block after a genesis in which Alice has money.
fn scene(play: impl FnOnce()) {
    let alice = Ed25519Keyring::Alice.to_account_id();
    let genesis = opensky_chain_runtime::RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: vec![(alice, 1_000_000_000_000_000)],
            ..Default::default()
        },
        ..Default::default()
    };
    let mut chain = sp_io::TestExternalities::from(genesis.build_storage().unwrap());
    chain.execute_with(|| {
        let header = opensky_chain_runtime::Header::new(
            1,
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
        );
        Runtime::initialize_block(&header);
        let mut data = InherentData::new();
        data.put_data(*b"timstap0", &NOON).unwrap();
        for inherent in Runtime::inherent_extrinsics(data) {
            Runtime::apply_extrinsic(inherent).unwrap().unwrap();
        }
        play();
    });
}

fn requester(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number + 1; 32])
}

fn provider(number: u8) -> AccountId {
    SecretKey::from_seed(&[number + 101; 32]).node().0.into()
}

/// An escrow with enough for all providers.
fn open(number: u8) -> Digest {
    let (requester, escrow) = (requester(number), Digest([number; 32]));
    let account = AccountId::from(requester.node().0);
    let amount = UNITS * PRICE * u128::from(PROVIDERS);
    Balances::mint_into(&account, 2 * amount).unwrap();
    let origin = RuntimeOrigin::signed(account);
    Jobs::open_escrow(origin, escrow, requester.node(), amount, NOON + 60_000).unwrap();
    escrow
}

fn voucher(number: u8, operator: &AccountId) -> Signed<Voucher> {
    let requester = requester(number);
    let extend =
        |root, unit: u128| Voucher::extend(&root, &Digest::derive("test unit 1", &unit), 0, PRICE);
    let voucher = Voucher {
        ledger: Providers::ledger(),
        escrow: Digest([number; 32]),
        requester: requester.node(),
        operator: Account((*operator).clone().into()),
        total: UNITS * PRICE,
        turns: UNITS as u64,
        root: (0..UNITS).fold(Voucher::START, extend),
    };
    Verified::sign(&requester, voucher).into_signed()
}

/// A transaction of Alice.
fn transaction(call: RuntimeCall, nonce: u32) -> UncheckedExtrinsic {
    let extension: TxExtension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckMortality::from(Era::Immortal),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
        frame_system::WeightReclaim::new(),
    );
    let alice = Ed25519Keyring::Alice;
    let payload = SignedPayload::new(call.clone(), extension.clone()).unwrap();
    let signature = payload.using_encoded(|bytes| alice.pair().sign(bytes));
    let address = Address::Id(alice.to_account_id());
    UncheckedExtrinsic::new_signed(call, address, Signature::Ed25519(signature), extension)
}

/// What transactions of all may weigh together.
fn room() -> Weight {
    let weights = <Runtime as frame_system::Config>::BlockWeights::get();
    weights.get(DispatchClass::Normal).max_total.unwrap()
}

#[test]
fn one_block_settles_a_hundred_thousand_units() {
    scene(|| {
        let providers: Vec<_> = (0..PROVIDERS).map(provider).collect();
        let pairs = (0..REQUESTERS).flat_map(|number| {
            open(number);
            providers
                .iter()
                .map(move |provider| voucher(number, provider))
        });
        let vouchers: Vec<_> = pairs.collect();
        assert!(vouchers.len() as u128 * UNITS >= 100_000);
        for (nonce, claim) in vouchers.chunks(Call::MAX_VOUCHERS).enumerate() {
            let vouchers = claim.to_vec();
            let call = RuntimeCall::Jobs(jobs::Call::claim { vouchers });
            let done = Runtime::apply_extrinsic(transaction(call, nonce as u32));
            done.unwrap().unwrap();
        }
        let used = *System::block_weight().get(DispatchClass::Normal);
        assert!(used.all_lte(room()), "{used:?} of {:?}", room());
        for provider in &providers {
            let earned = UNITS * PRICE * u128::from(REQUESTERS);
            assert_eq!(Balances::free_balance(provider), earned);
        }
    });
}

/// Each with the longest lists that it takes, and what the chain does by itself for the longest of its own.
#[test]
fn whatever_is_due_fits_into_a_block() {
    let longest = |number: usize| number as u32;
    let (vouchers, evidence) = (longest(Call::MAX_VOUCHERS), longest(Showing::MAX_EVIDENCE));
    let claim = Cost::claim(vouchers).saturating_add(Cost::claim_of_operators(vouchers));
    let opened = Cost::show_opened(longest(Showing::MAX_OPENED));
    let show = Cost::show(evidence).saturating_add(opened);
    let settle = Cost::settle(longest(Call::MAX_UNITS));
    let tend = Cost::tend_turn()
        .saturating_add(Cost::tend_cases(longest(jobs::LOOKED_AT)))
        .saturating_add(Cost::settle(1));
    let end = OfRequests::end(requests::MEMBERS);
    for (name, weight) in [
        ("claim", claim),
        ("show", show),
        ("settle", settle),
        ("tend", tend),
        ("request", OfRequests::request()),
        (
            "promise",
            OfRequests::promise().saturating_add(OfRequests::go_on()),
        ),
        ("show a result", OfRequests::show().saturating_add(end)),
        ("commit", OfBeacon::commit()),
        ("reveal", OfBeacon::reveal()),
        ("offer", OfOffers::set_offer()),
        ("pin", OfOffers::pin()),
        ("unpin", OfOffers::unpin()),
    ] {
        assert!(weight.all_lte(room()), "{name}: {weight:?} of {:?}", room());
    }
}

/// Each step at its worst, so that nothing waits for ever while every block is full of transactions.
#[test]
fn whatever_the_chain_does_by_itself_fits_beside_a_block_full_of_transactions() {
    let weights = <Runtime as frame_system::Config>::BlockWeights::get();
    let left = weights.max_block.saturating_sub(room());
    let left = left.saturating_sub(weights.base_block);
    let end = OfRequests::end(requests::MEMBERS);
    let tend = OfRequests::tend();
    let draw = OfRequests::tend_roster().saturating_add(OfRequests::draw());
    let called = OpenSky::weight(1_250_000);
    for (name, weight) in [
        ("end", tend.saturating_add(end)),
        ("draw", tend.saturating_add(draw).saturating_add(end)),
        (
            "tell",
            tend.saturating_add(OfRequests::tell())
                .saturating_add(called),
        ),
        (
            "round",
            OfBeacon::go_on().saturating_add(OfBeacon::end(beacon::MAX_PARTIES)),
        ),
    ] {
        assert!(weight.all_lte(left), "{name}: {weight:?} of {left:?}");
    }
}
