//! What must hold in every world, after every step or at the end, and how jobs ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opensky_core::{JobState, Outgoing, Refused};
use opensky_protocol::{Account, Digest, NodeKey, Turn};

use crate::{character::Character, node::State, world::World, worth::Worth};

/// A law that was broken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the text of each says what its fields are
pub enum Broken {
    #[error("the books do not add up: {0}")]
    Books(String),
    #[error("{0}, which is honest, lost {1} of its bond")]
    Slashed(Account, u128),
    #[error("job {job} has spent {spent} of {locked}")]
    Overspent {
        job: Digest,
        spent: u128,
        locked: u128,
    },
    #[error("job {job} had ended with {before:?}, and has now ended with {after:?}")]
    Changed {
        job: Digest,
        before: JobState,
        after: JobState,
    },
    #[error("unit {unit} of job {job} was paid twice to {operator}")]
    PaidTwice {
        job: Digest,
        unit: Digest,
        operator: Account,
    },
    #[error("unit {unit} of job {job} was paid more often than {cap} times")]
    PaidTooOften { job: Digest, unit: Digest, cap: u8 },
    #[error("{operator} has got {paid} from job {job}, and what it ran there is worth {worth}")]
    Overpaid {
        job: Digest,
        operator: Account,
        paid: u128,
        worth: u128,
    },
    #[error(
        "{operator} has got {paid} of the {owed} that job {job} owes it by its requester's word"
    )]
    Underpaid {
        job: Digest,
        operator: Account,
        paid: u128,
        owed: u128,
    },
    #[error(
        "{operator} is honest, and has got {paid} for what is worth {worth}: its requester has seen \
         that, and the escrow of job {job} had more"
    )]
    Unpaid {
        job: Digest,
        operator: Account,
        paid: u128,
        worth: u128,
    },
    #[error(
        "{operator} is honest, and {unpaid} of what it has done for {requester} is not paid: no more than \
         {bound} may be"
    )]
    TooMuchUnpaid {
        operator: Account,
        requester: NodeKey,
        unpaid: u128,
        bound: u128,
    },
    #[error("a message has {0} bytes: nobody takes it")]
    TooLong(usize),
    #[error("job {0} was taken on and has not ended: it is {1:?}")]
    NotEnded(Digest, Option<JobState>),
    #[error("the escrow of job {0} still holds {1} after all its times are over")]
    Held(Digest, u128),
    #[error("job {0} is done, and its result is wrong although nobody colludes")]
    Wrong(Digest),
    #[error("job {0} ended for the wrong result of unit {1}, which it could have made good")]
    Tainted(Digest, u32),
    #[error("{0} has {1} faults in an honest requester's eyes, and is honest, and nobody colludes")]
    Defamed(Account, u32),
    #[error("job {0} was refused: {1}")]
    Refused(Digest, Refused),
}

/// What was seen so far.
#[derive(Default)]
pub struct Laws {
    /// Whether each turn is followed to its payment, and all jobs are looked at after every step.
    pub is_thorough: bool,
    /// How each job ended, as it was first seen.
    pub endings: BTreeMap<Digest, JobState>,
    /// Jobs that were taken on, and by which node.
    pub taken: BTreeMap<Digest, usize>,
    pub(crate) broken: Option<Broken>,
    /// Who was paid for a unit of a job.
    payees: HashMap<(Digest, Digest), Vec<Account>>,
    /// How often anybody has objected to a claim.
    pub objections: u64,
    pub(crate) worth: Worth,
    /// Requesters that have objected because they believe a wrong result.
    pub(crate) deceived: BTreeSet<Account>,
}

impl Laws {
    pub(crate) fn breaks(&mut self, law: Broken) {
        self.broken.get_or_insert(law);
    }

    pub(crate) fn accepted(&mut self, job: Digest, place: usize) {
        self.taken.insert(job, place);
    }

