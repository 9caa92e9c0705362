//! What others cannot take from whoever keeps to the rules.

use opensky_core::{Ending, Event, JobState, Plan, Policy, Replicas, Submission, Time};
use opensky_protocol::ledger::Terms;
use opensky_simulator::{
    BEGIN, Broken, Character, Weather, World,
    orders::{self, map_reduce, single},
};

use crate::{HOUR, MONEY, auto, ends, haunted, paid_to_honest, run, world};

use Character::{Honest, Impostor, Lapsing, Liar, Padder, Ring, Silent};

/// Every order's providers have got what their work is worth, and there was some.
#[track_caller]
fn all_are_paid(world: &World, orders: &[Submission]) {
    for order in orders {
        let (paid, worth) = paid_to_honest(world, order);
        assert!(worth > 0);
        assert_eq!(paid, worth);
    }
}

fn some_orders() -> Vec<Submission> {
    (1..4).map(|nonce| map_reduce(nonce, 6, 2, false)).collect()
}

#[test]
fn requester_that_does_not_say_that_it_has_closed_its_escrow_pays_all_the_same() {
    let orders = some_orders();
    let providers = haunted(Character::Quiet, &[Honest; 3]);
    let world = run(providers, orders.clone());
    all_are_paid(&world, &orders);
}

#[test]
fn requester_that_says_over_and_leaves_its_escrow_open_pays_all_the_same() {
    let orders = some_orders();
    let providers = haunted(Character::Sulky, &[Honest; 3]);
    let world = run(providers, orders.clone());
    all_are_paid(&world, &orders);
}

#[test]
fn whoever_hides_what_it_was_asked_to_show_takes_its_share_of_an_escrow_and_no_more() {
    let orders = (1..10).map(|nonce| Submission {
        replicas: Replicas::Fixed(1),
        replica_cap: 1,
        ..single(nonce)
    });
    let orders: Vec<_> = orders.collect();
    let providers = haunted(Character::Quiet, &[Character::Hiding, Honest]);
    let world = run(providers, orders.clone());
    let shares = orders.iter().map(|order| {
        let (paid, worth) = paid_to_honest(&world, order);
        assert!(paid == worth || paid == worth / 2, "{paid} of {worth}");
        paid < worth
    });
    assert!(shares.filter(|is_shared| *is_shared).count() > 0);
}

#[test]
fn escrow_that_is_too_small_is_paid_out_whole() {
    let mut order = map_reduce(1, 24, 2, false);
    order.replica_cap = 2;
    let world = run(
        haunted(Character::Pauper, &[Honest; 3]),
        vec![order.clone()],
    );
    let id = order.id(&world.nodes[0].who);
    let (paid, worth) = paid_to_honest(&world, &order);
    let escrow = world.bank.escrow(&id).unwrap();
    assert!(
        worth > escrow.locked,
        "it orders more than it has set aside"
    );
    assert_eq!((paid, escrow.refunded), (escrow.locked, 0));
}

#[test]
fn orders_in_the_name_of_others_jobs_take_nothing_from_whoever_works_for_these() {
    for requester in [Honest, Character::Stingy] {
        let mut world = haunted(requester, &[Honest; 4]);
        world.join(Character::Stranger, None, MONEY);
        world.join(Character::Stranger, None, MONEY);
        let mut orders = some_orders();
        orders.extend((10..30).map(single));
        let world = run(world, orders.clone());
        for order in &orders {
            ends(&world, order, Ending::Done);
            let (paid, _) = paid_to_honest(&world, order);
            assert!(paid > 0, "what it is worth is looked at in every world");
        }
    }
}

