//! Whatever anyone asks in whatever order: money is neither made nor lost, no escrow pays more than it
//! had, and no turn is paid twice.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod steps;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use opensky_ledger::Books;
use opensky_protocol::{
    Account, Digest,
    ledger::{Call, Fact, Intent, Rejection, Status, Terms},
};
use proptest::prelude::*;
use steps::{PARTIES, PRICE, Stage, Step, step};
use world::{MINUTE, Party, genesis, terms, unit};

/// The books, and beside them what nobody may get more than.
struct World {
    books: Books,
    stage: Stage,
    /// The units that vouchers or evidence were ever claimed for.
    earned: BTreeMap<(Digest, Account), BTreeSet<Digest>>,
    paid: BTreeMap<(Digest, Account), u128>,
    made: u128,
}

impl World {
    fn new(terms: Terms) -> Self {
        let parties: Vec<_> = (0..PARTIES).map(|n| Party::new(n + 1)).collect();
        let balances: Vec<_> = parties.iter().map(|party| (party, 1_000)).collect();
        let books = Books::new(genesis(terms, &balances)).unwrap();
        let mut world = Self {
            stage: Stage::new(books.id()),
            books,
            earned: BTreeMap::new(),
            paid: BTreeMap::new(),
            made: 1_000 * u128::from(PARTIES),
        };
        for step in Stage::beginning() {
            world.play(&step);
        }
        world
    }

    fn intent(&self, step: &Step) -> Intent {
        let cases = |escrow: &Digest| self.books.cases(escrow, None, 64);
        let call = self.stage.call(step, cases);
        self.stage.signer(step).intent(self.books.id(), 0, call)
    }

    /// Sometimes the ledger is away when something is due.
    fn tend(&mut self, step: &Step) {
        if step.amount.is_multiple_of(16) {
            while let Some(upkeep) = self.books.tend(self.stage.now) {
                upkeep.facts.iter().for_each(|fact| self.note(step, fact));
                self.books.check().unwrap();
            }
            assert!(self.books.next_timer().is_none_or(|at| at > self.stage.now));
        }
    }

    fn play(&mut self, step: &Step) {
        self.stage.now += step.wait;
        self.tend(step);
        let intent = self.intent(step);
        let before = self.books.clone();
        let status = self.books.apply(&intent, self.stage.now);
        match &status {
            Status::Final { facts, .. } => {
                self.learn(step, &intent);
                facts.iter().for_each(|fact| self.note(step, fact));
            }
            Status::Rejected { fee, .. } => {
                let lost =
                    before.purse(&intent.account).free - self.books.purse(&intent.account).free;
                assert_eq!(lost, *fee, "what is rejected costs its fee and no more");
            }
            Status::Pending => panic!("books decide"),
        }
        if let Err(wrong) = self.books.check() {
            panic!("{wrong} after {intent:?}: {status:?}");
        }
        assert_eq!(self.books.treasury().issued, self.made);
        for (key, paid) in &self.paid {
            let earned = self.earned.get(key).map_or(0, BTreeSet::len) as u128;
            assert!(
                *paid <= earned * PRICE,
                "{key:?} got {paid} for {earned} units"
            );
        }
    }

    /// Which units a call is about that has gone through.
    fn learn(&mut self, step: &Step, intent: &Intent) {
        let mut earn = |escrow, operator, units: Vec<Digest>| {
            let earned = self.earned.entry((escrow, operator)).or_default();
            earned.extend(units);
        };
        match &intent.call {
            Call::Claim { vouchers } => {
                let voucher = &vouchers[0].value;
                let units = (0..voucher.turns).map(unit).collect();
                earn(voucher.escrow, voucher.operator, units);
            }
            Call::Show(showing) => {
                let units = showing.opened.iter().map(|turn| turn.unit);
                let units = units.chain([unit(step.number)]).collect();
                earn(showing.escrow, intent.account, units);
            }
            _ => {}
        }
    }

    fn note(&mut self, step: &Step, fact: &Fact) {
        self.stage.note(step, fact);
        match fact {
            Fact::Made { amount, .. } => self.made += amount,
            Fact::Paid {
                escrow,
                operator,
                amount,
                ..
            } => *self.paid.entry((*escrow, *operator)).or_default() += amount,
            _ => {}
        }
    }
}

fn rules(fee: u128, existential: u128, penalty: u128) -> Terms {
    Terms {
        faucet: 500,
        fee,
        existential,
        penalty,
        ..terms(&Party::new(1))
    }
}

/// Whatever was asked, in the end nobody's money is held for a job or a dispute.
fn end(mut world: World) {
    let last = world.stage.now + 3 * 60 * MINUTE;
    while world.books.tend(last).is_some() {
        world.books.check().unwrap();
    }
    for party in &world.stage.parties {
        let state = world.books.account(&party.account());
        assert_eq!(state.purse.held, state.operator.at_stake());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn money_is_conserved_and_no_turn_is_paid_twice(
        fee in prop_oneof![Just(0u128), 1..5u128],
        existential in prop_oneof![Just(0u128), 1..60u128],
        penalty in prop_oneof![Just(0u128), Just(100u128)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(rules(fee, existential, penalty));
        steps.iter().for_each(|step| world.play(step));
        end(world);
    }
}

/// The property above means little if its random calls only fail. This says that they do not.
#[test]
fn random_calls_reach_every_corner() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..300 {
        let steps = prop::collection::vec(step(), 120);
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let mut world = World::new(rules(1, 0, 100));
        for step in &steps {
            world.stage.now += step.wait;
            world.tend(step);
            let intent = world.intent(step);
            if let Status::Final { facts, .. } = world.books.apply(&intent, world.stage.now) {
                for fact in &facts {
                    world.note(step, fact);
                    let name = format!("{fact:?}");
                    let name = name.split(' ').next().unwrap_or_default().to_owned();
                    *seen.entry(name).or_default() += 1;
                }
            }
        }
    }
    for name in [
        "Paid",
        "Filed",
        "Objected",
        "Resolved",
        "Slashed",
        "Rewarded",
        "Released",
        "Settled",
        "Refunded",
        "Withdrawn",
        "Certified",
    ] {
        assert!(
            seen.get(name).is_some_and(|count| *count > 5),
            "{name}: {seen:?}"
        );
    }
}

#[test]
fn nobody_objects_where_nobody_judges() {
    let rules = Terms {
        arbiter: None,
        ..rules(0, 0, 0)
    };
    let mut world = World::new(rules);
    let party = Party::new(1);
    let object = Call::Object {
        escrow: Digest([1; 32]),
        unit: unit(0),
    };
    let intent = party.intent(world.books.id(), 0, object);
    let status = world.books.apply(&intent, 0);
    let reason = Rejection::NoArbiter;
    assert_eq!(status, Status::Rejected { fee: 0, reason });
}
