//! What adversaries try, and what they are told.

use frame_support::assert_ok;
use opensky_chain_pallet_jobs::requests::{Error, Event};
use opensky_chain_pallet_providers as providers;
use opensky_protocol::{
    Class, Digest, Statement,
    ledger::{Answer, AnswerStatus, Data, Stage as Phase},
};

use crate::{
    runtime::{Requests, Runtime, RuntimeEvent, RuntimeOrigin, System},
    stage::{Stage, Step, Way, id, salt},
    world::{Party, terms},
};

/// A chain with operators who do nothing by themselves, and one request for that many results.
fn scene(replicas: u8, play: impl FnOnce(&mut Stage)) {
    let (mut stage, mut chain) = Stage::new(vec![Way::Silent]);
    chain.execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(1)));
        for step in Stage::beginning() {
            if step.kind != 20 {
                stage.play(&step);
            }
        }
        stage.play(&Step {
            kind: 20,
            who: 0,
            whom: 0,
            number: replicas,
            amount: 1_000,
            wait: 0,
        });
        while stage.seats(0).is_empty() {
            stage.block();
        }
        play(&mut stage);
        crate::audit();
    });
}

/// What became of the request in this block.
fn answer() -> Option<Answer> {
    let events = System::events().into_iter().map(|record| record.event);
    let mut answers = events.filter_map(|event| match event {
        RuntimeEvent::Requests(Event::Answered { answer, .. }) => Some(answer),
        _ => None,
    });
    answers.next_back()
}

fn show(
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
