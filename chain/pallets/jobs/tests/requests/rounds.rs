//! Rounds of random numbers: whoever sees them coming changes nothing about who is drawn, and nobody pays for a chain that
//! stood still.

use frame_support::assert_ok;
use opensky_chain_pallet_jobs::{
    beacon::{self, Current, Last},
    requests::Requests as Rows,
};
use opensky_chain_pallet_providers::{Operators, offers};
use opensky_protocol::{Account, Digest, ledger::Stage as Phase};

use crate::{
    asked,
    refused::stranger,
    runtime::{
        Beacon, LEAST, Offers, PENALTY, Providers, Requests, Runtime, RuntimeEvent, RuntimeOrigin,
        System, audit,
    },
    stage::{PARTIES, REQUESTERS, SLOT, Stage, Way, id, offer},
    world::MINUTE,
};

fn until(stage: &mut Stage, is_so: impl Fn(&Stage) -> bool) {
    for _ in 0..100 {
        if is_so(stage) {
            return;
        }
        stage.block();
    }
    panic!("it is never so");
}

fn reveals(_: &Stage) -> bool {
    Current::<Runtime>::get().is_some_and(|round| round.reveals)
}

/// The chain seals nothing for some time, and then one block in which nobody could know of it.
fn stand_still(stage: &mut Stage, time: u64) {
    stage.now += time;
    stage.seal();
}

fn drawn(change: impl FnOnce(&Stage)) -> Vec<Account> {
    asked(Way::Silent, 4, |stage| {
        until(stage, reveals);
        change(stage);
        until(stage, |stage| !stage.seats(0).is_empty());
        let row = stage.row(0);
        row.seats.iter().map(|seat| seat.operator).collect()
    })
}

#[test]
fn nobody_who_sees_the_numbers_coming_changes_who_is_drawn() {
    let before = drawn(|_| {});
    assert_eq!(before.len(), 4);
    for who in REQUESTERS..REQUESTERS + 7 {
        let origin = |stage: &Stage| RuntimeOrigin::signed(id(&stage.parties[who]));
        let bonds = |stage: &Stage| Providers::bond(origin(stage), 90_000).unwrap();
        assert_eq!(drawn(bonds), before, "a larger stake counts");
        let leaves = |stage: &Stage| Offers::set_offer(origin(stage), None).unwrap();
        assert_eq!(drawn(leaves), before, "who leaves is passed over");
        let dear = |stage: &Stage| {
            Offers::set_offer(origin(stage), Some(offer(255))).unwrap();
        };
        assert_eq!(drawn(dear), before, "who is dear now is passed over");
    }
    let comes = |stage: &Stage| {
        let origin = RuntimeOrigin::signed(id(&stage.parties[1]));
        assert_ok!(Providers::bond(origin.clone(), 90_000));
        assert_ok!(Offers::set_offer(origin, Some(offer(1))));
    };
    assert_eq!(drawn(comes), before, "who comes late is drawn");
}

#[test]
fn nobody_loses_anything_because_the_chain_stood_still() {
    let bonds = || -> Vec<_> { Operators::<Runtime>::iter().collect() };
    asked(Way::Honest, 4, |stage| {
        let before = bonds();
        until(stage, |_| Current::<Runtime>::exists());
        stand_still(stage, MINUTE);
        until(stage, reveals);
        stand_still(stage, MINUTE);
        until(stage, |stage| !stage.seats(0).is_empty());
        stand_still(stage, MINUTE);
        until(stage, |stage| {
            matches!(stage.row(0).stage, Phase::Showing { .. })
        });
        stand_still(stage, MINUTE);
        assert_eq!(stage.seats(0).len(), 4, "nobody was replaced");
        // And past the deadline.
        stand_still(stage, 20 * MINUTE);
        assert_eq!(Rows::<Runtime>::iter().count(), 0);
        assert_eq!(bonds(), before);
        assert_eq!(offers::Records::<Runtime>::iter().count(), 0);
        assert_eq!(beacon::Barred::<Runtime>::iter().count(), 0);
    });
}

#[test]
fn round_waits_for_everybody_on_the_roster_whoever_else_has_been_there() {
    asked(Way::Silent, 4, |stage| {
        while !Current::<Runtime>::exists() {
            stand_still(stage, SLOT);
        }
        let round = Current::<Runtime>::get().unwrap().number;
        for number in 100..110 {
            let origin = stranger(number, PENALTY);
            assert_ok!(Offers::set_offer(origin.clone(), Some(offer(1))));
            assert_ok!(Beacon::commit(origin.clone(), round, Digest([1; 32])));
            assert_ok!(Offers::set_offer(origin, None));
        }
        stand_still(stage, SLOT);
        assert!(!reveals(stage), "seven others had no time");
    });
}

#[test]
fn nobody_waits_for_long_for_who_has_too_little_left_to_take_part() {
    asked(Way::Honest, 4, |stage| {
        let origin = stranger(100, PENALTY);
        assert_ok!(Offers::set_offer(origin.clone(), Some(offer(1))));
        assert_ok!(Providers::unbond(origin.clone(), PENALTY - LEAST + 1));
        let first = Last::<Runtime>::get().round;
        until(stage, |_| Last::<Runtime>::get().round > first);
        let roster = || offers::Roster::<Runtime>::get().into_iter();
        assert!(roster().all(|listed| Offers::stake(&listed.operator) >= LEAST));
        assert_eq!(roster().count(), PARTIES - REQUESTERS);
        // It comes back with enough.
        assert_ok!(Providers::bond(origin.clone(), 1));
        assert_ok!(Offers::set_offer(origin, Some(offer(1))));
        crate::audit();
    });
}

#[test]
fn round_to_which_nobody_says_anything_comes_to_nothing() {
    asked(Way::Withholds, 4, |stage| {
        let first = Last::<Runtime>::get();
        // Nobody commits. It counts, or all would sit out for ever once all have been silent.
        while Last::<Runtime>::get().round == first.round {
            stand_still(stage, SLOT);
        }
        let before = Last::<Runtime>::get();
        assert_eq!(before.round, first.round + 1);
        assert_eq!((before.seed, before.begun), (first.seed, first.begun));
        // All commit, and nobody reveals.
        until(stage, |_| Last::<Runtime>::get().round > before.round);
        let silent = System::events().into_iter().filter(|record| {
            matches!(
                record.event,
                RuntimeEvent::Beacon(beacon::Event::Silent { .. })
            )
        });
        assert_eq!(silent.count(), 7);
        let after = Last::<Runtime>::get();
        assert_eq!((after.seed, after.begun), (before.seed, before.begun));
        assert!(Requests::is_waiting());
        assert!(stage.seats(0).is_empty());
        // The next one begins.
        for _ in 0..3 {
            stand_still(stage, SLOT);
            audit();
        }
    });
}
