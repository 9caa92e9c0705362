//! What is wrong with requests, offers and the beacon is found out, too.

use frame_support::{
    BoundedVec, assert_ok,
    traits::{TryState as _, TryStateSelect, fungible::MutateHold as _},
};
use opensky_chain_pallet_jobs::{
    beacon::{Barred, Current, Last, Round as Draw},
    requests::{
        Asks, Drawing, HoldReason, Outputs, Own, Placed, Requests as Rows, Round, Told, Untold,
        UntoldEnds,
    },
};
use opensky_chain_pallet_providers::{
    self as providers,
    offers::{Holders, Pins, Roster},
};
use opensky_protocol::{
    Digest,
    ledger::{Answer, Moment, Refund, Request, Stage as Phase},
};
use sp_runtime::{AccountId32, TryRuntimeError};

use crate::{
    runtime::{AllPalletsWithSystem, Balances, Beacon, Runtime, RuntimeOrigin, audit},
    stage::{SLOT, Stage, Step, Way, id},
    world::{Party, terms},
};

const OTHER: Digest = Digest([200; 32]);
const SOON: Moment = Moment { time: 1, block: 1 };

/// What a state is found out for, after it has been broken: one of two that have a seat has shown its result, and a round
/// of the beacon has begun, to which all have committed.
fn found(breaks: impl FnOnce(&Stage, Digest)) -> Result<(), TryRuntimeError> {
    let (mut stage, mut chain) = Stage::new(vec![Way::Honest]);
    chain.execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(1)));
        for step in Stage::beginning() {
            if step.kind != 20 {
                stage.play(&step);
            }
        }
        let ask = Step {
            kind: 20,
            who: 0,
            whom: 0,
            number: 2,
            amount: 1_000,
            wait: SLOT,
        };
        stage.play(&ask);
        while stage.row(0).seats.is_empty() {
            stage.block();
        }
        let seats = stage.seats(0);
        for who in &seats {
            let hash = stage.hash(*who, 0, &stage.statement(*who, 0, Way::Honest));
            stage.promise(*who, 0, hash);
        }
        let said = stage.statement(seats[0], 0, Way::Honest);
        stage.show(seats[0], 0, said);
        // Somebody else waits for a contract to be told, and for a committee.
        stage.play(&Step {
            kind: 21,
            ..ask.clone()
        });
        let number = Current::<Runtime>::get().unwrap().number;
        for party in &stage.parties[2..4] {
            let origin = RuntimeOrigin::signed(id(party));
            assert_ok!(Beacon::commit(origin, number, OTHER));
        }
        audit();
        breaks(&stage, stage.known[0].name);
        AllPalletsWithSystem::try_state(1, TryStateSelect::All)
    })
}

/// After one of the request's rows has been changed.
fn row(change: impl Fn(&mut Request)) -> Result<(), TryRuntimeError> {
    found(|_, name| Rows::<Runtime>::mutate(name, |row| change(row.as_mut().unwrap())))
}

fn round(change: impl Fn(&mut Draw)) -> Result<(), TryRuntimeError> {
    found(|_, _| Current::<Runtime>::mutate(|round| change(round.as_mut().unwrap())))
}

#[test]
fn request_that_is_not_what_was_asked_is_found() {
    assert_eq!(row(|_| {}), Ok(()));
    row(|row| row.price += 1).unwrap_err();
    row(|row| row.gas += 1).unwrap_err();
    row(|row| row.deadline += 1).unwrap_err();
    row(|row| row.unit = OTHER).unwrap_err();
    row(|row| row.stage = Phase::Showing { until: SOON }).unwrap_err();
    row(|row| row.seats.clear()).unwrap_err();
    row(|row| row.seats.push(row.seats[0].clone())).unwrap_err();
    row(|row| row.seats[0].promise = None).unwrap_err();
    row(|row| row.seats[0].ask.dispatch = 501).unwrap_err();
    row(|row| row.payer = Party::new(2).account()).unwrap_err();
}

