//! What requesters may owe, and how little those who do not pay can take.

use opensky_core::{
    Checked, Effect, Ending, Event, Funding, Outgoing, Participant, Policy, Row, Submission, Time,
    Unfit,
};
use opensky_protocol::{
    Commit, Digest, Message, NodeKey, Order, Refusal, SecretKey, Summons, Turn, Work, ledger::Terms,
};
use opensky_simulator::{
    BEGIN, Character, Weather, World, guest,
    orders::{self, ASK, LIMITS, map_reduce},
};

use crate::{
    HOUR, MONEY,
    desk::{Desk, orders_to},
    ends, haunted_by, run, unsigned, worker_with,
};

use Character::{Drainer, Honest};

/// What a turn of these tests can cost at most.
fn worst() -> u128 {
    ASK.worst_case(&LIMITS, 1_000)
}

fn owing(max_unpaid: u128) -> Policy {
    Policy {
        max_unpaid,
        ..Policy::default()
    }
}

fn many_orders() -> Vec<Submission> {
    let order = |nonce| {
        let mut order = map_reduce(nonce, 12, 2, false);
        order.deadline = Time(BEGIN.0 + HOUR / 6);
        order
    };
    (1..9).map(order).collect()
}

/// What each of three providers has lost to a requester that takes its escrows for itself.
fn losses(max_unpaid: u128) -> [u128; 3] {
    let world = haunted_by(owing(max_unpaid), Drainer, &[Honest; 3]);
    let world = run(world, many_orders());
    [1, 2, 3].map(|place: usize| world.debt(0, &world.nodes[place].who.operator).0)
}

#[test]
fn requester_that_empties_its_escrows_costs_each_provider_no_more_than_it_may_owe() {
    let bound = 4 * worst();
    let losses_of_all = losses(bound);
    assert!(losses_of_all.iter().all(|lost| *lost <= bound));
    assert!(losses_of_all.iter().any(|lost| *lost > 0), "it has worked");
    assert!(losses(u128::MAX).iter().all(|lost| *lost > bound));
}

#[test]
fn new_requester_that_pays_gets_all_its_work_done() {
    for max_unpaid in [worst(), 3 * worst()] {
        let policy = owing(max_unpaid);
        let mut world = World::new(2, Weather::CALM, policy, Terms::DEVELOPMENT);
        world.laws.is_thorough = true;
        world.join(Honest, None, MONEY);
        for _ in 0..3 {
            world.join(Honest, Some(orders::terms()), MONEY);
        }
        let order = map_reduce(1, 60, 2, true);
        let world = run(world, vec![order.clone()]);
        ends(&world, &order, Ending::Done);
    }
}

#[test]
fn job_whose_units_can_cost_more_than_anybody_lets_it_owe_asks_nobody_and_says_why() {
    let mut world = World::new(2, Weather::CALM, owing(worst() - 1), Terms::DEVELOPMENT);
    world.laws.is_thorough = true;
    world.join(Honest, None, MONEY);
    for _ in 0..3 {
        world.join(Honest, Some(orders::terms()), MONEY);
    }
    let job = world.submit(0, orders::single(1));
    let later = Time(BEGIN.0 + HOUR / 60);
    world.run(later).unwrap();
    let requester = &world.nodes[0].participant;
    let why = requester.why(&job, later).unwrap();
    let unfit: Vec<_> = why.nodes.iter().map(|node| node.unfit.clone()).collect();
    let credit = Unfit::Credit {
        has: worst() - 1,
        needs: worst(),
    };
    assert_eq!(unfit, vec![Some(credit); 3]);
    let turns = requester
        .units(&job)
        .into_iter()
        .flat_map(|unit| unit.seats);
    assert_eq!(turns.count(), 0);
}

#[test]
fn provider_that_refuses_has_answered() {
    let provider = SecretKey::from_seed(&[1; 32]);
    let mut desk = Desk::open(1);
    desk.finds(&provider);
    let draft = orders_to(desk.says(), &provider).remove(0);
    let turn = Turn::from(&draft.assignment);
    let refusal = Message::Refuse(vec![(turn, Refusal::Owed)]);
    desk.is_told(provider.node(), refusal);
    let why = desk.broker.why(&desk.job, BEGIN).unwrap();
    let unfit = why.nodes[0].unfit.clone();
    assert_eq!(unfit, Some(Unfit::Refused(Refusal::Owed)));
}

const REQUESTER: NodeKey = NodeKey([2; 32]);

fn funding(amount: u128) -> Event {
    let found = Funding {
        requester: REQUESTER,
        payer: REQUESTER.into(),
        amount,
        left: amount,
        received: 0,
        ends: Time(u64::MAX),
    };
    Event::Funding {
        job: Digest(REQUESTER.0),
        found: Some(found),
    }
}

fn said(message: Message) -> Event {
    Event::Received {
        from: REQUESTER,
        message: Checked::assume(message),
    }
}

/// All that it wants: turns that it takes on, why it refuses others, what it runs, and rows.
#[derive(Default)]
struct Wants {
    accepted: Vec<Turn>,
    refused: Vec<Refusal>,
    promised: Vec<Commit>,
    /// Turns that it shows to the ledger.
    claimed: Vec<Turn>,
    runs: Vec<(Turn, Work)>,
    rows: Vec<Row>,
}