    pub(crate) fn refused(&mut self, job: Digest, reason: Refused) {
        // Whoever has had its deadline while it was asked again is refused for good reason.
        if reason != Refused::Deadline {
            self.breaks(Broken::Refused(job, reason));
        }
    }

    pub(crate) fn ended(&mut self, job: Digest, state: JobState) {
        let before = self.endings.entry(job).or_insert_with(|| state.clone());
        if *before != state {
            let before = before.clone();
            self.breaks(Broken::Changed {
                job,
                before,
                after: state,
            });
        }
    }

    /// What an operator's right results of a job's units are worth, each unit once, in a thorough world.
    pub fn worth(&self, job: Digest, operator: Account) -> u128 {
        self.worth.of(job, operator).map(|(_, run)| run.right).sum()
    }

    /// An honest requester says that these are paid, for the first time or again.
    fn pays(&mut self, operator: Account, turns: &[Turn]) {
        for turn in turns {
            let payees = self.payees.entry((turn.job, turn.unit)).or_default();
            if !payees.contains(&operator) {
                payees.push(operator);
            }
            let cap = self.worth.cap(turn).unwrap_or(u8::MAX);
            if payees.len() > usize::from(cap) {
                let (job, unit) = (turn.job, turn.unit);
                self.breaks(Broken::PaidTooOften { job, unit, cap });
            }
        }
    }
}

impl World {
    /// Sees what is said.
    pub(crate) fn note_message(&mut self, from: usize, to: usize, message: &Outgoing) {
        self.note_refusal(from, to, message);
        match message {
            Outgoing::Assign(drafts) => {
                for draft in drafts {
                    self.overhear(draft, to);
                    let turn = &draft.assignment;
                    let replicas = draft.ticket.replicas;
                    self.gossip.assigned(turn.job, turn.unit, replicas, to);
                    if self.laws.is_thorough {
                        self.laws.worth.ordered(draft);
                    }
                }
            }
            Outgoing::Open(summons) if self.laws.is_thorough => {
                let (by, operator) = (self.nodes[from].who.node, self.nodes[to].who.operator);
                let worth = &mut self.laws.worth;
                summons
                    .iter()
                    .for_each(|summons| worth.summoned(&summons.commit.turn, &by, operator));
            }
            Outgoing::Reveal(reveals) => {
                for reveal in reveals {
                    let (job, said) = (reveal.turn.job, &reveal.statement);
                    self.gossip.shows(job, said, &reveal.outputs);
                }
            }
            Outgoing::Settle { paid, .. } if self.nodes[from].character == Character::Honest => {
                let operator = self.nodes[to].who.operator;
                if self.laws.is_thorough {
                    self.laws.pays(operator, paid);
                }
            }
            _ => {}
        }
    }

    /// Looks at the books after every call.
    pub(crate) fn look_at_bank(&mut self) {
        for (account, amount) in std::mem::take(&mut self.bank.slashed) {
            let mut nodes = self.nodes.iter();
            let owner = nodes.find(|node| node.who.operator == account);
            let is_honest = owner.is_some_and(|node| node.character.is_honest());
            if is_honest && !self.laws.deceived.contains(&account) {
                self.laws.breaks(Broken::Slashed(account, amount));
            }
        }
        if self.laws.is_thorough
            && let Err(what) = self.bank.books().check()
        {
            self.laws.breaks(Broken::Books(what));
        }
    }

    /// Looks at a requester's jobs after every step.
    pub(crate) fn look_at(&mut self, place: usize) {
        let node = &self.nodes[place];
        if !self.laws.is_thorough || !node.is_requester() || node.state != State::Up {
            return;
        }
        let jobs: Vec<_> = node.participant.jobs().collect();
        for job in jobs {
            if job.spent > job.locked {
                self.laws.breaks(Broken::Overspent {
                    job: job.id,
                    spent: job.spent,
                    locked: job.locked,
                });
            }
            if let JobState::Over(_) = job.state {
                self.laws.ended(job.id, job.state);
            }
        }
    }
}
