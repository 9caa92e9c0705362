//! The provider's side: takes orders, runs them, promises and shows results.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use opensky_protocol::{
    Abort, Commit, Digest, NodeKey, Order, Refusal, Reveal, Signed, Summons, Ticket, Turn, codec,
};

use crate::{
    alarm::Alarm,
    credit::{Credits, Weight},
    draw::Draws,
    earning::{Earning, Opened},
    effect::Effect,
    event::{Done, Funding, Identity, Terms},
    moment::Moment,
    policy::{Escrows, Policy},
    room::Room,
    row::Stored,
    share::Shares,
    task::{Task, TaskState, worst},
    time::{Time, back_off},
};

/// All turns of this node.
pub(crate) struct Worker {
    pub(crate) who: Identity,
    pub(crate) policy: Policy,
    pub(crate) draws: Draws,
    pub(crate) terms: Option<Terms>,
    /// Boxed, because a map moves what is in it.
    pub(crate) tasks: BTreeMap<Turn, Box<Task>>,
    pub(crate) queue: VecDeque<Turn>,
    pub(crate) running: BTreeSet<Turn>,
    pub(crate) shares: Shares,
    /// Bytes of memory that running turns may use.
    pub(crate) memory: u64,
    pub(crate) earnings: BTreeMap<Digest, Earning>,
    pub(crate) opened: BTreeMap<Digest, Opened>,
    /// What the ledger has shown of the escrows that pay.
    pub(crate) funding: BTreeMap<Digest, Funding>,
    /// Jobs whose escrow the ledger was asked for, and has not answered.
    pub(crate) looked_for: BTreeSet<Digest>,
    /// What requesters owe, and may owe.
    pub(crate) credits: Credits,
    /// Whose turns wait because of what they owe.
    pub(crate) held_up: BTreeSet<NodeKey>,
    /// Turns that are over, and what to say to whoever asks for them again.
    over: BTreeMap<Turn, Option<Abort>>,
    over_order: VecDeque<Turn>,
    pub(crate) sequence: u64,
    /// What the last offer said is free, and when.
    pub(crate) offered: Option<(u16, Time)>,
    pub(crate) refusals: BTreeMap<Refusal, u64>,
    pub(crate) is_draining: bool,
}

impl Worker {
    pub(crate) fn new(who: Identity, policy: Policy, draws: Draws) -> Self {
        Self {
            who,
            credits: Credits::new(policy.max_unpaid),
            policy,
            draws,
            terms: None,
            tasks: BTreeMap::new(),
            queue: VecDeque::new(),
            running: BTreeSet::new(),
            shares: Shares::default(),
            memory: 0,
            earnings: BTreeMap::new(),
            opened: BTreeMap::new(),
            funding: BTreeMap::new(),
            looked_for: BTreeSet::new(),
            held_up: BTreeSet::new(),
            over: BTreeMap::new(),
            over_order: VecDeque::new(),
            sequence: 0,
            offered: None,
            refusals: BTreeMap::new(),
            is_draining: false,
        }
    }

    /// Somebody wants a unit to be run.
    pub(crate) fn ordered(&mut self, from: NodeKey, order: Order, at: &mut Moment<'_>) {
        let turn = Turn::from(&order.assignment.value);
        if let Some(task) = self.tasks.get(&turn) {
            // Whoever asks again has not heard the answer.
            match task.state {
                TaskState::Queued(_) | TaskState::Running => at.to(from).accept.push(turn),
                TaskState::Promised(..) | TaskState::Shown(..) => self.promise(turn, at),
                TaskState::Unfunded(_) | TaskState::Rejected(_) => {}
            }
            return;
        }
        if let Some(end) = self.over.get(&turn) {
            let abort = end.clone().map(|abort| (turn, abort));
            at.to(from).abort.extend(abort);
            return;
        }
        match self.admits(from, &order, at.now) {
            Ok(()) => self.take(from, turn, order, at),
            Err(why) => {
                self.refuse(from, turn, why, at);
                self.look_for_money(&from, turn.job, why, at);
            }
        }
    }

    pub(crate) fn refuse(&mut self, from: NodeKey, turn: Turn, why: Refusal, at: &mut Moment<'_>) {
        *self.refusals.entry(why).or_default() += 1;
        at.to(from).refuse.push((turn, why));
    }

