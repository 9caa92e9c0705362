//! A world: its clock, its nodes, and what is about to happen to them.

use std::collections::{BTreeSet, HashMap};

use opensky_core::{Event, Identity, JobState, Policy, Submission, Terms, Time};
use opensky_protocol::{Account, Digest, NodeKey, Turn, Work, ledger};

use crate::{
    bank::Bank,
    calendar::Calendar,
    character::Character,
    dice::Dice,
    errands::Errand,
    gossip::Gossip,
    laws::{Broken, Laws},
    node::{Node, State},
    recorder::Recorder,
    tally::Tally,
    trace::Trace,
    weather::Weather,
};

/// When every world begins.
pub const BEGIN: Time = Time(1_000_000);

/// Something that will happen.
pub(crate) enum Coming {
    /// Over the wire: whoever is not there does not hear it.
    Word(Box<Event>),
    /// From a node's own process: it is nothing to the next one.
    Own(u32, Box<Event>),
    /// The end of a run.
    Run(u32, Turn, Box<Work>),
    /// A call reaches the ledger.
    Errand(u32, Box<Errand>),
    /// The user says it until it is taken on.
    Submit(Box<Submission>),
    /// The time that the participant has named.
    Wake,
    /// The process begins.
    Start,
    /// The process ends, for so long or for ever.
    Stop(Option<u64>),
    /// A result reaches whoever ordered it.
    Seen(Account, Vec<Turn>, Time),
    /// What is claimed from an escrow is looked at.
    Objections(Digest),
    /// The wire is cut in two, or whole again.
    Cut(Option<u64>),
}

/// A network in one thread.
pub struct World {
    /// The time of what happens now.
    pub now: Time,
    /// Its nodes, in the order in which they came.
    pub nodes: Vec<Node>,
    /// Its ledger.
    pub bank: Bank,
    /// What must hold, and what was seen.
    pub laws: Laws,
    /// A hash over everything, if somebody wants it.
    pub trace: Option<Trace>,
    /// A record of everything, if somebody wants it.
    pub recorder: Option<Recorder>,
    /// Calls of [`Participant::handle`](opensky_core::Participant::handle).
    pub handled: u64,
    /// Units that were run.
    pub executions: u64,
    /// What jobs came to.
    pub tally: Tally,
    /// How many more identities a flood of sybils has.
    pub flood: u32,
    pub(crate) policy: Policy,
    pub(crate) weather: Weather,
    pub(crate) dice: Dice,
    pub(crate) calendar: Calendar<(usize, Coming)>,
    pub(crate) places: HashMap<NodeKey, usize>,
    pub(crate) gossip: Gossip,
    /// Decides who is on which side, while the wire is cut.
    pub(crate) cut: Option<u64>,
    pub(crate) accepted: BTreeSet<Digest>,
    pub(crate) has_strangers: bool,
    dirty: Vec<usize>,
}

impl World {
    /// A world without nodes. What happens in it is decided by `seed` and by what is asked of it.
    pub fn new(seed: u64, weather: Weather, policy: Policy, terms: ledger::Terms) -> Self {
        Self {
            now: BEGIN,
            nodes: Vec::new(),
            bank: Bank::new(terms),
            laws: Laws::default(),
            trace: None,
            recorder: None,
            handled: 0,
            executions: 0,
            tally: Tally::default(),
            flood: 0,
            policy,
            weather,
            dice: Dice::new(seed),
            calendar: Calendar::new(),
            places: HashMap::new(),
            gossip: Gossip::default(),
            cut: None,
            accepted: BTreeSet::new(),
            has_strangers: false,
            dirty: Vec::new(),
        }
    }

    /// A node comes: a requester, or with terms a provider, with `money` of which it bonds what the
    /// ledger can take from it. Returns its place.
    pub fn join(&mut self, character: Character, terms: Option<Terms>, money: u128) -> usize {
        let place = self.nodes.len();
        let node = NodeKey(Digest::derive("simulated node 1", &(place as u64)).0);
        let who = Identity {
            node,
            operator: self.operator(node, character),
            ledger: self.bank.id(),
        };
        self.has_strangers |= character == Character::Stranger;
        let penalty = self.bank.books().terms().penalty;
        let bond = terms.as_ref().map_or(0, |_| penalty * 4);
        self.bank.welcome(node, money, bond);
        self.nodes
            .push(Node::new(who, character, terms, &self.policy));
        self.places.insert(node, place);
        self.gossip.note(character);
        self.plan(place, 1, Coming::Start);
        place
    }

    /// Every node is its own operator, but for those who borrow a name.
    fn operator(&self, node: NodeKey, character: Character) -> Account {
        let mut honest = self
            .nodes
            .iter()
            .filter(|other| other.character == Character::Honest && !other.is_requester());
        let victim = honest.next().map(|victim| victim.who.operator);
        let borrowed = victim.filter(|_| character == Character::Impostor);
        borrowed.unwrap_or(node.into())
    }

    /// The user of a node wants something, until it is taken on.
    pub fn submit(&mut self, place: usize, order: Submission) -> Digest {
        let id = order.id(&self.nodes[place].who);
        self.plan(place, 10, Coming::Submit(Box::new(order)));
        id
    }

    /// Something happens to a node that nobody in this world does, so many milliseconds from now.
    pub fn later(&mut self, place: usize, after: u64, event: Event) {
        self.plan(place, after, Coming::Word(Box::new(event)));
    }

