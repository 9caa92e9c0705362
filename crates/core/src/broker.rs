//! The requester's side of every job of this node: takes jobs on, has them paid for, and writes down
//! how far they are.

use std::collections::{BTreeMap, VecDeque};

use opensky_protocol::{
    Digest, JobPlan, JobSpec, MAX_MESSAGE_BYTES, NodeKey, Turn, Voucher, WorkError, codec,
};
use parity_scale_codec::Encode as _;

use crate::{
    alarm::Alarm,
    draw::Draws,
    effect::Effect,
    event::{EscrowState, Identity, Plan, Refused, Replicas, Submission},
    job::Job,
    market::Market,
    moment::Moment,
    phase::{Closing, Phase, Progress},
    policy::Policy,
    row::Stored,
    standing::Standings,
    time::Time,
    unit::Seat,
};

/// Bytes of one unit's work: an order fits into a message, with its seals and sources.
const MAX_WORK_BYTES: usize = MAX_MESSAGE_BYTES - (64 << 10);

/// All jobs of this node.
pub(crate) struct Broker {
    pub(crate) who: Identity,
    pub(crate) policy: Policy,
    pub(crate) draws: Draws,
    pub(crate) jobs: BTreeMap<Digest, Job>,
    pub(crate) market: Market,
    pub(crate) standings: Standings,
    /// Jobs that want seats, in the order in which they get some.
    pub(crate) line: VecDeque<Digest>,
    /// Jobs that are over, the oldest first.
    pub(crate) ended: VecDeque<Digest>,
    pub(crate) is_draining: bool,
}

impl Broker {
    pub(crate) fn new(who: Identity, policy: Policy, draws: Draws) -> Self {
        Self {
            market: Market::new(who.ledger, who.operator),
            who,
            policy,
            draws,
            jobs: BTreeMap::new(),
            standings: Standings::default(),
            line: VecDeque::new(),
            ended: VecDeque::new(),
            is_draining: false,
        }
    }

    /// Takes a job on, if it makes sense.
    pub(crate) fn submit(&mut self, order: Submission, at: &mut Moment<'_>) {
        let id = order.id(&self.who);
        if self.jobs.contains_key(&id) {
            at.want(Effect::Accepted(id));
            return;
        }
        if let Err(reason) = self.check(&order, at.now) {
            at.want(Effect::Refused { job: id, reason });
            return;
        }
        let progress = Progress {
            phase: Phase::Funding,
            locked: 0,
            created: at.now,
            ended: Time::default(),
        };
        let job = Job::new(id, order, progress);
        if job.escrow(&self.policy).is_none() {
            let reason = Refused::Price;
            at.want(Effect::Refused { job: id, reason });
            return;
        }
        at.changed(Stored::Submission(id));
        at.changed(Stored::Job(id));
        at.alarms.set(Alarm::Deadline(id), job.order.deadline);
        self.jobs.insert(id, job);
        at.want(Effect::Accepted(id));
        self.ask_for_escrow(id, at);
    }

    fn check(&self, order: &Submission, now: Time) -> Result<(), Refused> {
        let not_over = self.jobs.len() - self.ended.len();
        if not_over >= self.policy.jobs {
            return Err(Refused::Busy(not_over));
        }
        if self.is_draining {
            return Err(Refused::Draining);
        }
        if order.deadline <= now {
            return Err(Refused::Deadline);
        }
        let cap = order.replica_cap;
        let replicas = match order.replicas {
            Replicas::Auto => 1,
            Replicas::Fixed(count) => count,
        };
        if replicas == 0 || replicas > cap {
            return Err(Refused::Replicas { replicas, cap });
        }
        if usize::from(replicas) > self.policy.attempts {
            return Err(Refused::Seats(self.policy.attempts));
        }
        match &order.plan {
            Plan::Single(work) => work.check()?,
            Plan::Job(spec) => spec.check()?,
        }
        let (value, max, what) = (order.largest_work(), MAX_WORK_BYTES, "bytes");
        if value > max {
            return Err(WorkError::TooMany { what, value, max }.into());
        }
        let unknown = |digest: &&Digest| !order.lengths.contains_key(digest);
        match order.inputs().find(unknown) {
            Some(digest) => Err(Refused::Length(*digest)),
            None => Ok(()),
        }
    }

    pub(crate) fn ask_for_escrow(&mut self, id: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        match &job.progress.phase {
            Phase::Funding => at.want(Effect::OpenEscrow {
                job: id,
                amount: job.escrow(&self.policy).unwrap_or(u128::MAX),
                deadline: job.order.deadline,
            }),
            Phase::Over {
                escrow: Closing::Asked,
                ..
            } => at.want(Effect::CloseEscrow { job: id }),
            _ => return,
        }
        at.wake(Alarm::Escrow(id), self.policy.last_retry);
    }

