//! The driver: nodes, the wire between them, and what carries out their wishes.

use std::collections::{BTreeMap, BTreeSet};

use opensky_core::{
    Checked, Draft, Effect, EscrowState, Event, Identity, JobState, Outgoing, Participant, Policy,
    Row, Submission, Table, Terms, Time,
};
use opensky_protocol::{
    Abort, Account, Capacity, Digest, Message, NodeKey, Offer, Order, PriceTerms, Profile, Seal,
    Settlement, Signed, Turn, Verified, Work,
};

use crate::{guest, ledger::Ledger};

pub const PROFILE: &str = "1";

/// How a node behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Character {
    Honest,
    /// Its results are wrong: all liars of one number say the same.
    Liar(u8),
    /// It takes orders and never answers again.
    Silent,
    /// It promises results and never shows them.
    Hiding,
    /// Its machine fails at everything.
    Failing,
    /// It takes so many times as long.
    Slow(u64),
    /// It is honest so often, and lies from then on.
    Turncoat(u64),
    /// It is gone for ever as soon as it is asked to reduce.
    Mapper,
}

/// What goes wrong on the wire and in machines, in parts of 1,000.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub loss: u64,
    pub twice: u64,
    /// A write of rows is the last thing that the process does, or not even that.
    pub crash: u64,
}

impl Faults {
    pub const NONE: Self = Self {
        loss: 0,
        twice: 0,
        crash: 0,
    };
}

pub struct Node {
    pub who: Identity,
    pub character: Character,
    pub participant: Participant,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    terms: Option<Terms>,
    pub evidence: BTreeSet<Turn>,
    runs: u64,
    pub is_gone: bool,
}

enum Coming {
    Event(Box<Event>),
    /// The end of a run: it is gone if the process is another by then.
    Run(Turn, Box<Work>, u32),
    Restart,
    /// The user says it until it is taken on.
    Submit(Box<Submission>),
}

pub struct World {
    pub now: Time,
    pub policy: Policy,
    pub ledger: Ledger,
    pub nodes: Vec<Node>,
    lives: Vec<u32>,
    /// Who has made which blobs.
    blobs: BTreeMap<Digest, BTreeSet<usize>>,
    coming: BTreeMap<(Time, u64), (usize, Coming)>,
    faults: Faults,
    seed: u64,
    drawn: u64,
    accepted: BTreeSet<Digest>,
    /// How each job ended, as it was first told.
    pub endings: BTreeMap<Digest, JobState>,
    pub executions: u64,
    pub handled: u64,
    /// A hash over everything that was handled, if somebody wants it.
    pub trace: Option<Digest>,
}

pub fn key(number: u64) -> NodeKey {
    NodeKey(Digest::derive("test node 1", &number).0)
}

pub const LEDGER: Digest = Digest([7; 32]);
pub const ASK: PriceTerms = PriceTerms {
    dispatch: 100,
    per_gfuel: 1_000_000,
    per_gib: 1_000,
};

impl World {
    /// Node 0 is the requester; the others are providers, each its own operator.
    pub fn new(seed: u64, faults: Faults, policy: Policy, providers: &[Character]) -> Self {
        let mut world = Self {
            now: Time(1_000_000),
            policy,
            ledger: Ledger::default(),
            nodes: Vec::new(),
            lives: Vec::new(),
            blobs: BTreeMap::new(),
            coming: BTreeMap::new(),
            faults,
            seed,
            drawn: 0,
            accepted: BTreeSet::new(),
            endings: BTreeMap::new(),
            executions: 0,
            handled: 0,
            trace: None,
        };
        world.join(Character::Honest, None);
        for character in providers {
            world.join(*character, Some(terms()));
        }
        world
    }

    pub fn join(&mut self, character: Character, terms: Option<Terms>) -> usize {
        let place = self.nodes.len();
        let node = key(place as u64);
        let who = Identity {
            node,
            operator: node.into(),
            ledger: LEDGER,
        };
        let node = Node {
            who,
            character,
            participant: restore(who, &self.policy, &BTreeMap::new()),
            rows: BTreeMap::new(),
            terms,
            evidence: BTreeSet::new(),
            runs: 0,
            is_gone: false,
        };
        self.nodes.push(node);
        self.lives.push(0);
        self.schedule(place, 1, Coming::Restart);
        place
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let digest = Digest::derive("test draw 1", &(self.seed, self.drawn));
        u64::from_le_bytes(digest.0[..8].try_into().unwrap())
    }

