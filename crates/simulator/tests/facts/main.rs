//! What holds in worlds that are made by hand: each test is one fact about the core.

#![allow(clippy::unwrap_used)] // these are tests, helpers of tests included

mod adversaries;
mod credit;
mod desk;
mod failing;
mod rebuilding;
mod settling;
mod showing;

use opensky_core::{
    Checked, Effect, Ending, Escrows, Event, Funding, Identity, JobState, NodeWhy, Outgoing,
    Participant, Plan, Policy, Replicas, Row, Submission, Time,
};
use opensky_protocol::{
    Assignment, Digest, JobPlan, Message, NodeKey, Order, Output, Outputs, Refusal, Seal, Signed,
    Ticket, Work,
    ledger::{Phase, Terms},
};
use opensky_simulator::{
    BEGIN, Character, Trace, Weather, World, guest,
    orders::{self, map_reduce, single, stepper},
};
use proptest::prelude::*;

use Character::{Cut, Failing, Full, Hiding, Honest, Liar, Mapper, Shaky, Silent, Slow, Turncoat};

const HOUR: u64 = 3_600_000;
const MONEY: u128 = 1 << 60;

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

/// Runs these orders of the first node to their end, and checks what holds in every world.
fn run(mut world: World, orders: Vec<Submission>) -> World {
    let ids: Vec<Digest> = orders
        .iter()
        .map(|order| world.submit(0, order.clone()))
        .collect();
    let held = world.run(Time(BEGIN.0 + 3 * HOUR));
    held.and_then(|()| world.conclude()).unwrap();
    for (id, order) in ids.iter().zip(&orders) {
        let is_done = world.ending(id) == Some(&JobState::Over(Ending::Done));
        if is_done && world.nodes[0].character == Honest {
            let view = world.nodes[0].participant.job(id).unwrap();
            assert_eq!(
                view.outputs,
                honest(&order.plan),
                "the result is the honest one"
            );
        }
    }
    world
}

/// A world whose first node is a requester; the others are providers.
fn world(seed: u64, weather: Weather, providers: &[Character]) -> World {
    let mut world = World::new(seed, weather, Policy::default(), Terms::DEVELOPMENT);
    world.laws.is_thorough = true;
    world.join(Honest, None, MONEY);
    for character in providers {
        world.join(*character, Some(orders::terms()), MONEY);
    }
    world
}

#[track_caller]
fn ends(world: &World, order: &Submission, ending: Ending) {
    let id = order.id(&world.nodes[0].who);
    assert_eq!(world.ending(&id), Some(&JobState::Over(ending)));
}

