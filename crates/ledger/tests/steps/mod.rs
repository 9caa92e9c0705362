//! Random calls of a few parties that know each other's escrows: what a ledger is played with.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test
#![allow(dead_code)] // each test takes its share

use std::collections::BTreeMap;

use opensky_protocol::{
    Digest,
    ledger::{Call, Consent, Fact, Showing, Verdict},
};
use proptest::prelude::*;

use crate::world::{Job, MINUTE, Party, result_key, unit, unsigned};

pub const PARTIES: u8 = 5;
pub const ESCROWS: u8 = 3;
pub const PRICE: u128 = 10;

/// What one of the parties does next: which of the calls, and small numbers to make it of.
#[derive(Clone, Debug)]
pub struct Step {
    pub kind: u8,
    pub who: u8,
    pub whom: u8,
    pub escrow: u8,
    pub number: u64,
    pub amount: u128,
    pub wait: u64,
}

pub fn step() -> impl Strategy<Value = Step> {
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

/// Who is there, and what they know.
pub struct Stage {
    pub ledger: Digest,
    pub parties: Vec<Party>,
    pub now: u64,
    /// Whose escrow it is: its requester signs vouchers for units 0, 1, 2, … in this order.
    pub requesters: BTreeMap<Digest, u8>,
}

impl Stage {
    pub fn new(ledger: Digest) -> Self {
        Self {
            ledger,
            parties: (0..PARTIES).map(|n| Party::new(n + 1)).collect(),
            now: 1_000_000,
            requesters: BTreeMap::new(),
        }
    }

    /// Everyone bonds, and some open escrows.
    pub fn beginning() -> Vec<Step> {
        let bond = |who: u8| Step {
            kind: 2,
            who,
            whom: 0,
            escrow: 0,
            number: 1 + u64::from(who),
            amount: 150,
            wait: 0,
        };
        let open = |who: u8| Step {
            kind: 5,
            escrow: who,
            ..bond(who)
        };
        let each = (0..PARTIES).map(|who| (bond(who), (who < ESCROWS).then(|| open(who))));
        each.flat_map(|(bond, open)| [Some(bond), open])
            .flatten()
            .collect()
    }

    /// Remembers whose escrow it is.
    pub fn note(&mut self, step: &Step, fact: &Fact) {
        if let Fact::Opened { escrow, .. } = fact {
            self.requesters.insert(*escrow, step.who);
        }
    }

    fn job(&self, step: &Step) -> Job<'_> {
        let id = Digest([step.escrow + 1; 32]);
        let requester = self.requesters.get(&id).copied().unwrap_or(step.who);
        let requester = &self.parties[usize::from(requester)];
        let mut job = Job::new(self.ledger, step.escrow + 1, requester);
        (job.price, job.replica_cap) = (PRICE, 2);
        job
    }

    /// Half of the verdicts are the arbiter's own.
    pub fn signer(&self, step: &Step) -> &Party {
        let is_verdict = (19..=21).contains(&step.kind) && step.amount.is_multiple_of(2);
        &self.parties[if is_verdict { 0 } else { usize::from(step.who) }]
    }

    /// One of the units that are claimed, if there are any.
    fn claimed(&self, step: &Step, units: &[Digest]) -> u64 {
        let mut numbers = (step.number..step.number + 4).map(|number| number % 4);
        numbers
            .find(|number| units.contains(&unit(*number)))
            .unwrap_or(step.number)
    }

    /// What is asked; `cases` are the units of an escrow that are claimed.
    pub fn call(&self, step: &Step, cases: impl Fn(&Digest) -> Vec<Digest>) -> Call {
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
                unit: unit(self.claimed(step, &cases(&escrow))),
            },
            19..=21 => Call::Resolve {
                escrow,
                unit: unit(self.claimed(step, &cases(&escrow))),
                verdict: match amount % 5 {
                    0 => Verdict::Fault,
                    other => {
                        let result = 1 + (other % 2) as u8;
                        Verdict::Result(result_key(self.claimed(step, &cases(&escrow)), result))
                    }
                },
            },
            22 | 23 => job.settle(&[number]),
            24 | 25 => Call::Settle {
                escrow,
                units: cases(&escrow),
            },
            26 => job.refund(),
            _ => Call::Certify {
                consent: unsigned(Consent {
                    ledger: self.ledger,
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
}