fn wants(worker: &mut Participant) -> Wants {
    let mut wants = Wants::default();
    while let Some(effect) = worker.poll_effect() {
        match effect {
            Effect::Persist(rows) => wants.rows.extend(rows),
            Effect::Show(proof) => {
                let turns = proof.turns.iter();
                wants
                    .claimed
                    .extend(turns.map(|turn| Turn::from(&turn.assignment.value)));
            }
            Effect::Execute { turn, work, .. } => wants.runs.push((turn, *work)),
            Effect::Send { message, .. } => match message {
                Outgoing::Commit(commits) => wants.promised.extend(commits),
                Outgoing::Accept(turns) => wants.accepted.extend(turns),
                Outgoing::Refuse(turns) => wants.refused.extend(turns.iter().map(|(_, why)| *why)),
                _ => {}
            },
            _ => {}
        }
    }
    wants
}

/// The worker is given these orders, and shown an escrow of that amount.
fn ask(worker: &mut Participant, orders: Vec<Order>, amount: u128) -> Wants {
    worker.handle(BEGIN, said(Message::Assign(orders)));
    worker.handle(BEGIN, funding(amount));
    wants(worker)
}

#[test]
fn no_more_is_taken_on_of_an_escrow_than_it_holds() {
    for pays in [1, 3] {
        let (mut worker, order) = worker_with(Policy::default(), std::iter::empty());
        let orders = |range: std::ops::Range<u32>| range.map(|index| order(REQUESTER, index));
        let amount = pays * worst() + 1;
        let first = ask(&mut worker, orders(0..100).collect(), amount);
        assert_eq!(first.accepted.len() as u128, pays);
        assert_eq!(first.refused, vec![Refusal::Committed; 100 - pays as usize]);
        // Nor later.
        let later = ask(&mut worker, orders(100..110).collect(), amount);
        assert_eq!(later.refused, [Refusal::Committed; 10]);
    }
}

#[test]
fn what_was_let_go_after_it_was_run_is_remembered_over_a_restart() {
    let policy = || owing(worst());
    let (mut before, order) = worker_with(policy(), std::iter::empty());
    let (commit, mut rows) = promise(&mut before, vec![order(REQUESTER, 0)]);
    let turn = commit.turn;
    before.handle(BEGIN, said(Message::Release(vec![turn])));
    rows.extend(wants(&mut before).rows);
    let (mut after, order) = worker_with(policy(), latest(rows));
    let refused = ask(&mut after, vec![order(REQUESTER, 1)], MONEY).refused;
    assert_eq!(refused, [Refusal::Owed]);
    let (mut other, order) = worker_with(policy(), std::iter::empty());
    let new = ask(&mut other, vec![order(REQUESTER, 1)], MONEY);
    assert_eq!(new.accepted.len(), 1);
}

/// Has the worker run one order. What it promises, and its rows.
fn promise(worker: &mut Participant, orders: Vec<Order>) -> (Commit, Vec<Row>) {
    let mut first = ask(worker, orders, MONEY);
    let (turn, work) = first.runs.remove(0);
    let (class, outputs) = guest::honest(&work);
    let done = guest::done(NodeKey([1; 32]), &work, class, outputs);
    let result = Ok(Box::new(done));
    worker.handle(BEGIN, Event::Executed { turn, result });
    let mut then = wants(worker);
    first.rows.extend(then.rows);
    (then.promised.remove(0), first.rows)
}

/// What it shows to the ledger long after its requester has said that the job is over.
fn claims(worker: &mut Participant) -> Vec<Turn> {
    let over = Message::Over(vec![Digest(REQUESTER.0)]);
    worker.handle(BEGIN, said(over));
    worker.handle(Time(BEGIN.0 + HOUR / 6), Event::Timeout);
    wants(worker).claimed
}

/// The requester's word that it wants to see what was promised.
fn open(commit: &Commit) -> Event {
    let summons = Summons {
        broker: REQUESTER,
        commit: commit.clone(),
    };
    said(Message::Open(vec![unsigned(summons)]))
}

#[test]
fn what_was_shown_is_owed_though_it_is_let_go_after_a_restart() {
    let (mut before, order) = worker_with(Policy::default(), std::iter::empty());
    let (commit, mut rows) = promise(&mut before, vec![order(REQUESTER, 0)]);
    before.handle(BEGIN, open(&commit));
    rows.extend(wants(&mut before).rows);
    let (mut after, _) = worker_with(Policy::default(), latest(rows));
    after.handle(BEGIN, said(Message::Release(vec![commit.turn])));
    assert_eq!(claims(&mut after), [commit.turn]);
}

#[test]
fn what_nobody_has_asked_to_see_is_not_claimed() {
    let (mut worker, order) = worker_with(Policy::default(), std::iter::empty());
    let (commit, _) = promise(&mut worker, vec![order(REQUESTER, 0)]);
    // Nor what was not promised.
    let other = Commit {
        hash: Digest([9; 32]),
        ..commit
    };
    worker.handle(BEGIN, open(&other));
    assert_eq!(claims(&mut worker), []);
}

/// Each row as it was written last.
fn latest(rows: Vec<Row>) -> impl Iterator<Item = Row> {
    let rows = rows.into_iter();
    let rows = rows.map(|row| ((row.table, row.key.clone()), row));
    let last: std::collections::BTreeMap<_, _> = rows.collect();
    last.into_values()
}
