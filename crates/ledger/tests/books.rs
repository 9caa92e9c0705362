//! Whatever anyone asks in whatever order: money is neither made nor lost, no escrow pays more than it
//! had, and no turn is paid twice.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod world;

use std::collections::{BTreeMap, BTreeSet};

use opensky_ledger::Books;
use opensky_protocol::{
    Account, Digest,
    ledger::{Call, Consent, Fact, Intent, Rejection, Showing, Status, Terms, Verdict},
};
use proptest::prelude::*;
use world::{Job, MINUTE, Party, genesis, result_key, terms, unit, unsigned};

const PARTIES: u8 = 5;
const ESCROWS: u8 = 3;
const PRICE: u128 = 10;

/// What one of the parties does next: which of the calls, and small numbers to make it of.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    who: u8,
    whom: u8,
    escrow: u8,
    number: u64,
    amount: u128,
    wait: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![
        8 => 0..400u128,
        1 => Just(u128::MAX),
        1 => Just(u128::MAX - 5)
    ];
    let wait = prop_oneof![12 => Just(0), 4 => 0..MINUTE, 1 => 0..12 * MINUTE];
    let parties = 0..PARTIES;
    (
        0..28u8,
        parties.clone(),
        parties,
        0..ESCROWS,
        0..4u64,
        amount,
        wait,
    )
        .prop_map(|(kind, who, whom, escrow, number, amount, wait)| Step {
            kind,
            who,
            whom,
            escrow,
            number,
            amount,
            wait,
        })
}

/// The books, and beside them what nobody may get more than.
struct World {
    books: Books,
    parties: Vec<Party>,
    now: u64,
    /// Whose escrow it is: its requester signs vouchers for units 0, 1, 2, … in this order.
    requesters: BTreeMap<Digest, u8>,
    /// The units that vouchers or evidence were ever claimed for.
    earned: BTreeMap<(Digest, Account), BTreeSet<Digest>>,
    paid: BTreeMap<(Digest, Account), u128>,
    made: u128,
}

impl World {
    fn new(terms: Terms) -> Self {
        let parties: Vec<_> = (0..PARTIES).map(|n| Party::new(n + 1)).collect();
        let balances: Vec<_> = parties.iter().map(|party| (party, 1_000)).collect();
        let mut world = Self {
            books: Books::new(genesis(terms, &balances)).unwrap(),
            parties,
            now: 1_000_000,
            requesters: BTreeMap::new(),
            earned: BTreeMap::new(),
            paid: BTreeMap::new(),
            made: 1_000 * u128::from(PARTIES),
        };
        world.begin();
        world
    }

    /// Everyone has bonded, and there are escrows.
    fn begin(&mut self) {
        for who in 0..PARTIES {
            let (kind, whom, escrow, wait) = (2, 0, 0, 0);
            let bond = Step {
                kind,
                who,
                whom,
                escrow,
                number: 1 + u64::from(who),
                amount: 150,
                wait,
            };
            self.play(&bond);
            if who < ESCROWS {
                self.play(&Step {
                    kind: 5,
                    escrow: who,
                    ..bond
                });
            }
        }
    }