#[test]
fn rows_of_requests_that_belong_to_nothing_are_found() {
    found(|_, name| Rows::<Runtime>::remove(name)).unwrap_err();
    found(|_, name| Asks::<Runtime>::remove(name)).unwrap_err();
    found(|_, _| Round::<Runtime>::kill()).unwrap_err();
    found(|_, _| Round::<Runtime>::mutate(|open| open[0].deadline += 1)).unwrap_err();
    found(|_, _| Round::<Runtime>::mutate(|open| open[1] = open[0])).unwrap_err();
    found(|_, _| Drawing::<Runtime>::mutate(|drawing| *drawing += 1)).unwrap_err();
    found(|_, _| Placed::<Runtime>::kill()).unwrap_err();
    let output = BoundedVec::truncate_from(vec![7]);
    found(|_, name| Outputs::<Runtime>::insert(name, OTHER, output.clone())).unwrap_err();
    found(|_, name| {
        let (key, _) = Outputs::<Runtime>::iter_prefix(name).next().unwrap();
        Outputs::<Runtime>::insert(name, key, output.clone());
    })
    .unwrap_err();
    found(|_, _| Outputs::<Runtime>::insert(OTHER, OTHER, output.clone())).unwrap_err();
    found(|stage, _| Own::<Runtime>::insert(id(&stage.parties[0]), 3)).unwrap_err();
    found(|_, _| UntoldEnds::<Runtime>::put((0, 1))).unwrap_err();
    found(|stage, request| {
        let told = Told {
            payer: id(&stage.parties[0]),
            contract: [1; 20],
            gas: 0,
            held: 0,
            request,
            answer: Answer::refunded(Refund::Deadline, 0),
        };
        Untold::<Runtime>::insert(5, told);
    })
    .unwrap_err();
}

#[test]
fn money_that_is_held_for_no_request_is_found() {
    let broken = found(|stage, _| {
        let reason = HoldReason::Request.into();
        assert_ok!(Balances::hold(&reason, &id(&stage.parties[0]), 1));
    });
    broken.unwrap_err();
}

#[test]
fn round_that_is_not_the_next_one_is_found() {
    assert_eq!(round(|_| {}), Ok(()));
    round(|round| round.number += 1).unwrap_err();
    round(|round| round.begun = u32::MAX).unwrap_err();
    round(|round| round.until.time = u64::MAX).unwrap_err();
    round(|round| round.until.block = u32::MAX).unwrap_err();
    round(|round| round.reveals = true).unwrap_err();
    round(|round| {
        let party = round.parties[0].clone();
        round.parties.try_push(party).unwrap();
    })
    .unwrap_err();
    let reveals = |round: &mut Draw| round.parties[0].secret = Some(OTHER);
    round(reveals).unwrap_err();
    round(|round| {
        round.reveals = true;
        reveals(round);
    })
    .unwrap_err();
    found(|_, _| Last::<Runtime>::mutate(|last| last.begun = u32::MAX)).unwrap_err();
    let (account, far) = (AccountId32::from([1; 32]), u64::MAX);
    found(|_, _| Barred::<Runtime>::insert(account, far)).unwrap_err();
}

#[test]
fn offers_and_pins_that_do_not_fit_are_found() {
    let program = Digest([0; 32]);
    found(|_, _| {
        Roster::<Runtime>::mutate(|roster| {
            let first = roster[0];
            roster.try_push(first).unwrap();
        });
    })
    .unwrap_err();
    found(|_, _| Holders::<Runtime>::remove(program)).unwrap_err();
    found(|_, _| Holders::<Runtime>::insert(OTHER, BoundedVec::default())).unwrap_err();
    found(|_, _| Holders::<Runtime>::mutate(program, |holders| holders[0].1 = u64::MAX))
        .unwrap_err();
    found(|_, _| Holders::<Runtime>::mutate(program, |holders| holders[1] = holders[0]))
        .unwrap_err();
    let first = |stage: &Stage| id(&stage.parties[2]);
    found(|stage, _| Pins::<Runtime>::remove(first(stage))).unwrap_err();
    found(|stage, _| Pins::<Runtime>::insert(first(stage), BoundedVec::default())).unwrap_err();
    found(|stage, _| {
        Pins::<Runtime>::mutate(first(stage), |pins| pins.try_push(OTHER)).unwrap();
    })
    .unwrap_err();
}
