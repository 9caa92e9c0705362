//! What holds in every world.

use std::collections::{BTreeMap, BTreeSet};

use opensky_core::{Ending, Event, JobState, Plan, Policy, Replicas, Submission, Time};
use opensky_protocol::{
    Digest, JobPlan, JobSpec, Limits, Output, Outputs, Profile, Shard, Work, World as GuestWorld,
    names,
};
use proptest::prelude::*;

use crate::{
    guest,
    net::{ASK, Character, Faults, PROFILE, World},
};

use Character::{Failing, Hiding, Honest, Liar, Mapper, Silent, Slow, Turncoat};

const HOUR: u64 = 3_600_000;

const LIMITS: Limits = Limits {
    fuel: 10_000_000,
    memory: 1 << 20,
    output: 1 << 20,
    log: 1 << 10,
};

fn program(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn single(nonce: u8) -> Submission {
    let input = Digest::of(&[nonce]);
    let work = Work {
        profile: Profile::new(PROFILE),
        program: program(1),
        world: GuestWorld::Job,
        inputs: BTreeMap::from([(names::INPUT.to_owned(), input)]),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: [nonce; 32],
        virtual_time: 0,
        limits: LIMITS,
    };
    order(nonce, Plan::Single(Box::new(work)), vec![input])
}

fn job(nonce: u8, plan: JobPlan, inputs: Vec<Digest>) -> Submission {
    let spec = JobSpec {
        profile: Profile::new(PROFILE),
        program: program(1),
        inputs: BTreeMap::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        entropy: [nonce; 32],
        virtual_time: 0,
        limits: LIMITS,
        plan,
    };
    order(nonce, Plan::Job(Box::new(spec)), inputs)
}

fn map_reduce(nonce: u8, shards: u32, partitions: u32) -> Submission {
    let shards: Vec<Digest> = (0..shards)
        .map(|shard| Digest::derive("test shard 1", &shard))
        .collect();
    let plan = JobPlan::MapReduce {
        shards: shards.clone(),
        partitions,
        finish: nonce.is_multiple_of(2),
    };
    job(nonce, plan, shards)
}

fn stepper(nonce: u8) -> Submission {
    let input = program(9);
    job(nonce, JobPlan::Stepper { input, steps: 5 }, vec![input])
}

fn order(nonce: u8, plan: Plan, inputs: Vec<Digest>) -> Submission {
    Submission {
        nonce: [nonce; 16],
        plan,
        program_len: 1_000,
        lengths: inputs.into_iter().map(|input| (input, 1_000)).collect(),
        price: ASK,
        max_total: None,
        replicas: Replicas::Fixed(2),
        replica_cap: 7,
        deadline: Time(1_000_000 + HOUR),
        require: BTreeMap::new(),
        is_encrypted: false,
    }
}

/// What the job gives when nobody lies.
fn honest(plan: &Plan) -> Vec<(String, Output)> {
    let run = |work: &Work| guest::honest(work).1;
    let last: Vec<Outputs> = match plan {
        Plan::Single(work) => vec![run(work)],
        Plan::Job(spec) => match &spec.plan {
            JobPlan::MapReduce {
                shards,
                partitions,
                finish,
            } => {
                let maps = 0..shards.len() as u32;
                let maps: Vec<_> = maps.map(|map| run(&spec.map_work(map).unwrap())).collect();
                let maps: Vec<_> = maps.iter().collect();
                let reduces = 0..*partitions;
                let reduces: Vec<_> = reduces
                    .map(|reduce| run(&spec.reduce_work(reduce, &maps).unwrap()))
                    .collect();
                let all: Vec<_> = reduces.iter().collect();
                match finish {
                    true => vec![run(&spec.finish_work(&all).unwrap())],
                    false => reduces,
                }
            }
            JobPlan::Stepper { .. } => {
                let mut last = run(&spec.first_steps().unwrap());
                while let Some(work) = spec.next_steps(&last) {
                    last = run(&work);
                }
                vec![last]
            }
        },
    };
    let outputs = last.into_iter().flat_map(|outputs| outputs.0);
    outputs.collect()
}

/// Runs these orders to their end, and checks what holds in every world.
fn run(mut world: World, orders: Vec<Submission>) -> World {
    let ids: Vec<Digest> = orders
        .iter()
        .map(|order| world.submit(order.clone()))
        .collect();
    world.run(Time(1_000_000 + 3 * HOUR));
    for (id, order) in ids.iter().zip(&orders) {
        let ending = world.is_over(id).cloned();
        let ending = ending.unwrap_or_else(|| {
            panic!(
                "a job has not ended: {:?}",
                world.nodes[0].participant.job(id)
            )
        });
        let view = world.nodes[0].participant.job(id).unwrap();
        if ending == JobState::Over(Ending::Done) {
            assert_eq!(
                view.outputs,
                honest(&order.plan),
                "the result is the honest one"
            );
        }
        check_payments(&world, id, order);
    }
    world
}

/// Each turn is paid once, no unit more often than its order says, no operator twice for one unit,
/// and the vouchers that were claimed are what the requester has written down.
fn check_payments(world: &World, id: &Digest, order: &Submission) {
    let requester = &world.nodes[0].participant;
    let mut earned: BTreeMap<_, u128> = BTreeMap::new();
    for unit in requester.units(id) {
        let paid = unit.seats.iter().filter(|seat| seat.earned > 0);
        let operators: Vec<_> = paid.clone().map(|seat| seat.operator).collect();
        let distinct: BTreeSet<_> = operators.iter().collect();
        assert_eq!(operators.len(), distinct.len(), "one seat for one operator");
        assert!(operators.len() <= usize::from(order.replica_cap));
        for seat in paid {
            *earned.entry(seat.operator).or_default() += seat.earned;
        }
    }
    let view = requester.job(id).unwrap();
    assert_eq!(
        view.spent,
        earned.values().sum::<u128>(),
        "each turn is paid once"
    );
    let Some(escrow) = world.ledger.escrows.get(id) else {
        return;
    };
    assert!(escrow.is_closed, "the rest of the money is free again");
    for (operator, claimed) in &escrow.paid {
        let owed = earned.get(operator);
        assert!(
            owed.is_some_and(|owed| claimed <= owed),
            "no more is claimed than is owed"
        );
    }
    for (operator, owed) in &earned {
        // Whoever was not told in time shows its turns to the ledger instead.
        let node = world
            .nodes
            .iter()
            .find(|node| node.who.operator == *operator);
        let node = node.unwrap();
        if !node.is_gone && !node.evidence.iter().any(|turn| turn.job == *id) {
            assert_eq!(
                escrow.paid.get(operator),
                Some(owed),
                "all that is owed is claimed"
            );
        }
    }
}

fn world(seed: u64, faults: Faults, providers: &[Character]) -> World {
    World::new(seed, faults, Policy::default(), providers)
}

#[track_caller]
fn ends(world: &World, order: &Submission, ending: Ending) {
    let id = order.id(&world.nodes[0].who);
    assert_eq!(world.is_over(&id), Some(&JobState::Over(ending)));
}

#[test]
fn two_honest_providers_agree_and_are_paid() {
    let order = single(1);
    let world = run(
        world(1, Faults::NONE, &[Honest, Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    assert_eq!(world.executions, 2);
    let id = order.id(&world.nodes[0].who);
    assert_eq!(world.nodes[0].participant.job(&id).unwrap().verified, 2);
    assert_eq!(world.ledger.escrows[&id].paid.len(), 2);
}

#[test]
fn plans_go_on_from_what_was_agreed_on() {
    for order in [map_reduce(2, 5, 3), map_reduce(3, 4, 2), stepper(4)] {
        let world = run(world(2, Faults::NONE, &[Honest; 4]), vec![order.clone()]);
        ends(&world, &order, Ending::Done);
    }
}

#[test]
fn liar_is_outvoted_caught_and_not_paid() {
    let orders: Vec<_> = (1..20).map(single).collect();
    let world = run(
        world(3, Faults::NONE, &[Honest, Honest, Liar(1), Honest]),
        orders.clone(),
    );
    orders
        .iter()
        .for_each(|order| ends(&world, order, Ending::Done));
    let faults: Vec<u32> = world.nodes[1..]
        .iter()
        .map(|node| world.faults_of(&node.who.operator))
        .collect();
    assert!(faults[2] > 0, "{faults:?}");
    assert_eq!([faults[0], faults[1], faults[3]], [0; 3]);
    assert!(!world.nodes[3].evidence.is_empty(), "it contests that");
}

#[test]
fn silent_hiding_failing_and_slow_providers_are_replaced() {
    for bad in [Silent, Hiding, Slow(2_000)] {
        let orders: Vec<_> = (1..6).map(single).collect();
        let world = run(
            world(4, Faults::NONE, &[bad, Honest, Honest]),
            orders.clone(),
        );
        orders
            .iter()
            .for_each(|order| ends(&world, order, Ending::Done));
    }
    let order = single(1);
    let world = run(
        world(4, Faults::NONE, &[Failing, Honest, Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
}

#[test]
fn what_fails_everywhere_is_unrunnable() {
    let order = single(1);
    let world = run(world(5, Faults::NONE, &[Failing; 3]), vec![order.clone()]);
    let reason = "the host ran out of memory".into();
    ends(&world, &order, Ending::Unrunnable { index: 0, reason });
}

#[test]
fn no_majority_is_a_dispute_that_nobody_is_paid_for() {
    let order = single(1);
    let world = run(
        world(6, Faults::NONE, &[Honest, Liar(1), Liar(2)]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Disputed { index: 0 });
    assert_eq!(world.nodes[0].participant.jobs().next().unwrap().spent, 0);
}

#[test]
fn guests_own_failure_ends_the_job_and_is_paid() {
    let mut order = map_reduce(2, 5, 3);
    let Plan::Job(spec) = &mut order.plan else {
        unreachable!()
    };
    spec.program = program(255);
    let world = run(world(7, Faults::NONE, &[Honest; 3]), vec![order.clone()]);
    let id = order.id(&world.nodes[0].who);
    let ending = world.is_over(&id).unwrap();
    assert!(
        matches!(ending, JobState::Over(Ending::Failed { .. })),
        "{ending:?}"
    );
    assert!(world.nodes[0].participant.job(&id).unwrap().spent > 0);
}

#[test]
fn cancelled_job_ends_at_once_and_keeps_its_ending() {
    let order = single(1);
    let mut world = world(8, Faults::NONE, &[Slow(20), Slow(20)]);
    let id = order.id(&world.nodes[0].who);
    world.later(0, 300, Event::Cancelled(id));
    let world = run(world, vec![order.clone()]);
    ends(&world, &order, Ending::Cancelled);
}

#[test]
fn deadline_and_budget_end_a_job() {
    let mut order = single(1);
    order.deadline = Time(1_000_000 + 60_000);
    let no_one = run(world(9, Faults::NONE, &[Honest]), vec![order.clone()]);
    ends(&no_one, &order, Ending::Deadline);

    let mut order = map_reduce(2, 20, 2);
    order.max_total = Some(60_000);
    let world = run(world(9, Faults::NONE, &[Honest; 3]), vec![order.clone()]);
    ends(&world, &order, Ending::Budget);
    let view = world.nodes[0].participant.jobs().next().unwrap();
    assert!(view.spent > 0 && view.spent <= 60_000, "{}", view.spent);
}

fn auto(mut order: Submission) -> Submission {
    order.replicas = Replicas::Auto;
    order
}

#[test]
fn known_operators_are_audited_seldom_and_new_ones_always() {
    let order = auto(map_reduce(2, 600, 4));
    let world = run(world(10, Faults::NONE, &[Honest; 4]), vec![order.clone()]);
    ends(&world, &order, Ending::Done);
    // Ten units of each operator are run twice; after that a twentieth to a tenth, and some tests.
    assert!(
        (645..=760).contains(&world.executions),
        "{}",
        world.executions
    );
    let known = world.nodes[0]
        .participant
        .standing(&world.nodes[1].who.operator);
    assert!(known[0].1.row >= 10 && known[0].1.faults == 0, "{known:?}");
    assert!(known[0].1.risk() < 512, "{known:?}");
}

#[test]
fn what_a_turncoat_said_alone_is_run_again_when_it_is_caught() {
    let order = auto(map_reduce(2, 600, 4));
    let providers = [Honest, Honest, Turncoat(60), Honest];
    let world = run(world(11, Faults::NONE, &providers), vec![order.clone()]);
    ends(&world, &order, Ending::Done);
    let turncoat = world.nodes[3].who.operator;
    assert!(world.faults_of(&turncoat) > 0);
    let id = order.id(&world.nodes[0].who);
    let units = world.nodes[0].participant.units(&id);
    let believed = units.iter().flat_map(|unit| &unit.seats);
    let believed =
        believed.filter(|seat| seat.operator == turncoat && seat.state.contains("was wrong"));
    assert!(believed.count() > 0, "it was believed at first");
}

#[test]
fn slow_provider_does_not_hold_a_job_up() {
    let order = map_reduce(3, 40, 2);
    let world = run(
        world(12, Faults::NONE, &[Honest, Honest, Slow(1_000), Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    let view = world.nodes[0].participant.jobs().next().unwrap();
    let took = view.ended.since(view.created);
    assert!(
        took < 9_000,
        "the slow one takes 10 to 50 s for one unit, the job took {took} ms"
    );
}

#[test]
fn lost_outputs_are_made_anew() {
    let order = map_reduce(2, 4, 2);
    let mut world = world(13, Faults::NONE, &[Mapper, Mapper]);
    world.run(Time(1_000_000));
    for _ in 0..3 {
        let place = world.join(Honest, None);
        world.later(place, 2_000, Event::Capacity(Box::new(crate::net::terms())));
    }
    let world = run(world, vec![order.clone()]);
    ends(&world, &order, Ending::Done);
}

#[test]
fn why_names_what_is_in_the_way() {
    let mut order = single(1);
    let Plan::Single(work) = &mut order.plan else {
        unreachable!()
    };
    work.limits.memory = 200 << 30;
    order.deadline = Time(1_000_000 + 60_000);
    let mut world = world(14, Faults::NONE, &[Honest; 4]);
    let id = world.submit(order);
    world.run(Time(1_010_000));
    let why = world.nodes[0].participant.why(&id, world.now).unwrap();
    let lacks = opensky_core::Unfit::Memory {
        has: 4 << 30,
        needs: 200 << 30,
    };
    assert_eq!(why.summary(), [(lacks, 4)]);
    assert_eq!(why.waiting, 1);
}

fn character() -> impl Strategy<Value = Character> {
    prop_oneof![
        3 => Just(Honest),
        1 => Just(Silent),
        1 => Just(Hiding),
        1 => Just(Slow(30)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn honest_majority_wins_whatever_is_lost_doubled_or_killed(
        seed: u64,
        loss in 0u64..200,
        twice in 0u64..200,
        crash in 0u64..60,
        others in prop::collection::vec(character(), 0..3),
        liars in 0u8..2,
    ) {
        let mut providers = vec![Honest; 4];
        providers.extend(others);
        providers.extend((0..liars).map(Liar));
        let faults = Faults { loss, twice, crash };
        let orders = vec![single(1), map_reduce(2, 6, 2), stepper(3)];
        let world = run(world(seed, faults, &providers), orders.clone());
        for order in &orders {
            ends(&world, order, Ending::Done);
        }
        for node in &world.nodes {
            let is_liar = matches!(node.character, Liar(_));
            prop_assert!(is_liar || world.faults_of(&node.who.operator) == 0);
        }
    }

    #[test]
    fn same_seed_gives_the_same_trace(seed: u64) {
        let faults = Faults { loss: 50, twice: 50, crash: 20 };
        let trace = || {
            let mut world = world(seed, faults, &[Honest, Honest, Liar(1), Honest]);
            world.trace = Some(program(0));
            run(world, vec![single(1), map_reduce(2, 4, 2)]).trace
        };
        prop_assert_eq!(trace(), trace());
    }
}
