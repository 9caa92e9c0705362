//! What only a chain has: origins, weights, an agenda with bounds.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

#[path = "../conformance/runtime.rs"]
mod runtime;
#[path = "../../../../../crates/ledger/tests/world/mod.rs"]
mod world;

use frame_support::{
    assert_noop, assert_ok,
    traits::{Hooks as _, fungible::InspectHold as _},
    weights::Weight,
};
use opensky_chain_pallet_jobs::{
    Error, Escrows,
    weights::{Measured, WeightInfo as _},
};
use opensky_chain_pallet_providers as providers;
use opensky_protocol::{
    Digest, MerklePath, Verified,
    ledger::{Call, Consent, Terms},
};
use runtime::{Balances, Jobs, Providers, Runtime, RuntimeOrigin, System, Timestamp, audit, chain};
use sp_runtime::{AccountId32, DispatchError};
use world::{Job, MINUTE, Party, terms, unit};

/// More than one turn of the agenda has room for.
const ESCROWS: u16 = 150;

const NOON: u64 = 1_800_000_000_000;

/// A chain in which the first party has money.
fn scene(play: impl FnOnce(&Party)) {
    let ada = Party::new(1);
    let accounts = vec![(account(&ada), 1_000_000), (Jobs::pot(), 1)];
    chain(accounts).execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(5)));
        System::set_block_number(1);
        Timestamp::set_timestamp(NOON);
        play(&ada);
        audit();
    });
}

fn account(party: &Party) -> AccountId32 {
    party.account().0.into()
}

fn signed(party: &Party) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(party))
}

fn id(number: u16) -> Digest {
    Digest::of(&number.to_le_bytes())
}

/// Escrows that all end at the same time, at which it is then.
fn many(ada: &Party) {
    for number in 0..ESCROWS {
        let (id, deadline) = (id(number), NOON + MINUTE);
        assert_ok!(Jobs::open_escrow(
            signed(ada),
            id,
            ada.node(),
            100,
            deadline
        ));
    }
    Timestamp::set_timestamp(NOON + 60 * MINUTE);
}

fn held(party: &Party) -> u128 {
    Balances::total_balance_on_hold(&account(party))
}

#[test]
fn escrows_that_end_at_once_are_all_given_back() {
    scene(|ada| {
        many(ada);
        assert_eq!(held(ada), 15_000);
        Jobs::on_idle(1, Weight::MAX);
        assert_eq!(held(ada), 0);
    });
}

#[test]
fn block_with_little_room_does_a_little_and_the_next_ones_the_rest() {
    scene(|ada| {
        many(ada);
        let mut blocks = 0;
        while held(ada) > 0 {
            let before = held(ada);
            // Room for some escrows, as a busy block leaves it.
            let escrow = Measured::<Runtime>::tend_refund();
            let room = Measured::<Runtime>::tend_turn().saturating_add(escrow.saturating_mul(19));
            let used = Jobs::on_idle(1, room);
            assert!(used.all_lte(room), "{used:?}");
            let done = (before - held(ada)) / 100;
            assert!(done < 20, "{done} in one block");
            blocks += 1;
            Timestamp::set_timestamp(NOON + 60 * MINUTE + blocks * 6_000);
            assert!(blocks < 1_000, "{} are held", held(ada));
        }
        assert!(blocks > 7, "{blocks}");
        let nothing = Weight::from_parts(1, 1);
        assert!(Escrows::<Runtime>::iter_values().all(|escrow| escrow.left() == 0));
        Jobs::on_idle(1, nothing);
    });
}

#[test]
fn every_call_wants_a_signature() {
    scene(|ada| {
        let job = Job::new(Providers::ledger(), 1, ada);
        let (escrow, none) = (job.escrow, RuntimeOrigin::none);
        let bad = DispatchError::BadOrigin;
        assert_noop!(
            Jobs::open_escrow(none(), escrow, ada.node(), 1, NOON + 1),
            bad
        );
        assert_noop!(Jobs::top_up(none(), escrow, 1), bad);
        assert_noop!(Jobs::close(none(), escrow), bad);
        assert_noop!(Jobs::claim(none(), Vec::new()), bad);
        assert_noop!(Jobs::object(none(), escrow, unit(0)), bad);
        assert_noop!(Jobs::settle(none(), escrow, Vec::new()), bad);
        assert_noop!(Jobs::refund(none(), escrow), bad);
        assert_noop!(Providers::bond(none(), 1), bad);
        assert_noop!(Providers::unbond(none(), 1), bad);
        assert_noop!(Providers::withdraw(none()), bad);
        assert_noop!(Providers::revoke(none(), ada.node()), bad);
    });
}

