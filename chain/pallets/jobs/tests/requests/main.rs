//! Requests in the smallest runtime: whatever is asked, offered, promised and shown in whatever order, the money adds up.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test
#![allow(dead_code)] // each file takes its share of what they have in common

mod full;
mod late;
mod laws;
mod lists;
mod refused;
mod rounds;
#[path = "../conformance/runtime.rs"]
mod runtime;
mod stage;
#[path = "../../../../../crates/ledger/tests/world/mod.rs"]
mod world;

use laws::Laws;
use opensky_chain_pallet_providers as providers;
use opensky_protocol::ledger::Terms;
use proptest::prelude::*;
use runtime::{ExistentialDeposit, Runtime, audit};
use stage::{Room, Stage, Step, Way, step, way};
use world::{Party, terms};

/// The kind of step that asks for something.
const REQUEST: u8 = 20;

/// A chain with operators who can be drawn and have that way, and one request for so many results.
fn asked<R>(way: Way, replicas: u8, play: impl FnOnce(&mut Stage) -> R) -> R {
    let (mut stage, mut chain) = Stage::new(vec![way]);
    chain.execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(1)));
        // Without the requests that are in it.
        for step in Stage::beginning() {
            if step.kind != REQUEST {
                stage.play(&step);
            }
        }
        stage.play(&Step {
            kind: REQUEST,
            who: 0,
            whom: 0,
            number: replicas,
            amount: 1_000,
            wait: 0,
        });
        let answer = play(&mut stage);
        audit();
        answer
    })
}

/// What everybody does by habit while nothing else happens.
#[test]
fn honest_operators_answer_what_is_asked() {
    let (mut stage, mut chain) = Stage::new(vec![Way::Honest]);
    chain.execute_with(|| {
        providers::CurrentTerms::<Runtime>::put(terms(&Party::new(1)));
        let mut laws = Laws::new(&stage);
        for step in Stage::beginning() {
            let room = stage.play(&step);
            laws.check(&mut stage, room);
        }
        for _ in 0..12 {
            stage.block();
            laws.check(&mut stage, Room::All);
        }
        assert_eq!(laws.ended(), (2, 0));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn money_adds_up_and_only_those_who_agree_are_paid(
        existential in 1..60u128,
        ways in prop::collection::vec(way(), 64),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        ExistentialDeposit::set(existential);
        let (mut stage, mut chain) = Stage::new(ways);
        chain.execute_with(|| {
            let terms = Terms { existential, ..terms(&Party::new(1)) };
            providers::CurrentTerms::<Runtime>::put(terms);
            let mut laws = Laws::new(&stage);
            for step in Stage::beginning().iter().chain(&steps) {
                let room = stage.play(step);
                laws.check(&mut stage, room);
                audit();
            }
            stage.wait_for_all();
            for _ in 0..8 {
                stage.block();
                laws.check(&mut stage, Room::All);
                audit();
            }
            laws.check_end(&stage);
        });
    }
}