#[test]
fn whoever_says_that_its_output_is_longer_is_caught_and_gets_nothing() {
    let orders: Vec<_> = (1..6).map(single).collect();
    let world = run(
        world(3, Weather::CALM, &[Padder, Honest, Honest]),
        orders.clone(),
    );
    let padder = world.nodes[1].who.operator;
    assert!(world.faults(0, &padder) > 0);
    for order in &orders {
        ends(&world, order, Ending::Done);
        let id = order.id(&world.nodes[0].who);
        assert_eq!(world.bank.paid(&id, &padder), 0);
    }
}

#[test]
fn job_says_how_many_of_those_it_asked_agree_and_who_was_wrong() {
    let mut order = single(1);
    (order.replicas, order.replica_cap) = (Replicas::Fixed(3), 6);
    let world = run(
        world(3, Weather::CALM, &[Honest, Liar(1), Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    let id = order.id(&world.nodes[0].who);
    let job = world.nodes[0].participant.job(&id).unwrap();
    assert_eq!((job.verified, job.verified_of), (2, 3));
    assert_eq!((job.wrong, job.compared), (1, 3));
    assert_eq!(job.caught, [world.nodes[2].who.node].into());
}

#[test]
fn as_many_agree_as_were_asked_where_somebody_else_can_be() {
    let orders = (1..12).map(|nonce| Submission {
        replicas: Replicas::Fixed(3),
        replica_cap: 6,
        ..single(nonce)
    });
    let orders: Vec<_> = orders.collect();
    let providers = [Honest, Liar(1), Honest, Honest];
    let world = run(world(3, Weather::CALM, &providers), orders.clone());
    let jobs = orders.iter().map(|order| {
        let id = order.id(&world.nodes[0].who);
        world.nodes[0].participant.job(&id).unwrap()
    });
    let jobs: Vec<_> = jobs.collect();
    assert!(jobs.iter().all(|job| job.verified == 3), "{jobs:?}");
    assert!(jobs.iter().any(|job| job.wrong > 0));
}

#[test]
fn those_who_answer_decide_where_nobody_else_is_there() {
    let cases: [(&[_], u8, u8); 3] = [
        (&[Honest, Honest, Honest], 4, 3),
        (&[Honest, Honest, Silent, Honest], 4, 3),
        (&[Honest, Silent, Honest], 3, 2),
    ];
    for (providers, asked, verified) in cases {
        let order = Submission {
            replicas: Replicas::Fixed(asked),
            replica_cap: 6,
            ..single(1)
        };
        let id = order.id(&world(1, Weather::CALM, providers).nodes[0].who);
        let world = run(world(1, Weather::CALM, providers), vec![order]);
        let job = world.nodes[0].participant.job(&id).unwrap();
        assert_eq!(job.state, JobState::Over(Ending::Done), "{job:?}");
        assert_eq!(
            (job.verified, job.verified_of),
            (verified, asked.into()),
            "{job:?}"
        );
    }
}

#[test]
fn whoever_was_caught_is_not_asked_again_while_others_can_be() {
    for seed in 0..8 {
        let providers = [Honest, Honest, Liar(1), Honest];
        let mut world = world(seed, Weather::CALM, &providers);
        for nonce in 1..12 {
            let mut order = single(nonce);
            (order.replicas, order.replica_cap) = (Replicas::Fixed(3), 6);
            order.deadline = Time(world.now.0 + HOUR);
            world.submit(0, order);
            world.run(Time(world.now.0 + HOUR / 60)).unwrap();
        }
        assert!(world.nodes[3].runs <= 1, "with seed {seed}");
    }
}

#[test]
fn result_of_fewer_than_were_asked_is_not_said_to_be_of_as_many() {
    let mut order = single(1);
    (order.replicas, order.replica_cap) = (Replicas::Fixed(3), 6);
    let world = run(
        world(3, Weather::CALM, &[Honest, Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    let id = order.id(&world.nodes[0].who);
    let job = world.nodes[0].participant.job(&id).unwrap();
    assert_eq!((job.verified, job.verified_of, job.wrong), (2, 3, 0));
}

#[test]
fn claim_for_another_result_than_the_agreed_one_is_objected_to() {
    let orders: Vec<_> = (1..20).map(single).collect();
    let world = run(haunted(Honest, &[Honest, Honest, Liar(1), Honest]), orders);
    let books = world.bank.books();
    let bond = |place: usize| {
        let operator = books.operator(&world.nodes[place].who.operator);
        operator.at_stake()
    };
    assert!(world.laws.objections > 0);
    assert!(bond(3) < bond(1), "the liar loses some of its bond");
    let [first, second, third] = [1, 2, 4].map(bond);
    assert!(first == second && second == third);
}

#[test]
fn whoever_borrows_a_name_does_not_harm_it() {
    let order = map_reduce(1, 60, 2, false);
    let world = run(
        world(3, Weather::CALM, &[Honest, Honest, Honest, Impostor]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    let impostor = &world.nodes[4];
    assert_eq!(impostor.who.operator, world.nodes[1].who.operator);
    assert_eq!(
        (impostor.runs, world.faults(0, &impostor.who.operator)),
        (0, 0)
    );
}

#[test]
fn whoever_comes_late_is_audited_like_others() {
    let providers = [Honest, Honest, Lapsing(40), Honest];
    let mut world = world(7, Weather::CALM, &providers);
    world.submit(0, auto(map_reduce(1, 160, 1, false)));
    world.run(Time(BEGIN.0 + HOUR / 6)).unwrap();
    let late = world.nodes[3].who.operator;
    assert!(world.nodes[3].runs >= 40, "it is known by now");
    // Nobody else is there while it is asked.
    let mut nothing = orders::terms();
    nothing.capacity.cores = 0;
    for place in [1, 2, 4] {
        world.later(place, 1, Event::Capacity(Box::new(nothing.clone())));
        let terms = Box::new(orders::terms());
        world.later(place, HOUR / 3, Event::Capacity(terms));
    }
    world.run(Time(world.now.0 + 1_000)).unwrap();
    let mut order = auto(map_reduce(2, 60, 1, false));
    order.deadline = Time(world.now.0 + 2 * HOUR);
    let world = run(world, vec![order]);
    assert!(world.faults(0, &late) > 0, "it ran {}", world.nodes[3].runs);
}

/// Whatever is under way when a job is cancelled and its requester's process ends.
#[test]
fn cancelled_job_ends_although_its_requester_restarts_right_then() {
    for step in (0..120).step_by(5) {
        let order = map_reduce(1, 12, 2, true);
        let mut world = World::new(step, Weather::CALM, Policy::default(), Terms::DEVELOPMENT);
        world.laws.is_thorough = true;
        world.join(Honest, None, MONEY);
        for _ in 0..3 {
            world.join(Honest, Some(orders::terms()), MONEY);
        }
        let id = world.submit(0, order.clone());
        let at = 20 + 2 * step;
        world.later(0, at, Event::Cancelled(id));
        world.leave(0, at + step % 7, Some(500));
        world.run(Time(BEGIN.0 + HOUR / 30)).unwrap();
        let state = world.ending(&id);
        assert_eq!(state, Some(&JobState::Over(Ending::Cancelled)), "at {at}");
        let held = world.run(Time(BEGIN.0 + 3 * HOUR));
        held.and_then(|()| world.conclude()).unwrap();
    }
}

#[test]
fn strangers_whose_hosts_fail_end_no_job_that_somebody_known_can_run() {
    let mut world = world(5, Weather::CALM, &[Honest, Honest]);
    world.submit(0, single(1));
    world.run(Time(BEGIN.0 + HOUR / 60)).unwrap();
    for _ in 0..2 {
        let mut bait = orders::terms();
        bait.ask.dispatch = 0;
        bait.ask.per_gfuel = 0;
        bait.speed = u64::MAX;
        world.join(Character::Failing, Some(bait), MONEY);
    }
    world.run(Time(world.now.0 + HOUR / 60)).unwrap();
    let order = single(2);
    let world = run(world, vec![order.clone()]);
    assert_eq!([3, 4].map(|place: usize| world.nodes[place].runs), [1, 1]);
    ends(&world, &order, Ending::Done);
}

#[test]
fn job_whose_order_fits_into_no_message_is_refused() {
    let world = |names: usize| {
        let mut order = single(1);
        let Plan::Single(work) = &mut order.plan else {
            unreachable!()
        };
        let input = work.inputs.values().next().copied().unwrap();
        let names = (0..names).map(|name| (format!("{name:0>250}"), input));
        work.inputs.extend(names);
        order.deadline = Time(BEGIN.0 + HOUR / 60);
        let mut world = world(1, Weather::CALM, &[Honest; 2]);
        world.submit(0, order);
        world.run(Time(BEGIN.0 + HOUR / 30))
    };
    assert_eq!(world(10_000), Ok(()));
    let refused = world(20_000);
    assert!(matches!(refused, Err(Broken::Refused(..))), "{refused:?}");
}

/// Of one mind, and neither they nor the others are known at first.
#[test]
fn two_liars_of_one_mind_outvote_nobody_of_seven() {
    let mut orders: Vec<_> = (1..40).map(single).collect();
    for order in &mut orders {
        order.replicas = Replicas::Fixed(3);
        order.replica_cap = 6;
    }
    let providers = [Liar(1), Liar(1), Honest, Honest, Honest, Honest, Honest];
    let world = run(world(3, Weather::CALM, &providers), orders.clone());
    for order in &orders {
        ends(&world, order, Ending::Done);
    }
    let faults = world.nodes[1..]
        .iter()
        .map(|node| world.faults(0, &node.who.operator));
    let faults: Vec<u32> = faults.collect();
    assert!(faults[0] > 0 && faults[1] > 0, "{faults:?}");
    assert_eq!(faults[2..], [0; 5]);
}

/// Its requester may restart while more are asked because of the two liars, and one of those never answers.
#[test]
fn requester_that_restarts_while_it_doubts_waits_for_nobody_who_is_silent() {
    for step in (0..400).step_by(5) {
        let providers = [Liar(1), Liar(1), Honest, Honest, Character::Silent];
        let mut world = world(step, Weather::CALM, &providers);
        let mut order = single(step);
        order.replicas = Replicas::Fixed(3);
        order.replica_cap = 6;
        let job = world.submit(0, order);
        world.leave(0, 50 + step, Some(500));
        world.run(Time(BEGIN.0 + HOUR / 6)).unwrap();
        let state = world.ending(&job);
        assert!(
            matches!(state, Some(JobState::Over(_))),
            "it left after {step} ms"
        );
    }
}

/// Two of a ring have said something wrong together; then somebody else is tested with that.
#[test]
fn honest_operator_that_contradicts_a_ring_in_a_test_is_not_outvoted_by_it() {
    let policy = Policy {
        canaries: 65_536 / 4,
        ..Policy::default()
    };
    let mut world = World::new(4, Weather::CALM, policy, Terms::DEVELOPMENT);
    world.join(Honest, None, MONEY);
    for character in [[Honest; 9].as_slice(), &[Ring; 3]].concat() {
        world.join(character, Some(orders::terms()), MONEY);
    }
    let mut order = auto(map_reduce(1, 1_200, 1, false));
    order.replica_cap = 5;
    world.submit(0, order);
    let held = world.run(Time(BEGIN.0 + 2 * HOUR));
    held.and_then(|()| world.conclude()).unwrap();
    let providers = world.nodes[1..].iter();
    let faults: Vec<u32> = providers
        .map(|node| world.faults(0, &node.who.operator))
        .collect();
    assert_eq!(faults[..9], [0; 9], "{faults:?}");
    assert!(faults[9..].iter().all(|count| *count > 0), "{faults:?}");
}
