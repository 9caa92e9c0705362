//! What becomes of results that cannot be true: each is its provider's fault alone, and at once.

use opensky_core::{Ending, Outgoing};
use opensky_protocol::{Digest, Message, NodeKey, Reveal, SecretKey, Turn};
use opensky_simulator::{Character, Weather, orders::single};

use crate::{
    desk::{Desk, orders_to, result},
    ends, run, took, world,
};

use Character::{Copier, Honest};

const UNITS: u32 = 100;

/// Shows a hundred results of which one was made false in that way.
#[track_caller]
fn check(falsify: fn(&mut Reveal)) {
    let [one, two] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let mut desk = Desk::open(UNITS);
    desk.finds(&one);
    let drafts = orders_to(desk.says(), &one);
    assert_eq!(drafts.len(), UNITS as usize);
    let mut results: Vec<_> = drafts.iter().map(|draft| result(&one, draft)).collect();
    desk.is_promised(&one, &results);
    desk.finds(&two);
    assert!(
        orders_to(desk.says(), &two).is_empty(),
        "all units have their provider"
    );

    let place = UNITS as usize / 2;
    let bad = results[place].turn;
    falsify(&mut results[place]);
    desk.is_told(one.node(), Message::Reveal(results));

    let (mut paid, mut refused, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for (to, message) in desk.says() {
        match message {
            Outgoing::Settle {
                paid: some,
                refused: others,
                ..
            } => {
                paid.extend(some);
                refused.extend(others);
            }
            Outgoing::Assign(drafts) => {
                let turns = drafts.iter().map(|draft| Turn::from(&draft.assignment));
                again.extend(turns.map(|turn| (to, turn)));
            }
            other => panic!("it has nothing else to say: {other:?}"),
        }
    }
    assert_eq!(paid.len(), UNITS as usize - 1);
    assert_eq!(refused, [bad]);
    let next = Turn { attempt: 1, ..bad };
    assert_eq!(again, [(two.node(), next)], "somebody else runs it at once");
    let known = desk.broker.standing(&one.node().into());
    assert_eq!(known[0].1.faults, 1);
    let units = desk.broker.units(&desk.job);
    let turns = units.iter().flat_map(|unit| &unit.seats);
    let told = turns.filter(|turn| turn.state == "showed a result that cannot be true");
    assert_eq!(told.count(), 1);
}

#[test]
fn one_false_result_of_a_hundred_costs_its_provider_that_turn_and_no_other() {
    check(|reveal| reveal.signature.0[5] ^= 1);
    check(|reveal| reveal.statement.fuel += 1);
    check(|reveal| reveal.statement.node = NodeKey([8; 32]));
    check(|reveal| reveal.outputs.0.clear());
    // It holds, and is not what was promised.
    check(|reveal| reveal.salt = Digest([4; 32]));
}

#[test]
fn false_result_that_nobody_asked_for_changes_nothing() {
    let one = SecretKey::from_seed(&[1; 32]);
    let mut desk = Desk::open(UNITS);
    desk.finds(&one);
    let drafts = orders_to(desk.says(), &one);
    let mut shown = result(&one, &drafts[0]);
    shown.statement.fuel += 1;
    let foreign = Turn {
        job: Digest([1; 32]),
        ..shown.turn
    };
    let other = Reveal {
        turn: foreign,
        ..shown.clone()
    };
    desk.is_told(one.node(), Message::Reveal(vec![shown.clone(), other]));
    // Nor if another says it of a turn that is not its own.
    let two = SecretKey::from_seed(&[2; 32]);
    desk.is_told(two.node(), Message::Reveal(vec![shown]));
    assert!(desk.says().is_empty());
    let known = desk.broker.standing(&one.node().into());
    assert!(known.is_empty(), "{known:?}");
}

#[test]
fn whoever_shows_what_it_has_not_promised_holds_no_job_up() {
    for nonce in 1..8 {
        let order = single(nonce);
        let world = run(
            world(nonce, Weather::CALM, &[Copier, Honest, Honest, Honest]),
            vec![order.clone()],
        );
        ends(&world, &order, Ending::Done);
        let took = took(&world);
        assert!(took < 5_000, "the job took {took} ms");
    }
}
