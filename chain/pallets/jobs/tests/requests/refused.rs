//! What adversaries try, and what they are told.

use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate as _};
use opensky_chain_pallet_jobs::{
    beacon,
    requests::{Error, Event},
};
use opensky_chain_pallet_providers::offers;
use opensky_protocol::{
    Class, Digest, Statement,
    ledger::{Answer, AnswerStatus, Data, Stage as Phase},
};

use crate::{
    asked,
    runtime::{
        Balances, Beacon, Offers, PENALTY, Providers, Requests, Runtime, RuntimeEvent,
        RuntimeOrigin, System,
    },
    stage::{Stage, Way, id, offer, salt},
    world::{MINUTE, Party},
};

/// A chain with operators who do nothing by themselves, and one request for that many results.
pub fn scene(replicas: u8, play: impl FnOnce(&mut Stage)) {
    asked(Way::Silent, replicas, |stage| {
        while stage.seats(0).is_empty() {
            stage.block();
        }
        play(stage);
    });
}

/// What became of the request in this block.
pub fn answer() -> Option<Answer> {
    let events = System::events().into_iter().map(|record| record.event);
    let mut answers = events.filter_map(|event| match event {
        RuntimeEvent::Requests(Event::Answered { answer, .. }) => Some(answer),
        _ => None,
    });
    answers.next_back()
}

pub fn show(
    stage: &Stage,
    who: usize,
    said: &Statement,
    output: Option<Vec<u8>>,
) -> frame_support::dispatch::DispatchResultWithPostInfo {
    let party = &stage.parties[who];
    let signature = party.0.sign("opensky statement 1", said);
    Requests::show(
        RuntimeOrigin::signed(id(party)),
        stage.known[0].name,
        Box::new(said.clone()),
        signature,
        salt(party),
        output,
    )
}

/// The key of such a result says nothing of outputs: what is shown beside it could be anything.
#[test]
fn program_that_failed_has_no_output_whatever_is_shown() {
    scene(2, |stage| {
        let evil = b"evil".to_vec();
        let seats = stage.seats(0);
        let said = |stage: &Stage, who| {
            let mut said = stage.statement(who, 0, Way::Honest);
            said.class = Class::Trap;
            said.fuel = stage.known[0].asked.limits.fuel;
            said.output = Digest::of(&evil);
            said.output_len = 0;
            said.compare_key = said.key();
            said
        };
        for who in &seats {
            let hash = stage.hash(*who, 0, &said(stage, *who));
            stage.promise(*who, 0, hash);
        }
        assert!(matches!(stage.row(0).stage, Phase::Showing { .. }));
        let lies = show(stage, seats[0], &said(stage, seats[0]), Some(evil.clone()));
        assert_eq!(lies.unwrap_err().error, Error::<Runtime>::Output.into());
        for who in seats {
            assert_ok!(show(stage, who, &said(stage, who), None));
        }
        let answer = answer().unwrap();
        assert_eq!(answer.status, AnswerStatus::Result(Class::Trap));
        assert_eq!(answer.output, Data::Inline(Vec::new()));
    });
}

/// Somebody with that at stake, and nothing else that counts.
pub fn stranger(number: u8, stake: u128) -> RuntimeOrigin {
    let account = id(&Party::new(number));
    assert_ok!(Balances::mint_into(&account, 10_000));
    let origin = RuntimeOrigin::signed(account);
    assert_ok!(Providers::bond(origin.clone(), stake));
    origin
}

#[test]
fn nobody_keeps_a_program_from_being_asked_for_by_pinning_it_for_nothing() {
    scene(1, |stage| {
        let (program, until) = (Digest([99; 32]), stage.now + 60 * MINUTE);
        for number in 0..offers::MAX_HOLDERS as u8 {
            let origin = stranger(100 + number, 10);
            assert_ok!(Offers::pin(origin.clone(), program, until));
            // Half of them take back what they had at stake.
            if number % 2 == 0 {
                assert_ok!(Providers::unbond(origin, 10));
            }
        }
        // Whoever has nothing at stake makes room, and then whoever has least.
        for number in 0..offers::MAX_HOLDERS as u8 {
            assert_ok!(Offers::pin(stranger(150 + number, 11), program, until));
            crate::audit();
        }
        let full = offers::Error::<Runtime>::EnoughHolders;
        let late = stranger(200, 11);
        assert_noop!(Offers::pin(late, program, until), full);
        let displaced = RuntimeOrigin::signed(id(&Party::new(101)));
        let unpinned = offers::Error::<Runtime>::NotPinned;
        assert_noop!(Offers::unpin(displaced, program), unpinned);
        // One that holds it already says so again, whoever else does.
        assert_ok!(Offers::pin(stranger(150, 1), program, until + 1));
    });
}

#[test]
fn nobody_fills_a_round_with_operators_that_have_next_to_nothing_at_stake() {
    scene(1, |stage| {
        stage.ask_again();
        let round = beacon::Current::<Runtime>::get().unwrap().number;
        let commit = |origin| Beacon::commit(origin, round, Digest([1; 32]));
        let lists = |number, stake| {
            let origin = stranger(number, stake);
            assert_ok!(Offers::set_offer(origin.clone(), Some(offer(1))));
            origin
        };
        // It could not lose the penalty.
        let poor = commit(lists(100, PENALTY - 1));
        assert_eq!(
            poor.unwrap_err().error,
            beacon::Error::<Runtime>::NotListed.into()
        );
        for number in 0..beacon::MAX_PARTIES as u8 {
            assert_ok!(commit(lists(110 + number, PENALTY)));
        }
        assert_ok!(commit(lists(200, PENALTY + 1)));
        let full = commit(lists(201, PENALTY));
        assert_eq!(
            full.unwrap_err().error,
            beacon::Error::<Runtime>::Full.into()
        );
        let parties = beacon::Current::<Runtime>::get().unwrap().parties;
        assert_eq!(parties.len(), beacon::MAX_PARTIES as usize);
    });
}