    fn happens(&mut self, parts: u64) -> bool {
        parts > 0 && self.draw() % 1_000 < parts
    }

    fn schedule(&mut self, node: usize, after: u64, coming: Coming) {
        self.drawn += 1;
        let at = Time(self.now.0 + after);
        self.coming.insert((at, self.drawn), (node, coming));
    }

    pub fn submit(&mut self, order: Submission) -> Digest {
        let id = order.id(&self.nodes[0].who);
        self.schedule(0, 10, Coming::Submit(Box::new(order)));
        id
    }

    pub fn later(&mut self, node: usize, after: u64, what: Event) {
        self.schedule(node, after, event(what));
    }

    /// Runs until nothing happens any more or the time is over.
    pub fn run(&mut self, until: Time) {
        loop {
            let next = self.coming.first_key_value().map(|((at, _), _)| *at);
            let alarm = (0..self.nodes.len())
                .filter(|node| !self.nodes[*node].is_gone)
                .filter_map(|node| Some((self.nodes[node].participant.poll_timeout()?, node)))
                .min();
            let now = match (next, alarm) {
                (Some(next), Some((alarm, _))) => next.min(alarm),
                (Some(next), None) => next,
                (None, Some((alarm, _))) => alarm,
                (None, None) => return,
            };
            if now > until {
                return;
            }
            self.now = self.now.max(now);
            match next.filter(|next| *next <= self.now) {
                Some(_) => {
                    let (_, (node, coming)) = self.coming.pop_first().unwrap();
                    self.arrive(node, coming);
                }
                None => self.handle(alarm.unwrap().1, Event::Timeout),
            }
        }
    }

    fn arrive(&mut self, node: usize, coming: Coming) {
        match coming {
            Coming::Event(event) => self.handle(node, *event),
            Coming::Run(turn, work, life) if life == self.lives[node] => {
                let result = self.result(node, &work);
                self.executions += 1;
                self.handle(node, Event::Executed { turn, result });
            }
            Coming::Run(..) => {}
            Coming::Restart => self.start(node),
            Coming::Submit(order) => {
                let id = order.id(&self.nodes[node].who);
                self.handle(node, Event::Submitted(order.clone()));
                if !self.accepted.contains(&id) {
                    self.schedule(node, 5_000, Coming::Submit(order));
                }
            }
        }
    }

    fn start(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        one.participant = restore(one.who, &self.policy, &one.rows);
        self.lives[node] += 1;
        if let Some(terms) = one.terms.clone() {
            self.handle(node, Event::Capacity(Box::new(terms)));
        }
        self.handle(node, Event::Timeout);
    }

    fn result(&mut self, node: usize, work: &Work) -> Result<Box<opensky_core::Done>, Abort> {
        let is_lost = |digest: &Digest| {
            let makers = self.blobs.get(digest);
            makers.is_some_and(|makers| makers.iter().all(|maker| self.nodes[*maker].is_gone))
        };
        let lost = work.inputs.iter().find(|(_, digest)| is_lost(digest));
        if let Some((name, _)) = lost {
            return Err(Abort::MissingInput(name.clone()));
        }
        let one = &mut self.nodes[node];
        one.runs += 1;
        let (class, outputs) = guest::honest(work);
        let outputs = match one.character {
            Character::Failing => return Err(Abort::HostMemory),
            Character::Liar(how) => guest::lie(&outputs, how),
            Character::Turncoat(honest) if one.runs > honest => guest::lie(&outputs, 0),
            _ => outputs,
        };
        for output in outputs.0.values() {
            self.blobs.entry(output.digest).or_default().insert(node);
        }
        Ok(Box::new(guest::done(one.who.node, work, class, outputs)))
    }