    fn admits(&self, from: NodeKey, order: &Order, now: Time) -> Result<(), Refusal> {
        let expect = |holds: bool, why| holds.then_some(()).ok_or(why);
        let (ticket, turn) = (&order.ticket.value, &order.assignment.value);
        expect(!self.is_draining, Refusal::Draining)?;
        let terms = self.terms.as_ref().ok_or(Refusal::Busy)?;
        let is_ours = turn.provider == self.who.node && turn.operator == self.who.operator;
        expect(is_ours && turn.broker == from, Refusal::Invalid)?;
        expect(ticket.ledger == self.who.ledger, Refusal::Ledger)?;
        let soon = now.after(self.policy.margin);
        expect(ticket.deadline > soon.0, Refusal::Deadline)?;
        let pays = terms.ask.is_within(&turn.ask) && terms.ask.is_within(&ticket.price);
        expect(pays, Refusal::Price)?;
        expect(
            terms.profiles.contains(&order.work.profile),
            Refusal::Profile,
        )?;
        let room = Room::of(&order.work.limits, ticket.input_len);
        expect(room.memory <= terms.capacity.memory, Refusal::Memory)?;
        expect(room.disk <= terms.capacity.disk, Refusal::Disk)?;
        let has_room = self.shares.allow(&from, self.policy.turns, self.most());
        expect(has_room, Refusal::Busy)?;
        expect(order.work.check().is_ok(), Refusal::Invalid)?;
        match self.funding.get(&turn.job) {
            Some(funding) => {
                expect(is_meant(funding, ticket), Refusal::Escrow)?;
                self.trusts(&turn.job, funding, worst(ticket, turn))
            }
            None if self.policy.escrow == Escrows::Assumed => Ok(()),
            None => {
                let has_room = self.shares.allow_unseen(&from, self.policy.unseen);
                expect(has_room, Refusal::Busy)
            }
        }
    }

    fn take(&mut self, from: NodeKey, turn: Turn, order: Order, at: &mut Moment<'_>) {
        let is_funded =
            self.policy.escrow == Escrows::Assumed || self.funding.contains_key(&turn.job);
        if is_funded {
            at.out.rows.push(Stored::Order(turn).holding(&order));
            self.open_account(turn.job, &order.ticket.value, at);
        }
        let work = Box::new(order.work);
        let mut sources = order.sources;
        sources.push(from);
        let state = match is_funded {
            true => TaskState::Queued(work),
            false => TaskState::Unfunded(work),
        };
        let task = Task {
            ticket: order.ticket,
            assignment: order.assignment,
            sources,
            key: order.key,
            state,
            summons: None,
            began: None,
            counted: Weight::default(),
        };
        self.keep(turn, task);
        if is_funded {
            at.to(from).accept.push(turn);
            self.wait(turn, &from);
        } else {
            self.shares.look(&from);
            self.look_for(turn.job, at);
        }
    }

    /// Writes down that something is owed for a job from now on.
    fn open_account(&mut self, job: Digest, ticket: &Ticket, at: &mut Moment<'_>) {
        if let Entry::Vacant(account) = self.earnings.entry(job) {
            let deadline = Time(ticket.deadline);
            account.insert(Earning::new(ticket.requester, deadline));
            self.count(&job, at);
            let soon = at.now.after(self.policy.claim_time);
            at.alarms.set(Alarm::Account(job), deadline.min(soon));
        }
    }

    /// The ledger has said what pays for a job.
    pub(crate) fn funded(&mut self, job: Digest, found: Option<Funding>, at: &mut Moment<'_>) {
        self.looked_for.remove(&job);
        if let Some(found) = found {
            self.note_funding(job, found, at);
        }
        for turn in self.turns_of(&job) {
            if matches!(self.tasks[&turn].state, TaskState::Unfunded(_)) {
                self.take_unfunded(turn, found, at);
            }
        }
        self.close_account(job, at);
    }

