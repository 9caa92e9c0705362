//! Seats that were put out: what comes from them is too late.

use frame_support::{assert_noop, assert_ok};
use opensky_chain_pallet_jobs::requests::{Error, Requests as Rows};
use opensky_chain_pallet_providers::offers::Records;
use opensky_protocol::ledger::Stage as Phase;

use crate::{
    refused::{answer, scene, show},
    runtime::Runtime,
    stage::{Stage, Way, id},
};

fn promise(stage: &Stage, who: usize) {
    let hash = stage.hash(who, 0, &stage.statement(who, 0, Way::Honest));
    stage.promise(who, 0, hash);
}

fn until(stage: &mut Stage, is_it: impl Fn(&Phase) -> bool) {
    while !is_it(&stage.row(0).stage) {
        stage.block();
    }
}

/// More than are asked for would agree, and somebody would have to pay them.
#[test]
fn whoever_was_put_out_shows_nothing_any_more() {
    scene(2, |stage| {
        let honest = |stage: &Stage, who| stage.statement(who, 0, Way::Honest);
        let [sulks, other] = stage.seats(0)[..] else {
            panic!("there are not two");
        };
        promise(stage, sulks);
        promise(stage, other);
        until(stage, |phase| matches!(phase, Phase::Showing { .. }));
        assert_ok!(show(stage, other, &honest(stage, other), None));
        // Another one is drawn in its place.
        until(stage, |phase| matches!(phase, Phase::Promising { .. }));
        let third = stage.seats(0)[2];
        promise(stage, third);
        until(stage, |phase| matches!(phase, Phase::Showing { .. }));
        assert_noop!(
            show(stage, sulks, &honest(stage, sulks), None),
            Error::<Runtime>::Again
        );
        assert_ok!(show(stage, third, &honest(stage, third), None));
        while Rows::<Runtime>::contains_key(stage.known[0].name) {
            stage.block();
        }
        let answer = answer().unwrap();
        assert_eq!((answer.agreed, answer.asked), (2, 3));
        let record = Records::<Runtime>::get(id(&stage.parties[sulks]));
        assert_eq!((record.agreed, record.missed), (0, 1));
    });
}