    pub fn handle(&mut self, node: usize, event: Event) {
        if self.nodes[node].is_gone {
            return;
        }
        self.handled += 1;
        if let Some(trace) = &mut self.trace {
            let text = format!("{event:?}");
            let note = (*trace, node as u64, self.now.0, text);
            *trace = Digest::derive("test trace 1", &note);
        }
        self.nodes[node].participant.handle(self.now, event);
        while let Some(effect) = self.nodes[node].participant.poll_effect() {
            if !self.carry_out(node, effect) {
                break;
            }
        }
        self.check(node);
    }

    /// What has ended stays as it ended.
    fn check(&mut self, node: usize) {
        if node != 0 {
            return;
        }
        for job in self.nodes[0].participant.jobs() {
            assert!(job.spent <= job.locked, "{} of {}", job.spent, job.locked);
            if let JobState::Over(_) = &job.state {
                let first = self.endings.entry(job.id).or_insert(job.state.clone());
                assert_eq!(*first, job.state, "terminal stays terminal");
            }
        }
    }

    /// Returns whether the process lives on.
    fn carry_out(&mut self, node: usize, effect: Effect) -> bool {
        let own = self.nodes[node].who;
        match effect {
            Effect::Persist(rows) => return self.write(node, rows),
            Effect::Send { to, message } => self.send(node, to, message),
            Effect::Execute { turn, work, .. } => self.execute(node, turn, work),
            Effect::Collect { job, .. } => self.later(node, 5, Event::Collected(job)),
            Effect::OpenEscrow {
                job,
                amount,
                deadline,
            } => {
                let amount = self.ledger.open(own, job, amount, deadline);
                let state = EscrowState::Locked { amount };
                self.later(node, 50, Event::Escrow { job, state });
            }
            Effect::CloseEscrow { job } => {
                self.ledger.close(&job);
                let state = EscrowState::Closed;
                self.later(node, 50, Event::Escrow { job, state });
            }
            Effect::FindEscrow { job } => {
                let found = self.ledger.find(&job);
                self.later(node, 5, Event::Funding { job, found });
            }
            Effect::Claim(voucher) => {
                assert_eq!(voucher.operator, own.operator);
                self.ledger.claim(&voucher);
                let (job, total) = (voucher.escrow, voucher.total);
                self.later(node, 50, Event::Claimed { job, total });
            }
            Effect::Show(proof) => {
                let turns: Vec<Turn> = proof.turns.iter().map(|turn| turn.commit.turn).collect();
                self.nodes[node].evidence.extend(turns.iter().copied());
                self.later(node, 50, Event::Filed(turns));
            }
            Effect::Publish(offer) => self.publish(node, offer),
            Effect::Accepted(job) => drop(self.accepted.insert(job)),
            Effect::Stop(_) | Effect::Drop(_) | Effect::Ended(_) => {}
            Effect::Refused { job, reason } => panic!("{job} was refused: {reason}"),
        }
        true
    }

    fn write(&mut self, node: usize, rows: Vec<Row>) -> bool {
        let crashes = self.happens(self.faults.crash);
        if crashes && self.draw().is_multiple_of(2) {
            self.crash(node);
            return false;
        }
        for row in rows {
            let key = (row.table, row.key);
            match row.value {
                Some(value) => drop(self.nodes[node].rows.insert(key, value)),
                None => drop(self.nodes[node].rows.remove(&key)),
            }
        }
        if crashes {
            self.crash(node);
        }
        !crashes
    }

    /// The process dies, and is there again after a while; until then nothing reaches it.
    fn crash(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        one.participant = restore(one.who, &self.policy, &one.rows);
        // What the new process would do at once it does when it starts.
        self.lives[node] += 1;
        let pause = 1 + self.draw() % 3_000;
        self.schedule(node, pause, Coming::Restart);
    }

    fn execute(&mut self, node: usize, turn: Turn, work: Box<Work>) {
        let character = self.nodes[node].character;
        let times = match character {
            Character::Silent => return,
            Character::Slow(times) => times,
            _ => 1,
        };
        let took = (10 + self.draw() % 40) * times;
        let life = self.lives[node];
        self.schedule(node, took, Coming::Run(turn, work, life));
    }