#[test]
fn what_is_not_signed_by_whom_it_says_is_refused() {
    scene(|ada| {
        let (bob, cyd) = (Party::new(2), Party::new(3));
        let job = Job::new(Providers::ledger(), 1, ada);
        let deadline = NOON + MINUTE;
        assert_ok!(Jobs::open_escrow(
            signed(ada),
            job.escrow,
            ada.node(),
            500,
            deadline
        ));
        let Call::Claim { mut vouchers } = job.claim(&bob, 3) else {
            panic!("a claim");
        };
        vouchers[0].value.total += 1;
        let unsound = DispatchError::from(Error::<Runtime>::Unsound);
        assert_noop!(Jobs::claim(signed(ada), vouchers.clone()), unsound);
        let long = vec![job.voucher(&bob, 1); Call::MAX_VOUCHERS + 1];
        assert_noop!(Jobs::claim(signed(ada), long), unsound);
        let units = vec![unit(0); Call::MAX_UNITS + 1];
        assert_noop!(Jobs::settle(signed(ada), job.escrow, units), unsound);
        let mut consent = cyd.sign(Consent {
            ledger: Providers::ledger(),
            operator: bob.account(),
            node: cyd.node(),
        });
        consent.value.operator = ada.account();
        let unsigned = providers::Error::<Runtime>::Unsigned;
        assert_noop!(Providers::certify(signed(ada), consent), unsigned);
    });
}

#[test]
fn voucher_with_a_wrong_way_to_what_was_signed_is_refused() {
    scene(|ada| {
        let job = Job::new(Providers::ledger(), 1, ada);
        let deadline = NOON + MINUTE;
        assert_ok!(Jobs::open_escrow(
            signed(ada),
            job.escrow,
            ada.node(),
            500,
            deadline
        ));
        let operators = [2, 3, 4].map(Party::new);
        let values = operators
            .iter()
            .map(|operator| job.voucher_value(operator.account(), &[job.turn(0)]));
        let sealed = Verified::sign_all(&ada.0, values.collect()).into_iter();
        let sealed: Vec<_> = sealed.map(Verified::into_signed).collect();
        let bends: [fn(&mut MerklePath); 5] = [
            |path| path.index += 1,
            |path| path.count += 1,
            |path| path.siblings[0] = unit(9),
            |path| path.siblings.push(unit(9)),
            |path| path.siblings.clear(),
        ];
        let unsound = DispatchError::from(Error::<Runtime>::Unsound);
        for bend in bends {
            let mut bent = sealed[0].clone();
            bend(&mut bent.seal.path);
            assert_noop!(Jobs::claim(signed(ada), vec![bent]), unsound);
        }
        let mut swapped = sealed[0].clone();
        swapped.seal = sealed[1].seal.clone();
        assert_noop!(Jobs::claim(signed(ada), vec![swapped]), unsound);
        // Each is paid once, however often it is claimed.
        for _ in 0..2 {
            let claimed = [sealed.clone(), sealed.clone()].concat();
            assert_ok!(Jobs::claim(signed(ada), claimed));
            assert_eq!(held(ada), 500 - 3 * job.price);
        }
    });
}

#[test]
fn terms_are_changed_by_governance_and_let_nobody_escape_a_verdict() {
    scene(|ada| {
        let new = Terms {
            penalty: 7,
            ..terms(ada)
        };
        let by_ada = Providers::set_terms(signed(ada), new.clone());
        assert_eq!(by_ada, Err(DispatchError::BadOrigin));
        let short = Terms {
            unbonding: new.dispute_horizon(),
            ..new.clone()
        };
        let horizon = providers::Error::<Runtime>::Horizon;
        assert_noop!(Providers::set_terms(RuntimeOrigin::root(), short), horizon);
        assert_ok!(Providers::set_terms(RuntimeOrigin::root(), new.clone()));
        assert_eq!(providers::CurrentTerms::<Runtime>::get(), new);
    });
}