    /// A turn whose escrow was looked for is taken on, or not.
    fn take_unfunded(&mut self, turn: Turn, found: Option<Funding>, at: &mut Moment<'_>) {
        let task = &self.tasks[&turn];
        let (ticket, price) = (task.ticket.value.clone(), task.worst());
        let from = ticket.requester;
        self.shares.looked(&from);
        let allowed = match found.filter(|found| is_meant(found, &ticket)) {
            Some(found) => self.trusts(&turn.job, &found, price).map(|()| found),
            None => Err(Refusal::Escrow),
        };
        let found = match allowed {
            Ok(found) => found,
            Err(why) => {
                self.tasks.remove(&turn);
                self.shares.settle(&from);
                self.refuse(from, turn, why, at);
                return;
            }
        };
        self.open_account(turn.job, &ticket, at);
        self.note_funding(turn.job, found, at);
        let Some(task) = self.tasks.get_mut(&turn) else {
            return;
        };
        let state = core::mem::replace(&mut task.state, TaskState::Running);
        if let TaskState::Unfunded(work) = state {
            let order = task.order(&work);
            at.out.rows.push(Stored::Order(turn).holding(&order));
            task.state = TaskState::Queued(work);
        }
        at.to(from).accept.push(turn);
        self.wait(turn, &from);
    }

    pub(crate) fn keep(&mut self, turn: Turn, task: Task) {
        self.shares.take(task.ticket.value.requester);
        self.tasks.insert(turn, Box::new(task));
    }

    /// A turn waits for a core from now on.
    pub(crate) fn wait(&mut self, turn: Turn, requester: &NodeKey) {
        self.queue.push_back(turn);
        self.shares.begin(requester);
        self.weigh(&turn);
    }

    pub(crate) fn turns_of(&self, job: &Digest) -> Vec<Turn> {
        let least = Turn {
            job: *job,
            unit: Digest([0; 32]),
            attempt: 0,
        };
        let most = Turn {
            unit: Digest([255; 32]),
            attempt: u32::MAX,
            ..least
        };
        let turns = self.tasks.range(least..=most);
        turns.map(|(turn, _)| *turn).collect()
    }

    /// Promises a result, and will again until somebody answers.
    pub(crate) fn promise(&mut self, turn: Turn, at: &mut Moment<'_>) {
        let Some(task) = self.tasks.get_mut(&turn) else {
            return;
        };
        let (TaskState::Promised(done, tries) | TaskState::Shown(done, tries)) = &mut task.state
        else {
            return;
        };
        let span = back_off(self.policy.first_retry, self.policy.last_retry, *tries);
        *tries = tries.saturating_add(1);
        let commit = commit(self.draws.salt(&turn), &self.who.node, &turn, done);
        at.to(task.ticket.value.requester).commit.push(commit);
        at.wake(Alarm::Result(turn), span);
    }

    /// Nobody has said what became of a result.
    pub(crate) fn result_unanswered(&mut self, turn: Turn, at: &mut Moment<'_>) {
        let earning = self.earnings.get(&turn.job);
        let patience = earning.map(|earning| earning.ends.after(self.policy.patience));
        // After that the ledger is asked, not the requester.
        if patience.is_some_and(|end| end > at.now) {
            self.promise(turn, at);
        }
    }

    /// The requester wants to see a result. Before it does, its word for that is durable.
    pub(crate) fn opened(&mut self, from: NodeKey, summons: Signed<Summons>, at: &mut Moment<'_>) {
        let (turn, node) = (summons.value.commit.turn, self.who.node);
        let salt = self.draws.salt(&turn);
        let Some(task) = self.task_of(from, &turn) else {
            return;
        };
        let promised = task.done().map(|done| commit(salt, &node, &turn, done));
        if promised.as_ref() != Some(&summons.value.commit) {
            return;
        }
        let state = core::mem::replace(&mut task.state, TaskState::Running);
        task.state = match state {
            TaskState::Promised(done, _) | TaskState::Shown(done, _) => TaskState::Shown(done, 0),
            other => other,
        };
        let TaskState::Shown(done, _) = &task.state else {
            return;
        };
        if task.summons.is_none() {
            let row = Stored::Summons(turn).holding(&summons);
            at.out.rows.push(row);
            task.summons = Some(Box::new(summons));
        }
        let done = (**done).clone();
        let reveal = Reveal {
            turn,
            salt,
            statement: done.statement,
            signature: done.signature,
            outputs: done.outputs,
            transcript: done.transcript,
            states: done.states,
        };
        at.to(from).reveal.push(reveal);
        at.wake(Alarm::Result(turn), self.policy.first_retry);
    }