    fn job(&self, step: &Step) -> Job<'_> {
        let id = Digest([step.escrow + 1; 32]);
        let requester = self.requesters.get(&id).copied().unwrap_or(step.who);
        let requester = &self.parties[usize::from(requester)];
        let mut job = Job::new(self.books.id(), step.escrow + 1, requester);
        (job.price, job.replica_cap) = (PRICE, 2);
        job
    }

    /// Half of the verdicts are the arbiter's own.
    fn signer(&self, step: &Step) -> &Party {
        let is_verdict = (19..=21).contains(&step.kind) && step.amount.is_multiple_of(2);
        &self.parties[if is_verdict { 0 } else { usize::from(step.who) }]
    }

    /// One of the units that are claimed, if there are any.
    fn claimed(&self, step: &Step) -> u64 {
        let escrow = Digest([step.escrow + 1; 32]);
        let units = self.books.cases(&escrow, None, 64);
        let mut numbers = (step.number..step.number + 4).map(|number| number % 4);
        numbers
            .find(|number| units.contains(&unit(*number)))
            .unwrap_or(step.number)
    }

    fn call(&self, step: &Step) -> Call {
        let job = self.job(step);
        let escrow = job.escrow;
        let [who, whom] = [step.who, step.whom].map(|at| &self.parties[usize::from(at)]);
        let Step { number, amount, .. } = *step;
        match step.kind {
            0 => Call::Faucet { amount },
            1 => Call::Transfer {
                to: whom.account(),
                amount,
            },
            2 => Call::Bond { amount },
            3 => Call::Unbond { amount },
            4 => Call::Withdraw,
            5 | 6 => job.open(amount, self.now + number * 2 * MINUTE),
            7 => Call::TopUp { escrow, amount },
            8 => Call::Close { escrow },
            9..=11 => {
                let operator = whom.account();
                let turns: Vec<_> = (0..number).map(|number| job.turn(number)).collect();
                let voucher = unsigned(job.voucher_value(operator, &turns));
                Call::Claim {
                    vouchers: [voucher].into(),
                }
            }
            12..=16 => self.show(step, &job, who),
            17 | 18 => Call::Object {
                escrow,
                unit: unit(self.claimed(step)),
            },
            19..=21 => Call::Resolve {
                escrow,
                unit: unit(self.claimed(step)),
                verdict: match amount % 5 {
                    0 => Verdict::Fault,
                    other => {
                        let result = 1 + (other % 2) as u8;
                        Verdict::Result(result_key(self.claimed(step), result))
                    }
                },
            },
            22 | 23 => job.settle(&[number]),
            24 | 25 => Call::Settle {
                escrow,
                units: self.books.cases(&escrow, None, 64),
            },
            26 => job.refund(),
            _ => Call::Certify {
                consent: unsigned(Consent {
                    ledger: self.books.id(),
                    operator: who.account(),
                    node: whom.node(),
                }),
            },
        }
    }

    /// Beside a voucher for the first units, or for none, evidence of others, and sometimes of these.
    fn show(&self, step: &Step, job: &Job, who: &Party) -> Call {
        let opened = step.amount as u64 % 3;
        let result = 1 + (step.whom % 4) / 3;
        let mut parts = job.parts(who, step.number, step.who.into(), result);
        parts.ticket.price.dispatch = PRICE;
        let turns: Vec<_> = (0..opened).map(|number| job.turn(number)).collect();
        let voucher = unsigned(job.voucher_value(who.account(), &turns));
        Call::Show(Box::new(Showing {
            escrow: job.escrow,
            voucher: (opened > 0).then_some(voucher),
            opened: turns,
            evidence: [parts.unsigned()].into(),
        }))
    }

    /// Sometimes the ledger is away when something is due.
    fn tend(&mut self, step: &Step) {
        if step.amount.is_multiple_of(16) {
            while let Some(upkeep) = self.books.tend(self.now) {
                upkeep.facts.iter().for_each(|fact| self.note(step, fact));
                self.books.check().unwrap();
            }
            assert!(self.books.next_timer().is_none_or(|at| at > self.now));
        }
    }

    fn play(&mut self, step: &Step) {
        self.now += step.wait;
        self.tend(step);
        let call = self.call(step);
        let intent = self.signer(step).intent(self.books.id(), 0, call);
        let before = self.books.clone();
        let status = self.books.apply(&intent, self.now);
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
        match fact {
            Fact::Made { amount, .. } => self.made += amount,
            Fact::Opened { escrow, .. } => drop(self.requesters.insert(*escrow, step.who)),
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
    let last = world.now + 3 * 60 * MINUTE;
    while world.books.tend(last).is_some() {
        world.books.check().unwrap();
    }
    for party in &world.parties {
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
            world.now += step.wait;
            world.tend(step);
            let call = world.call(step);
            let intent = world.signer(step).intent(world.books.id(), 0, call);
            if let Status::Final { facts, .. } = world.books.apply(&intent, world.now) {
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
