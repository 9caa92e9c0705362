//! Lists that are as long as they get.

use frame_support::{
    assert_noop, assert_ok,
    storage::with_storage_layer,
    traits::{
        Hooks as _,
        fungible::{InspectHold as _, Mutate as _},
    },
    weights::Weight,
};
use opensky_chain_pallet_jobs::requests::{
    Error, MAX_OPEN, MAX_OWN, Requests as Rows, Round, Untold,
};
use opensky_chain_pallet_providers as providers;
use opensky_protocol::{
    Digest, Limits,
    ledger::{Asked, Callback, Data},
};
use sp_runtime::{AccountId32, DispatchError};

use crate::{
    runtime::{Balances, Beacon, Requests, Runtime, System, TURN, Timestamp, Told, audit},
    stage::{SLOT, Stage, Way},
    world::{MINUTE, Party, terms},
};

/// What a block of two seconds and 5 MiB has left when three quarters of it are full of transactions, and a little less.
const LEFT: Weight = Weight::from_parts(480_000_000_000, 5 << 18);

/// More than the requests and callbacks of one account cost.
const MONEY: u128 = 1_000_000_000_000_000;

/// How long each request has.
const TIME: u64 = 90 * MINUTE;

/// Blocks in which all requests that there can be are ended, or drawn for, if all are due at once and every block is
/// full.
const BLOCKS: u64 = 60;

/// A chain with operators, where as much is asked as can be.
fn full(callback: Option<Callback>, play: impl FnOnce(&mut Stage)) {
    let (mut stage, mut chain) = Stage::new(vec![Way::Honest]);
    chain.execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(1)));
        for step in Stage::beginning() {
            if step.kind != 20 {
                stage.play(&step);
            }
        }
        for number in 0..MAX_OPEN / MAX_OWN {
            let payer = payer(number);
            assert_ok!(Balances::mint_into(&payer, MONEY));
            for _ in 0..MAX_OWN {
                assert_ok!(ask(&payer, stage.now, callback));
            }
        }
        play(&mut stage);
    });
}

fn payer(number: u32) -> AccountId32 {
    let mut bytes = [0xaa; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

fn ask(payer: &AccountId32, now: u64, callback: Option<Callback>) -> Result<Digest, DispatchError> {
    let asked = Asked {
        program: Digest([0; 32]),
        input: Data::Inline(b"in".to_vec()),
        limits: Limits {
            fuel: 1_000,
            ..Limits::DEFAULT
        },
        replicas: 3,
        max_price: 900,
        deadline: now + TIME,
        callback,
    };
    // As a contract's call does it, which is taken back if it fails.
    with_storage_layer(|| Requests::place(payer.clone(), asked))
}

/// A block full of transactions, among them what makes random numbers.
fn busy(stage: &Stage) {
    System::set_block_number(System::block_number() + 1);
    System::reset_events();
    Timestamp::set_timestamp(stage.now);
    stage.make_numbers();
    let block = System::block_number();
    let used = Requests::on_idle(block, LEFT);
    assert!(used.all_lte(LEFT), "{used:?}");
    let left = LEFT.saturating_sub(used);
    let used = Beacon::on_idle(block, left);
    assert!(used.all_lte(left), "{used:?}");
}

/// Blocks until it is so.
fn until(stage: &mut Stage, is_so: impl Fn() -> bool) -> u64 {
    for blocks in 1..2_000 {
        stage.now += SLOT;
        busy(stage);
        if is_so() {
            return blocks;
        }
    }
    panic!("it is never so");
}

/// Nobody gets in any more, of those who have asked and of others; one of whom is answered.
fn refused(now: u64) -> AccountId32 {
    assert_noop!(ask(&payer(0), now, None), Error::<Runtime>::TooManyOwn);
    let stranger = payer(999);
    assert_ok!(Balances::mint_into(&stranger, MONEY));
    assert_noop!(ask(&stranger, now, None), Error::<Runtime>::TooManyOpen);
    stranger
}

#[test]
fn as_many_are_taken_as_there_is_room_for() {
    full(None, |stage| {
        let stranger = refused(stage.now);
        stage.now += TIME;
        busy(stage);
        assert_ok!(ask(&stranger, stage.now, None));
        audit();
    });
}

#[test]
fn all_end_soon_after_their_deadline_though_every_block_is_full() {
    full(None, |stage| {
        stage.now += TIME;
        let blocks = until(stage, || Rows::<Runtime>::iter().next().is_none());
        assert!(blocks <= BLOCKS, "{blocks} blocks");
        assert!(Round::<Runtime>::get().is_empty());
        for number in 0..MAX_OPEN / MAX_OWN {
            assert_eq!(Balances::total_balance_on_hold(&payer(number)), 0);
        }
        audit();
    });
}

#[test]
fn all_are_drawn_for_soon_after_there_are_random_numbers_though_every_block_is_full() {
    full(None, |stage| {
        let is_drawn = || {
            let mut rows = Rows::<Runtime>::iter_values();
            rows.all(|row| !row.seats.is_empty())
        };
        let round = 2 * TURN / SLOT + 2;
        let blocks = until(stage, is_drawn);
        assert!(blocks <= round + BLOCKS, "{blocks} blocks");
        let mut rows = Rows::<Runtime>::iter_values();
        assert!(rows.all(|row| stage.now < row.deadline));
        audit();
    });
}

#[test]
fn contracts_that_are_still_to_be_told_take_the_places_of_their_requests() {
    // What is left of a busy block is too little for that.
    let callback = Callback {
        contract: [1; 20],
        gas: LEFT.ref_time() + 1,
    };
    full(Some(callback), |stage| {
        stage.now += TIME;
        until(stage, || Rows::<Runtime>::iter().next().is_none());
        let untold = || Untold::<Runtime>::iter().count() as u32;
        assert_eq!((untold(), Told::get().len()), (MAX_OPEN, 0));
        let stranger = refused(stage.now);
        audit();
        let mut waiting: Vec<_> = Untold::<Runtime>::iter().collect();
        waiting.sort_unstable_by_key(|(number, _)| *number);
        let waiting: Vec<_> = waiting.into_iter().map(|(_, told)| told.request).collect();
        Requests::on_idle(System::block_number(), Weight::MAX);
        assert_eq!((untold(), Told::get()), (0, waiting), "each once, in order");
        assert_ok!(ask(&stranger, stage.now, None));
        assert_ok!(ask(&payer(0), stage.now, None));
        audit();
    });
}
