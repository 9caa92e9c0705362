//! What must hold in every world, after every step or at the end, and how jobs ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opensky_core::{Draft, Ending, JobState, Outgoing, Refused};
use opensky_protocol::{Account, Digest, PriceTerms, Statement, Ticket, Turn};

use crate::{
    character::Character,
    node::{Node, State},
    world::World,
};

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
    #[error("{operator} has got {paid} of the {owed} that job {job} owes it")]
    Underpaid {
        job: Digest,
        operator: Account,
        paid: u128,
        owed: u128,
    },
    #[error("job {0} was taken on and has not ended: it is {1:?}")]
    NotEnded(Digest, Option<JobState>),
    #[error("the escrow of job {0} still holds {1} after all its times are over")]
    Held(Digest, u128),
    #[error("job {0} is done, and its result is wrong although nobody colludes")]
    Wrong(Digest),
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
    orders: BTreeMap<Turn, (Ticket, PriceTerms)>,
    /// What an operator's run of a unit is worth.
    runs: BTreeMap<(Digest, Account, Digest), u128>,
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

    fn ordered(&mut self, draft: &Draft) {
        if self.is_thorough {
            let turn = Turn::from(&draft.assignment);
            let order = (draft.ticket.clone(), draft.assignment.ask);
            self.orders.insert(turn, order);
        }
    }

    /// An operator has a result, whatever it is.
    pub(crate) fn ran(&mut self, turn: &Turn, operator: Account, said: &Statement) {
        if let Some((ticket, ask)) = self.orders.get(turn) {
            let amount = ticket.payment(ask, said.fuel, said.output_len);
            let worth = self.runs.entry((turn.job, operator, turn.unit));
            let worth = worth.or_default();
            *worth = amount.max(*worth);
        }
    }

    /// What an operator's runs of a job's units are worth, each unit once, in a thorough world.
    pub fn worth(&self, job: Digest, operator: Account) -> u128 {
        let least = (job, operator, Digest([0; 32]));
        let most = (job, operator, Digest([255; 32]));
        self.runs.range(least..=most).map(|(_, worth)| worth).sum()
    }

    /// An honest requester says that these are paid, for the first time or again.
    fn pays(&mut self, operator: Account, turns: &[Turn]) {
        for turn in turns {
            let payees = self.payees.entry((turn.job, turn.unit)).or_default();
            if !payees.contains(&operator) {
                payees.push(operator);
            }
            let cap = self
                .orders
                .get(turn)
                .map_or(u8::MAX, |(ticket, _)| ticket.replica_cap);
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
                    let turn = &draft.assignment;
                    let replicas = draft.ticket.replicas;
                    self.gossip.assigned(turn.job, turn.unit, replicas, to);
                    self.laws.ordered(draft);
                }
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
            if owner.is_some_and(|node| node.character.is_honest()) {
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

    /// Looks at everything, after all times are over.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn conclude(&mut self) -> Result<(), Broken> {
        self.bank.books().check().map_err(Broken::Books)?;
        let taken: Vec<(Digest, usize)> = self.laws.taken.clone().into_iter().collect();
        for (job, place) in taken {
            let requester = &self.nodes[place];
            if requester.state == State::Gone {
                continue;
            }
            self.check_job(job, requester)?;
        }
        for ((job, operator), paid) in &self.bank.paid {
            let worth = self.laws.worth(*job, *operator);
            if self.laws.is_thorough && *paid > worth {
                return Err(Broken::Overpaid {
                    job: *job,
                    operator: *operator,
                    paid: *paid,
                    worth,
                });
            }
        }
        self.check_names()
    }

    fn check_job(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let state = requester.participant.job(&job).map(|view| view.state);
        let forgotten = state.is_none() && self.laws.endings.contains_key(&job);
        if !forgotten && !matches!(state, Some(JobState::Over(_))) {
            return Err(Broken::NotEnded(job, state));
        }
        if let Some(escrow) = self.bank.escrow(&job)
            && escrow.left() > 0
        {
            return Err(Broken::Held(job, escrow.left()));
        }
        if forgotten || !self.laws.is_thorough || requester.character != Character::Honest {
            return Ok(());
        }
        if state == Some(JobState::Over(Ending::Done)) && self.can_be_trusted(requester, &job) {
            self.check_result(job, requester)?;
        }
        self.check_payments(job, requester)
    }

    /// Whether no two say the same wrong thing.
    fn is_without_collusion(&self) -> bool {
        let liars = self.nodes.iter().filter(|node| node.character.lies());
        let mut kinds = BTreeSet::new();
        let mut liars = liars.map(|node| (node.character, node.character.colludes()));
        liars.all(|(character, colludes)| !colludes && kinds.insert(character))
    }

    /// Whether a result of that job must be right.
    fn can_be_trusted(&self, requester: &Node, job: &Digest) -> bool {
        let order = requester.participant.submission(job);
        let is_compared = order.is_some_and(
            |order| matches!(order.replicas, opensky_core::Replicas::Fixed(count) if count > 1),
        );
        is_compared && self.is_without_collusion()
    }

    fn check_result(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let units = requester.participant.units(&job);
        let is_wrong = |unit: &opensky_core::UnitView| {
            let truth = self.gossip.truth.get(&unit.unit);
            unit.agreed.is_some_and(|(key, _)| Some(&key) != truth)
        };
        match units.iter().any(is_wrong) {
            true => Err(Broken::Wrong(job)),
            false => Ok(()),
        }
    }

    /// Each operator has one seat in a unit that is paid, and has got what the requester has written
    /// down, unless it was not told and showed its turns to the ledger instead.
    fn check_payments(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let mut earned: BTreeMap<Account, u128> = BTreeMap::new();
        for unit in requester.participant.units(&job) {
            let mut payees = BTreeSet::new();
            for seat in unit.seats.iter().filter(|seat| seat.earned > 0) {
                *earned.entry(seat.operator).or_default() += seat.earned;
                if !payees.insert(seat.operator) {
                    return Err(Broken::PaidTwice {
                        job,
                        unit: unit.unit,
                        operator: seat.operator,
                    });
                }
            }
        }
        for (operator, owed) in earned {
            let mut nodes = self.nodes.iter();
            let node = nodes.find(|node| node.who.operator == operator);
            let is_told = |node: &Node| {
                let has_shown = node.shown.iter().any(|turn| turn.job == job);
                node.state == State::Up && !has_shown
            };
            let paid = self.bank.paid(&job, &operator);
            if node.is_some_and(is_told) && paid != owed {
                return Err(Broken::Underpaid {
                    job,
                    operator,
                    paid,
                    owed,
                });
            }
        }
        Ok(())
    }

    /// Nobody honest is taken for a liar where nobody colludes.
    fn check_names(&self) -> Result<(), Broken> {
        if !self.laws.is_thorough || !self.is_without_collusion() {
            return Ok(());
        }
        let requesters = self.nodes.iter().enumerate();
        let requesters = requesters.filter(|(_, node)| node.is_requester());
        for (place, _) in requesters.filter(|(_, node)| node.state == State::Up) {
            for node in self.nodes.iter().filter(|node| node.character.is_honest()) {
                let faults = self.faults(place, &node.who.operator);
                if faults > 0 {
                    return Err(Broken::Defamed(node.who.operator, faults));
                }
            }
        }
        Ok(())
    }
}