    /// The requester does not want a turn any more. What it has seen it owes all the same.
    pub(crate) fn released(&mut self, from: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let Some(task) = self.task_of(from, &turn) else {
            return;
        };
        match task.state {
            TaskState::Shown(..) | TaskState::Rejected(_) => return,
            TaskState::Running => at.want(Effect::Stop(turn)),
            TaskState::Unfunded(_) | TaskState::Queued(_) | TaskState::Promised(..) => {}
        }
        self.write_off(&turn, at);
        self.forget(turn, None, at);
    }

    /// That requester's turn.
    pub(crate) fn task_of(&mut self, from: NodeKey, turn: &Turn) -> Option<&mut Task> {
        let task = self.tasks.get_mut(turn).map(|task| &mut **task);
        task.filter(|task| task.ticket.value.requester == from)
    }

    /// An order for that turn counts as a new one.
    pub(crate) fn unremember(&mut self, turn: &Turn) {
        self.over.remove(turn);
        self.over_order.retain(|over| over != turn);
    }

    /// A turn is over.
    pub(crate) fn forget(&mut self, turn: Turn, abort: Option<Abort>, at: &mut Moment<'_>) {
        self.stopped(&turn);
        let Some(task) = self.tasks.remove(&turn) else {
            return;
        };
        let requester = &task.ticket.value.requester;
        self.credits
            .weigh(*requester, turn.job, task.counted, Weight::default());
        match task.state {
            TaskState::Queued(_) => {
                self.queue.retain(|queued| *queued != turn);
                self.shares.end(requester);
            }
            TaskState::Unfunded(_) => self.shares.looked(requester),
            _ => {}
        }
        self.shares.settle(requester);
        at.alarms.clear(Alarm::Result(turn));
        at.out.rows.push(Stored::Order(turn).row(None));
        if task.done().is_some() {
            at.out.rows.push(Stored::Done(turn).row(None));
        }
        if task.summons.is_some() {
            at.out.rows.push(Stored::Summons(turn).row(None));
        }
        if self.over.insert(turn, abort).is_none() {
            self.over_order.push_back(turn);
        }
        while self.over_order.len() > self.policy.remembered {
            let oldest = self.over_order.pop_front();
            oldest.and_then(|oldest| self.over.remove(&oldest));
        }
    }

    /// Units that it would take on at once, of all requesters together.
    pub(crate) fn free(&self) -> u16 {
        let left = self.most().saturating_sub(self.shares.busy());
        u16::try_from(left).unwrap_or(u16::MAX)
    }

    /// Turns that may wait or run.
    fn most(&self) -> usize {
        let terms = self.terms.as_ref().filter(|_| !self.is_draining);
        let cores = terms.map_or(0, |terms| usize::from(terms.capacity.cores));
        cores.saturating_mul(self.policy.queue as usize)
    }

    /// What is durable under that name now.
    pub(crate) fn stored(&self, name: &Stored) -> Option<Vec<u8>> {
        match name {
            Stored::Earning(job) => Some(codec::encode(self.earnings.get(job)?)),
            Stored::Paid(job, place) => {
                let opened = self.opened.get(job)?;
                Some(codec::encode(opened.get(*place as usize)?))
            }
            Stored::Requester(node) => Some(codec::encode(&self.credits.record(node)?)),
            _ => None,
        }
    }
}

/// What binds this node to a result.
pub(crate) fn commit(salt: Digest, node: &NodeKey, turn: &Turn, done: &Done) -> Commit {
    let key = &done.statement.compare_key;
    Commit {
        turn: *turn,
        node: *node,
        hash: Commit::hash_of(node, turn, key, &salt),
    }
}

/// Whether that escrow is the one that the ticket spends.
fn is_meant(funding: &Funding, ticket: &Ticket) -> bool {
    funding.requester == ticket.requester
        && funding.payer == ticket.payer
        && funding.ends.0 >= ticket.deadline
}