    fn publish(&mut self, node: usize, offer: Offer) {
        let offer = Verified::assume(sealed(offer));
        let brokers: Vec<usize> = (0..self.nodes.len()).filter(|to| *to != node).collect();
        for to in brokers {
            if self.nodes[to].terms.is_none() && !self.happens(self.faults.loss) {
                let after = 1 + self.draw() % 20;
                self.later(to, after, Event::Offer(Box::new(offer.clone())));
            }
        }
    }

    fn send(&mut self, from: usize, to: NodeKey, message: Outgoing) {
        let hides = self.nodes[from].character == Character::Hiding;
        if hides && matches!(message, Outgoing::Reveal(_)) {
            return;
        }
        let place = self.nodes.iter().position(|node| node.who.node == to);
        let place = place.expect("messages go to somebody");
        if self.nodes[place].character == Character::Mapper && has_reduce(&message) {
            self.nodes[place].is_gone = true;
        }
        let from = self.nodes[from].who.node;
        let message = Checked::assume(seal(message));
        let copies = 1 + u64::from(self.happens(self.faults.twice));
        for _ in 0..copies {
            if !self.happens(self.faults.loss) {
                let after = 1 + self.draw() % 30;
                let message = message.clone();
                self.later(place, after, Event::Received { from, message });
            }
        }
    }

    pub fn is_over(&self, job: &Digest) -> Option<&JobState> {
        self.endings.get(job)
    }

    pub fn faults_of(&self, operator: &Account) -> u32 {
        let known = self.nodes[0].participant.standing(operator);
        known.iter().map(|(_, standing)| standing.faults).sum()
    }
}

fn event(event: Event) -> Coming {
    Coming::Event(Box::new(event))
}

fn restore(
    who: Identity,
    policy: &Policy,
    rows: &BTreeMap<(Table, Vec<u8>), Vec<u8>>,
) -> Participant {
    let rows = rows.iter().map(|((table, key), value)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    let restored = Participant::restore(who, policy.clone(), who.node.0, rows);
    restored.expect("a participant reads its own rows")
}

pub fn terms() -> Terms {
    Terms {
        ask: ASK,
        capacity: Capacity {
            cores: 2,
            memory: 4 << 30,
            disk: 1 << 40,
            uplink: 1 << 20,
        },
        speed: 1_000_000_000,
        profiles: vec![Profile::new(PROFILE)],
        labels: BTreeMap::new(),
    }
}

fn has_reduce(message: &Outgoing) -> bool {
    let Outgoing::Assign(drafts) = message else {
        return false;
    };
    let mut worlds = drafts.iter().map(|draft| draft.work.world);
    worlds.any(|world| world == opensky_protocol::World::Reduce)
}

fn sealed<T>(value: T) -> Signed<T> {
    let seal = Seal::NONE;
    Signed { value, seal }
}

fn seal(message: Outgoing) -> Message {
    let order = |draft: Draft| Order {
        work: draft.work,
        ticket: sealed(draft.ticket),
        assignment: sealed(draft.assignment),
        sources: draft.sources,
        key: None,
    };
    match message {
        Outgoing::Assign(drafts) => Message::Assign(drafts.into_iter().map(order).collect()),
        Outgoing::Accept(turns) => Message::Accept(turns),
        Outgoing::Refuse(turns) => Message::Refuse(turns),
        Outgoing::Commit(commits) => Message::Commit(commits.into_iter().map(sealed).collect()),
        Outgoing::Open(turns) => Message::Open(turns),
        Outgoing::Reveal(reveals) => Message::Reveal(reveals),
        Outgoing::Abort(turns) => Message::Abort(turns),
        Outgoing::Settle {
            paid,
            refused,
            voucher,
        } => Message::Settle(Box::new(Settlement {
            paid,
            refused,
            voucher: voucher.map(|voucher| sealed(*voucher)),
        })),
        Outgoing::Release(turns) => Message::Release(turns),
        Outgoing::Over(jobs) => Message::Over(jobs),
    }
}