    /// News of an own escrow.
    pub(crate) fn escrow(&mut self, id: Digest, state: EscrowState, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        match (&mut job.progress.phase, state) {
            (Phase::Funding, EscrowState::Locked { amount }) => {
                job.progress.phase = Phase::Running;
                job.progress.locked = amount;
                job.pool = self.market.open(&job.need, at.now);
                at.alarms.clear(Alarm::Escrow(id));
                self.queue(id);
            }
            // It was asked for before the job ended, and comes late.
            (Phase::Over { escrow, .. }, EscrowState::Locked { .. }) => {
                *escrow = Closing::Asked;
                self.ask_for_escrow(id, at);
            }
            (_, EscrowState::Locked { amount }) => {
                job.progress.locked = job.progress.locked.max(amount);
                self.queue(id);
            }
            (Phase::Funding, EscrowState::Rejected(reason)) => self.unfunded(id, reason, at),
            (Phase::Over { escrow, .. }, EscrowState::Closed | EscrowState::Rejected(_)) => {
                *escrow = Closing::Done;
                at.alarms.clear(Alarm::Escrow(id));
            }
            (_, EscrowState::Closed) => self.out_of_time(id, at),
            (_, EscrowState::Rejected(_)) => return,
        }
        at.changed(Stored::Job(id));
    }

    /// Puts a job into the line of those that want seats, if it does.
    pub(crate) fn queue(&mut self, id: Digest) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.is_queued && job.is_hungry() {
            job.is_queued = true;
            self.line.push_back(id);
        }
    }

    /// The seat of a turn, if it is that node's.
    pub(crate) fn seat(&mut self, from: &NodeKey, turn: &Turn) -> Option<(u32, &mut Seat)> {
        let job = self.jobs.get_mut(&turn.job)?;
        let index = *job.places.get(&turn.unit)?;
        let unit = job.units.get_mut(&index)?;
        let seat = unit.seats.get_mut(turn.attempt as usize)?;
        (seat.node == *from).then_some((index, seat))
    }

    /// Goes on with a job after a restart.
    pub(crate) fn resume_now(&mut self, id: Digest, at: &mut Moment<'_>) {
        match self.jobs.get(&id).map(|job| &job.progress.phase) {
            Some(Phase::Collecting) => self.collect(id, at),
            Some(Phase::Winding(_)) => self.finish_winding(id, at),
            Some(Phase::Running) => self.resume_units(id, at),
            _ => {}
        }
    }

    /// Waits for slow turns, and for voices that are hard to find, as before the restart.
    fn resume_units(&mut self, id: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let open: Vec<u32> = job.open.iter().copied().collect();
        if !open.is_empty() {
            at.wake(Alarm::Stragglers(id), self.policy.first_retry);
        }
        for index in open {
            at.wake(Alarm::Quorum(id, index), self.policy.quorum);
            self.end_outdated(id, index, at);
        }
        self.queue(id);
    }

    /// The voucher that pays those turns of that node, and all that its operator has earned from the
    /// job before.
    pub(crate) fn voucher(&self, node: &NodeKey, job: &Digest, paid: &[Turn]) -> Option<Voucher> {
        let turn = paid.first()?;
        let job = self.jobs.get(job)?;
        let seat = job.seat_of(turn)?;
        let purse = job
            .purses
            .get(&seat.operator)
            .filter(|_| seat.node == *node)?;
        Some(purse.voucher(&self.who, job.id, seat.operator))
    }

    /// What is durable under that name now.
    pub(crate) fn stored(&self, name: &Stored) -> Option<Vec<u8>> {
        match name {
            Stored::Submission(job) => Some(codec::encode(&self.jobs.get(job)?.order)),
            Stored::Job(job) => Some(codec::encode(&self.jobs.get(job)?.progress)),
            Stored::Unit(job, index) => Some(codec::encode(self.jobs.get(job)?.units.get(index)?)),
            Stored::Past(job, unit) => Some(codec::encode(self.jobs.get(job)?.past.get(unit)?)),
            Stored::Purse(job, operator) => {
                Some(codec::encode(self.jobs.get(job)?.purses.get(operator)?))
            }
            Stored::Standing(operator, profile) => {
                Some(codec::encode(self.standings.of(operator, profile)?))
            }
            _ => None,
        }
    }
}

impl Submission {
    /// Bytes of the work of any of its units, at most: of a reduce unit every shard is an input with a
    /// name, of a finish unit every partition.
    fn largest_work(&self) -> usize {
        const NAME: usize = 16;
        let named = |spec: &JobSpec| match &spec.plan {
            JobPlan::MapReduce {
                shards, partitions, ..
            } => (NAME * shards.len()).max((NAME + 32) * *partitions as usize),
            JobPlan::Stepper { .. } => NAME,
        };
        match &self.plan {
            Plan::Single(work) => work.encoded_size(),
            Plan::Job(spec) => spec.encoded_size() + named(spec),
        }
    }

    /// The digests of all blobs that the plan names as inputs.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Digest> {
        let (named, planned): (_, &[Digest]) = match &self.plan {
            Plan::Single(work) => (&work.inputs, &[]),
            Plan::Job(spec) => (&spec.inputs, planned(&spec.plan)),
        };
        named.values().chain(planned)
    }
}

fn planned(plan: &JobPlan) -> &[Digest] {
    match plan {
        JobPlan::MapReduce { shards, .. } => shards,
        JobPlan::Stepper { input, .. } => core::slice::from_ref(input),
    }
}