#[test]
fn two_honest_providers_agree_and_are_paid() {
    let order = single(1);
    let world = run(
        world(1, Weather::CALM, &[Honest, Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
    assert_eq!(world.executions, 2);
    let id = order.id(&world.nodes[0].who);
    assert_eq!(world.nodes[0].participant.job(&id).unwrap().verified, 2);
    assert_eq!(
        world.nodes[1..]
            .iter()
            .filter(|node| world.bank.paid(&id, &node.who.operator) > 0)
            .count(),
        2
    );
}

#[test]
fn plans_go_on_from_what_was_agreed_on() {
    for order in [
        map_reduce(2, 5, 3, true),
        map_reduce(3, 4, 2, false),
        stepper(4),
    ] {
        let world = run(world(2, Weather::CALM, &[Honest; 4]), vec![order.clone()]);
        ends(&world, &order, Ending::Done);
    }
}

#[test]
fn liar_is_outvoted_caught_and_not_paid() {
    let orders: Vec<_> = (1..20).map(single).collect();
    let world = run(
        world(3, Weather::CALM, &[Honest, Honest, Liar(1), Honest]),
        orders.clone(),
    );
    orders
        .iter()
        .for_each(|order| ends(&world, order, Ending::Done));
    let faults: Vec<u32> = world.nodes[1..]
        .iter()
        .map(|node| world.faults(0, &node.who.operator))
        .collect();
    assert!(faults[2] > 0, "{faults:?}");
    assert_eq!([faults[0], faults[1], faults[3]], [0; 3]);
    assert!(!world.nodes[3].shown.is_empty(), "it contests that");
}

#[test]
fn silent_hiding_failing_and_slow_providers_are_replaced() {
    for bad in [Silent, Hiding, Slow(2_000)] {
        let orders: Vec<_> = (1..6).map(single).collect();
        let world = run(
            world(4, Weather::CALM, &[bad, Honest, Honest]),
            orders.clone(),
        );
        orders
            .iter()
            .for_each(|order| ends(&world, order, Ending::Done));
    }
    let order = single(1);
    let world = run(
        world(4, Weather::CALM, &[Failing, Honest, Honest]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Done);
}

#[test]
fn requester_that_was_away_while_its_inputs_were_fetched_gets_its_result() {
    let order = single(1);
    let world = run(world(5, Weather::CALM, &[Cut(5); 2]), vec![order.clone()]);
    ends(&world, &order, Ending::Done);
}

#[test]
fn disks_that_are_full_say_nothing_about_a_unit() {
    let order = single(1);
    let world = run(world(5, Weather::CALM, &[Full(3); 2]), vec![order.clone()]);
    ends(&world, &order, Ending::Done);
    let id = world.nodes[0].participant.jobs().next().unwrap().id;
    let units = world.nodes[0].participant.units(&id);
    let full = "refused: the unit may use more disk than it has";
    assert!(units[0].seats.iter().any(|seat| seat.state == full));
}

#[test]
fn what_fails_everywhere_is_unrunnable() {
    let order = single(1);
    let world = run(world(5, Weather::CALM, &[Failing; 3]), vec![order.clone()]);
    let reason = "the host ran out of memory".into();
    ends(&world, &order, Ending::Unrunnable { index: 0, reason });
}

/// The turns at the unit of a job of two whose hosts are these: how each ended.
fn turns_of_two(providers: &[Character], ending: Ending) -> Vec<String> {
    let order = single(1);
    let world = run(world(5, Weather::CALM, providers), vec![order.clone()]);
    ends(&world, &order, ending);
    let id = order.id(&world.nodes[0].who);
    let units = world.nodes[0].participant.units(&id);
    let mut turns: Vec<String> = units[0]
        .seats
        .iter()
        .map(|seat| seat.state.clone())
        .collect();
    turns.sort();
    turns
}

const FAILED: &str = "failed: the host ran out of memory";

#[test]
fn host_that_has_failed_is_asked_once_more_if_there_is_nobody_else() {
    let turns = turns_of_two(&[Shaky(1), Honest], Ending::Done);
    assert_eq!(turns, ["agreed", "agreed", FAILED]);
}

#[test]
fn host_that_fails_again_is_no_second_opinion() {
    let turns = turns_of_two(&[Failing, Honest], Ending::Deadline);
    assert_eq!(turns.iter().filter(|turn| *turn == FAILED).count(), 2);
}

#[test]
fn no_majority_is_a_dispute_that_nobody_is_paid_for() {
    let order = single(1);
    let world = run(
        world(6, Weather::CALM, &[Honest, Liar(1), Liar(2)]),
        vec![order.clone()],
    );
    ends(&world, &order, Ending::Disputed { index: 0 });
    assert_eq!(world.nodes[0].participant.jobs().next().unwrap().spent, 0);
}

#[test]
fn guests_own_failure_ends_the_job_and_is_paid() {
    let mut order = map_reduce(2, 5, 3, true);
    let Plan::Job(spec) = &mut order.plan else {
        unreachable!()
    };
    spec.program = Digest([guest::FAILING; 32]);
    let world = run(world(7, Weather::CALM, &[Honest; 3]), vec![order.clone()]);
    let id = order.id(&world.nodes[0].who);
    let ending = world.ending(&id).unwrap();
    assert!(
        matches!(ending, JobState::Over(Ending::Failed { .. })),
        "{ending:?}"
    );
    assert!(world.nodes[0].participant.job(&id).unwrap().spent > 0);
}

#[test]
fn cancelled_job_ends_at_once_and_keeps_its_ending() {
    let order = single(1);
    let mut world = world(8, Weather::CALM, &[Slow(20), Slow(20)]);
    let id = order.id(&world.nodes[0].who);
    world.later(0, 300, Event::Cancelled(id));
    let world = run(world, vec![order.clone()]);
    ends(&world, &order, Ending::Cancelled);
}

#[test]
fn deadline_and_budget_end_a_job() {
    let mut order = single(1);
    order.deadline = Time(BEGIN.0 + 60_000);
    let no_one = run(world(9, Weather::CALM, &[Honest]), vec![order.clone()]);
    ends(&no_one, &order, Ending::Deadline);

    let mut order = map_reduce(2, 20, 2, true);
    order.max_total = Some(60_000);
    let world = run(world(9, Weather::CALM, &[Honest; 3]), vec![order.clone()]);
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
    let order = auto(map_reduce(2, 600, 4, true));
    let world = run(world(10, Weather::CALM, &[Honest; 4]), vec![order.clone()]);
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
    let order = auto(map_reduce(2, 600, 4, true));
    let providers = [Honest, Honest, Turncoat(60), Honest];
    let world = run(world(11, Weather::CALM, &providers), vec![order.clone()]);
    ends(&world, &order, Ending::Done);
    let turncoat = world.nodes[3].who.operator;
    assert!(world.faults(0, &turncoat) > 0);
    let id = order.id(&world.nodes[0].who);
    let units = world.nodes[0].participant.units(&id);
    let believed = units.iter().flat_map(|unit| &unit.seats);
    let believed =
        believed.filter(|seat| seat.operator == turncoat && seat.state.contains("was wrong"));
    assert!(believed.count() > 0, "it was believed at first");
}

#[test]
fn slow_provider_does_not_hold_a_job_up() {
    let order = map_reduce(3, 40, 2, false);
    let world = run(
        world(12, Weather::CALM, &[Honest, Honest, Slow(1_000), Honest]),
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

fn took(world: &World) -> u64 {
    let view = world.nodes[0].participant.jobs().next().unwrap();
    view.ended.since(view.created)
}

#[test]
fn silent_provider_does_not_hold_a_small_job_up() {
    for nonce in 1..8 {
        let order = single(nonce);
        let world = run(
            world(12, Weather::CALM, &[Silent, Honest, Honest]),
            vec![order.clone()],
        );
        ends(&world, &order, Ending::Done);
        let took = took(&world);
        assert!(took < 10_000, "a lease takes 30 s, the job took {took} ms");
    }
}

#[test]
fn provider_that_died_does_not_hold_a_job_up_as_long_as_it_might_have_run() {
    let mut order = single(1);
    order.replicas = Replicas::Fixed(1);
    let Plan::Single(work) = &mut order.plan else {
        unreachable!("it is one unit");
    };
    work.limits.fuel = 900_000_000_000;
    let mut world = world(12, Weather::CALM, &[Slow(60_000)]);
    world.submit(0, order.clone());
    world.leave(1, 2_000, None);
    let mut nothing = orders::terms();
    nothing.capacity.cores = 0;
    let place = world.join(Honest, Some(nothing), MONEY);
    world.later(place, 4_000, Event::Capacity(Box::new(orders::terms())));
    let world = run(world, vec![order.clone()]);
    ends(&world, &order, Ending::Done);
    let took = took(&world);
    assert!(
        took < 100_000,
        "its lease takes an hour, the job took {took} ms"
    );
}

#[test]
fn lost_outputs_are_made_anew() {
    let order = map_reduce(2, 4, 2, true);
    let mut world = world(13, Weather::CALM, &[Mapper, Mapper]);
    world.run(BEGIN).unwrap();
    for _ in 0..3 {
        let mut nothing = orders::terms();
        nothing.capacity.cores = 0;
        let place = world.join(Honest, Some(nothing), MONEY);
        world.later(place, 2_000, Event::Capacity(Box::new(orders::terms())));
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
    order.deadline = Time(BEGIN.0 + 60_000);
    let mut world = world(14, Weather::CALM, &[Honest; 4]);
    let id = world.submit(0, order);
    world.run(Time(BEGIN.0 + 10_000)).unwrap();
    let why = world.nodes[0].participant.why(&id, world.now).unwrap();
    let lacks = opensky_core::Unfit::Memory {
        has: 4 << 30,
        needs: 200 << 30,
    };
    assert_eq!(NodeWhy::summary(&why.nodes), [(lacks, 4)]);
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
        let weather = Weather { loss, twice, crash, ..Weather::CALM };
        let orders = vec![single(1), map_reduce(2, 6, 2, true), stepper(3)];
        let world = run(world(seed, weather.clone(), &providers), orders.clone());
        for order in &orders {
            ends(&world, order, Ending::Done);
        }
        for node in &world.nodes {
            let is_liar = matches!(node.character, Liar(_));
            prop_assert!(is_liar || world.faults(0, &node.who.operator) == 0);
        }
    }

    #[test]
    fn same_seed_gives_the_same_trace(seed: u64) {
        let weather = Weather { loss: 50, twice: 50, crash: 20, ..Weather::CALM };
        let trace = || {
            let mut world = world(seed, weather.clone(), &[Honest, Honest, Liar(1), Honest]);
            world.trace = Some(Trace::default());
            run(world, vec![single(1), map_reduce(2, 4, 2, true)]).trace.unwrap().digest()
        };
        prop_assert_eq!(trace(), trace());
    }
}

/// A world with something at stake, whose first node is such a requester.
pub(crate) fn haunted(requester: Character, providers: &[Character]) -> World {
    haunted_by(Policy::default(), requester, providers)
}

/// The same, whose nodes decide by these numbers.
pub(crate) fn haunted_by(policy: Policy, requester: Character, providers: &[Character]) -> World {
    let terms = Terms {
        penalty: 1_000,
        objection_bond: 60,
        ..Terms::DEVELOPMENT
    };
    let mut world = World::new(15, Weather::CALM, policy, terms);
    world.laws.is_thorough = true;
    world.join(requester, None, MONEY);
    for character in providers {
        let mut terms = orders::terms();
        terms.ask.dispatch -= u128::from(*character == Character::Shill);
        world.join(*character, Some(terms), MONEY);
    }
    world
}

/// What the honest providers of a job were paid for its units, each at its price.
fn paid_to_honest(world: &World, order: &Submission) -> (u128, u128) {
    let id = order.id(&world.nodes[0].who);
    let honest = world.nodes[1..].iter();
    let honest = honest.filter(|node| node.character == Honest);
    let paid = honest
        .clone()
        .map(|node| world.bank.paid(&id, &node.who.operator));
    let worth = honest.map(|node| world.laws.worth(id, node.who.operator));
    (paid.sum(), worth.sum())
}

#[test]
fn requester_that_never_vouches_pays_all_the_same() {
    let mut order = map_reduce(1, 6, 2, false);
    order.deadline = Time(BEGIN.0 + HOUR / 6);
    let world = run(
        haunted(Character::Stingy, &[Honest; 3]),
        vec![order.clone()],
    );
    let (paid, worth) = paid_to_honest(&world, &order);
    assert!(paid > 0);
    assert_eq!(paid, worth);
    assert!(world.nodes[1..].iter().any(|node| !node.shown.is_empty()));
}

#[test]
fn requester_that_seats_its_own_sybils_saves_nothing_and_loses_a_bond() {
    let mut order = single(1);
    order.replicas = Replicas::Fixed(3);
    let providers = [Character::Shill, Character::Shill, Honest];
    let world = run(haunted(Character::Crony, &providers), vec![order.clone()]);
    let (paid, worth) = paid_to_honest(&world, &order);
    assert!(worth > 0);
    assert_eq!(paid, worth, "the ledger pays what the requester refuses");
    let purse = world.bank.books().purse(&world.nodes[0].who.operator);
    let spent: u128 = world.nodes[1..]
        .iter()
        .map(|node| {
            world
                .bank
                .paid(&order.id(&world.nodes[0].who), &node.who.operator)
        })
        .sum();
    assert_eq!(
        MONEY - purse.free,
        spent + 60,
        "it has objected for nothing"
    );
    let id = order.id(&world.nodes[0].who);
    let escrow = world.bank.books().escrow(&id).unwrap();
    assert_eq!(
        escrow.phase(world.now.0, world.bank.books().terms()),
        Phase::Over
    );
}

/// A worker that goes on from these rows, and a requester's order for the unit of that number.
fn worker(
    escrow: Escrows,
    rows: impl Iterator<Item = Row>,
) -> (Participant, impl Fn(NodeKey, u32) -> Order) {
    let policy = Policy {
        escrow,
        ..Policy::default()
    };
    worker_with(policy, rows)
}

/// The same, by numbers of its own.
pub(crate) fn worker_with(
    policy: Policy,
    rows: impl Iterator<Item = Row>,
) -> (Participant, impl Fn(NodeKey, u32) -> Order) {
    let ledger = Digest([7; 32]);
    let node = NodeKey([1; 32]);
    let who = Identity {
        node,
        operator: node.into(),
        ledger,
    };
    let mut worker = Participant::restore(who, policy, [1; 32], rows).unwrap();
    worker.handle(BEGIN, Event::Capacity(Box::new(orders::terms())));
    let order = move |requester: NodeKey, index: u32| {
        let submission = map_reduce(1, 1_000, 1, false);
        let Plan::Job(spec) = &submission.plan else {
            unreachable!()
        };
        let work = spec.map_work(index).unwrap();
        let unit = work.unit();
        let job = Digest(requester.0);
        let ticket = Ticket {
            unit,
            job,
            requester,
            payer: requester.into(),
            ledger,
            price: orders::ASK,
            replicas: 1,
            replica_cap: 7,
            input_len: 1_000,
            limits: orders::LIMITS,
            deadline: submission.deadline.0,
        };
        let assignment = Assignment {
            unit,
            job,
            broker: requester,
            provider: node,
            operator: node.into(),
            ask: orders::ASK,
            attempt: 0,
            lease: HOUR,
        };
        Order {
            work,
            ticket: unsigned(ticket),
            assignment: unsigned(assignment),
            sources: Vec::new(),
            key: None,
        }
    };
    (worker, order)
}

fn unsigned<T>(value: T) -> Signed<T> {
    let seal = Seal::NONE;
    Signed { value, seal }
}

#[test]
fn stranger_that_orders_a_thousand_units_leaves_room_for_others() {
    let (mut worker, order) = worker(Escrows::Assumed, std::iter::empty());
    let (stranger, other) = (NodeKey([2; 32]), NodeKey([3; 32]));
    let mut accepted = |from: NodeKey, count: u32| -> usize {
        let orders = (0..count).map(|index| order(from, index)).collect();
        let message = Checked::assume(Message::Assign(orders));
        worker.handle(BEGIN, Event::Received { from, message });
        let effects = std::iter::from_fn(|| worker.poll_effect());
        let accepted = effects.filter_map(|effect| match effect {
            Effect::Send {
                message: Outgoing::Accept(turns),
                ..
            } => Some(turns.len()),
            _ => None,
        });
        accepted.sum()
    };
    assert_eq!(accepted(stranger, 1_000), 128, "half of 128 for each core");
    assert_eq!(accepted(other, 10), 10);
}

#[test]
fn inputs_count_as_memory_of_whoever_runs_the_unit() {
    let (mut worker, order) = worker(Escrows::Assumed, std::iter::empty());
    let from = NodeKey([2; 32]);
    let with_input = |index: u32, len: u64| {
        let mut order = order(from, index);
        order.ticket.value.input_len = len;
        order
    };
    // It has 4 GiB, and inputs are there twice.
    let orders = [(0, 2 << 30), (1, 1 << 30), (2, 1 << 30)];
    let orders = orders.map(|(index, len)| with_input(index, len));
    let message = Checked::assume(Message::Assign(orders.to_vec()));
    worker.handle(BEGIN, Event::Received { from, message });
    let (mut refused, mut running) = (Vec::new(), Vec::new());
    while let Some(effect) = worker.poll_effect() {
        match effect {
            Effect::Execute { input_len, .. } => running.push(input_len),
            Effect::Send {
                message: Outgoing::Refuse(turns),
                ..
            } => refused.extend(turns.into_iter().map(|(_, why)| why)),
            _ => {}
        }
    }
    assert_eq!(refused, [Refusal::Memory]);
    assert_eq!(running, [1 << 30], "the other one waits for it");
}

/// The rows it wants written, and how many turns it wants to run.
fn rows_and_turns(worker: &mut Participant) -> (Vec<Row>, usize) {
    let (mut rows, mut turns) = (Vec::new(), 0);
    while let Some(effect) = worker.poll_effect() {
        match effect {
            Effect::Persist(batch) => rows.extend(batch),
            Effect::Execute { .. } => turns += 1,
            _ => {}
        }
    }
    (rows, turns)
}

#[test]
fn order_is_kept_over_a_restart_once_its_escrow_is_seen() {
    let requester = NodeKey([2; 32]);
    let paid = Funding {
        requester,
        payer: requester.into(),
        amount: MONEY,
        left: MONEY,
        received: 0,
        ends: Time(u64::MAX),
    };
    for is_seen in [false, true] {
        let (mut before, order) = worker(Escrows::Seen, std::iter::empty());
        let message = Checked::assume(Message::Assign(vec![order(requester, 0)]));
        let from = requester;
        before.handle(BEGIN, Event::Received { from, message });
        if is_seen {
            let (job, found) = (Digest(requester.0), Some(paid));
            before.handle(BEGIN, Event::Funding { job, found });
        }
        let (rows, turns) = rows_and_turns(&mut before);
        assert_eq!(turns, usize::from(is_seen));
        let (mut after, _) = worker(Escrows::Seen, rows.into_iter());
        after.handle(BEGIN, Event::Timeout);
        assert_eq!(rows_and_turns(&mut after).1, usize::from(is_seen));
    }
}