    /// A node goes, so many milliseconds from now, for a time or for ever.
    pub fn leave(&mut self, place: usize, after: u64, pause: Option<u64>) {
        self.plan(place, after, Coming::Stop(pause));
    }

    /// The wire is cut in two for some time.
    pub fn split(&mut self, after: u64, span: u64) {
        let sides = self.dice.draw();
        self.plan(0, after, Coming::Cut(Some(sides)));
        self.plan(0, after + span, Coming::Cut(None));
    }

    pub(crate) fn plan(&mut self, place: usize, after: u64, coming: Coming) {
        let at = Time(self.now.0 + after.max(1));
        self.calendar.plan(at, (place, coming));
    }

    pub(crate) fn own(&mut self, place: usize, after: u64, event: Event) {
        let life = self.nodes[place].life;
        self.plan(place, after, Coming::Own(life, Box::new(event)));
    }

    /// Runs until nothing happens any more or the time is over.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn run(&mut self, until: Time) -> Result<(), Broken> {
        while let Some(at) = self.calendar.next().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.keep_books();
            while let Some((place, coming)) = self.calendar.pop(self.now) {
                self.arrive(place, coming);
                if self.weather.is_eager {
                    self.drain();
                }
            }
            self.drain();
            if let Some(broken) = self.laws.broken.take() {
                return Err(broken);
            }
        }
        Ok(())
    }

    fn arrive(&mut self, place: usize, coming: Coming) {
        let life = self.nodes.get(place).map_or(0, |node| node.life);
        match coming {
            Coming::Word(event) => self.feed(place, *event),
            Coming::Own(of, event) if of == life => self.feed(place, *event),
            Coming::Run(of, turn, _) if of == life && self.nodes[place].halted.remove(&turn) => {}
            Coming::Run(of, turn, work) if of == life => {
                let event = self.came_to(place, turn, &work);
                self.feed(place, event);
            }
            Coming::Own(..) | Coming::Run(..) => {}
            Coming::Errand(of, errand) => self.do_errand(place, of, *errand),
            Coming::Submit(order) => {
                let id = order.id(&self.nodes[place].who);
                self.feed(place, Event::Submitted(order.clone()));
                if !self.accepted.contains(&id) {
                    self.plan(place, 5_000, Coming::Submit(order));
                }
            }
            Coming::Seen(operator, turns, shown) => {
                if self.nodes[place].state == State::Up {
                    let worth = &mut self.laws.worth;
                    turns
                        .iter()
                        .for_each(|turn| worth.seen(turn, operator, shown));
                }
            }
            Coming::Objections(job) => self.look_at_claims(place, job),
            Coming::Wake => self.wake(place),
            Coming::Start => self.start(place),
            Coming::Stop(pause) => self.stop(place, pause),
            Coming::Cut(sides) => self.cut = sides,
        }
    }

    /// Calls a participant whose time has come, if it still wants that.
    fn wake(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.wake != Some(self.now) {
            return;
        }
        node.wake = None;
        match node.participant.poll_timeout() {
            Some(at) if at <= self.now => self.feed(place, Event::Timeout),
            _ => self.set_wake(place),
        }
    }

    fn set_wake(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let Some(next) = node.participant.poll_timeout() else {
            return;
        };
        let next = next.max(Time(self.now.0 + 1));
        if node.state == State::Up && node.wake.is_none_or(|planned| next < planned) {
            node.wake = Some(next);
            self.calendar.plan(next, (place, Coming::Wake));
        }
    }

    fn start(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.state != State::Down {
            return;
        }
        node.start(&self.policy);
        if let Some(recorder) = &mut self.recorder {
            recorder.join(place, node.who);
        }
        if let Some(terms) = node.terms.clone() {
            self.feed(place, Event::Capacity(Box::new(terms)));
        }
        self.feed(place, Event::Timeout);
    }

    pub(crate) fn stop(&mut self, place: usize, pause: Option<u64>) {
        let node = &mut self.nodes[place];
        if node.state == State::Gone {
            return;
        }
        node.stopped = self.now;
        match pause {
            Some(pause) => {
                node.state = State::Down;
                self.plan(place, pause, Coming::Start);
            }
            None => node.state = State::Gone,
        }
    }

    /// Something happens to a node, if it is there.
    fn feed(&mut self, place: usize, event: Event) {
        let node = &mut self.nodes[place];
        if node.state != State::Up {
            return;
        }
        if let Some(trace) = &mut self.trace {
            trace.event(place, self.now, &event);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.handle(place, self.now, event.clone());
        }
        self.handled += 1;
        node.participant.handle(self.now, event);
        if !node.is_dirty {
            node.is_dirty = true;
            self.dirty.push(place);
        }
    }

    /// Carries out what nodes want.
    fn drain(&mut self) {
        for place in std::mem::take(&mut self.dirty) {
            self.nodes[place].is_dirty = false;
            if let Some(recorder) = &mut self.recorder {
                recorder.drain(place);
            }
            while self.nodes[place].state == State::Up {
                let Some(effect) = self.nodes[place].participant.poll_effect() else {
                    break;
                };
                self.carry_out(place, effect);
            }
            self.look_at(place);
            self.set_wake(place);
        }
    }

    /// How a job has ended, if it has.
    pub fn ending(&self, job: &Digest) -> Option<&JobState> {
        self.laws.endings.get(job)
    }

    /// Wrong results that a requester knows of an operator.
    pub fn faults(&self, requester: usize, operator: &Account) -> u32 {
        let known = self.nodes[requester].participant.standing(operator);
        known.iter().map(|(_, standing)| standing.faults).sum()
    }
}
