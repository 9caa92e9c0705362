//! What nodes want: rows are written, messages cross a wire that loses, doubles and cuts, units run.

use core::time::Duration;

use opensky_core::{Checked, Draft, Effect, Event, Identity, Outgoing, Row};
use opensky_protocol::{
    MAX_MESSAGE_BYTES, Message, NodeKey, Offer, Order, Settlement, Turn, Verified, Work,
    World as GuestWorld,
};

use parity_scale_codec::Encode as _;

use crate::{
    character::Character,
    errands::{Errand, unsigned},
    laws::Broken,
    node::State,
    world::{Coming, World},
};

/// Bytes of a content key that is wrapped for a provider.
const WRAPPED_KEY: usize = 32 + 16;

impl World {
    /// Does what a node wants; that may be the end of its process.
    pub(crate) fn carry_out(&mut self, place: usize, effect: Effect) {
        match effect {
            Effect::Persist(rows) => self.write(place, rows),
            Effect::Send { to, message } => self.send(place, to, message),
            Effect::Execute { turn, work, .. } => self.execute(place, turn, work),
            Effect::Collect { job, .. } => self.own(place, 5, Event::Collected(job)),
            Effect::OpenEscrow {
                job,
                amount,
                deadline,
            } => self.send_errand(place, Errand::Open(job, amount, deadline)),
            Effect::CloseEscrow { .. } if self.nodes[place].character == Character::Sulky => {}
            Effect::CloseEscrow { job } => self.send_errand(place, Errand::Close(job)),
            Effect::FindEscrow { job } => self.send_errand(place, Errand::Find(job)),
            Effect::Claim(voucher) => {
                self.send_errand(place, Errand::Claim(voucher.into_signed()));
            }
            Effect::Show(proof) => self.send_errand(place, Errand::Show(*proof)),
            Effect::Publish(offer) => self.publish(place, offer),
            Effect::Accepted(job) => {
                self.laws.accepted(job, place);
                self.accepted.insert(job);
            }
            Effect::Ended(job) => self.note_ending(place, job),
            Effect::Refused { job, reason } => self.laws.refused(job, reason),
            Effect::Stop(turn) => drop(self.nodes[place].halted.insert(turn)),
            Effect::Drop(_) => {}
        }
    }

    /// A process may die at every write: before it is durable, or after.
    fn write(&mut self, place: usize, rows: Vec<Row>) {
        if let Some(trace) = &mut self.trace {
            trace.rows(&rows);
        }
        let crashes = self.dice.happens(self.weather.crash);
        let is_durable = !crashes || self.dice.happens(500);
        if is_durable && !self.weather.is_diskless {
            self.nodes[place].write(rows);
        }
        if crashes {
            let pause = 1 + self.dice.below(3_000);
            self.stop(place, Some(pause));
        }
    }

    fn execute(&mut self, place: usize, turn: Turn, work: Box<Work>) {
        let times = match self.nodes[place].character {
            Character::Silent => return,
            Character::Slow(times) => u64::from(times),
            _ => 1,
        };
        let node = &self.nodes[place];
        let (life, speed) = (
            node.life,
            node.terms.as_ref().map_or(0, |terms| terms.speed),
        );
        let usual = 10 + self.dice.below(40);
        let mut took = usual * times * 1_000_000_000 / speed.max(1);
        let node = &self.nodes[place];
        if matches!(node.character, Character::Lapsing(honest) if node.runs >= honest) {
            took += self.lease(speed, &work);
        }
        self.plan(place, took, Coming::Run(life, turn, work));
    }

    /// How long a provider of that speed has for a unit.
    fn lease(&self, speed: u64, work: &Work) -> u64 {
        let runs = work.limits.fuel.saturating_mul(4_000) / speed.max(1);
        let lease = self.policy.lease.as_millis() + u128::from(runs);
        u64::try_from(lease).unwrap_or(u64::MAX)
    }

    fn publish(&mut self, place: usize, offer: Offer) {
        if !self.is_its_operators(&offer) {
            return;
        }
        let offer = Verified::assume(unsigned(offer));
        for to in 0..self.nodes.len() {
            let hears = self.nodes[to].is_requester() && self.is_offered(place, to);
            if hears && !self.is_cut(place, to) && !self.dice.happens(self.weather.loss) {
                let after = self.dice.within(&self.weather.latency);
                self.later(to, after, Event::Offer(Box::new(offer.clone())));
            }
        }
    }

    /// Whether the ledger knows that the node is its operator's, or they are one. Whoever drives a
    /// broker has to look: what the node does is held against the operator.
    fn is_its_operators(&self, offer: &Offer) -> bool {
        let known = self.bank.books().node(&offer.node);
        let is_known = known.is_some_and(|node| node.operator == offer.operator);
        is_known || offer.operator == offer.node.into()
    }

    /// Shills work for their crony alone.
    fn is_offered(&self, place: usize, to: usize) -> bool {
        self.nodes[place].character != Character::Shill
            || self.nodes[to].character == Character::Crony
    }

    /// Whether two nodes cannot hear each other.
    fn is_cut(&self, one: usize, other: usize) -> bool {
        let side = |place: usize, sides: u64| sides >> (place % 64) & 1;
        self.cut
            .is_some_and(|sides| side(one, sides) != side(other, sides))
    }

    fn send(&mut self, from: usize, to: NodeKey, message: Outgoing) {
        let Some(message) = self.says(from, message) else {
            return;
        };
        let Some(place) = self.places.get(&to).copied() else {
            return;
        };
        self.note_message(from, place, &message);
        if self.nodes[place].character == Character::Mapper && has_reduce(&message) {
            self.stop(place, None);
        }
        let Identity {
            node: sender,
            operator,
            ..
        } = self.nodes[from].who;
        let shown = match &message {
            Outgoing::Reveal(reveals) if self.laws.is_thorough => {
                reveals.iter().map(|reveal| reveal.turn).collect()
            }
            _ => Vec::new(),
        };
        let message = seal(message);
        if let Some(trace) = &mut self.trace {
            trace.message(place, &message);
        }
        if self.nodes[place].state != State::Up || self.is_cut(from, place) {
            // The wire does not always say that nobody is there.
            if self.dice.happens(500) {
                let after = 10 * self.dice.within(&self.weather.latency);
                self.own(from, after, Event::Unreachable(to));
            }
            return;
        }
        if self.laws.is_thorough {
            let bytes = bytes_of(&message);
            if bytes > MAX_MESSAGE_BYTES {
                self.laws.breaks(Broken::TooLong(bytes));
            }
        }
        let message = Checked::assume(message);
        let mut copies = 1 + u64::from(self.dice.happens(self.weather.twice));
        while copies > 0 {
            copies -= 1;
            if self.dice.happens(self.weather.loss) {
                continue;
            }
            let after = self.dice.within(&self.weather.latency);
            if !shown.is_empty() {
                let seen = Coming::Seen(operator, shown.clone(), self.now);
                self.plan(place, after, seen);
            }
            let event = Event::Received {
                from: sender,
                message: message.clone(),
            };
            self.later(place, after, event);
            if self.dice.happens(20) {
                let span = Duration::from_millis(2 * after);
                self.own(from, 2 * after, Event::RoundTrip(to, span));
            }
        }
    }
}

/// Bytes of a message as a node sends it, with the seals that it would have.
fn bytes_of(message: &Message) -> usize {
    let (seals, keys) = match message {
        Message::Assign(orders) => (2 * orders.len(), orders.len()),
        Message::Commit(commits) => (commits.len(), 0),
        Message::Open(summons) => (summons.len(), 0),
        _ => (0, 0),
    };
    // The way to the root of a batch: one digest for each time that its length can be halved.
    let batch = seals.max(1).next_power_of_two();
    let path = 32 * batch.trailing_zeros() as usize;
    // And the tag that says that it is a message.
    1 + message.encoded_size() + seals * path + keys * WRAPPED_KEY
}

fn has_reduce(message: &Outgoing) -> bool {
    let Outgoing::Assign(drafts) = message else {
        return false;
    };
    let mut worlds = drafts.iter().map(|draft| draft.work.world);
    worlds.any(|world| world == GuestWorld::Reduce)
}

fn seal(message: Outgoing) -> Message {
    let order = |draft: Draft| Order {
        work: draft.work,
        ticket: unsigned(draft.ticket),
        assignment: unsigned(draft.assignment),
        sources: draft.sources,
        key: None,
    };
    match message {
        Outgoing::Assign(drafts) => Message::Assign(drafts.into_iter().map(order).collect()),
        Outgoing::Accept(turns) => Message::Accept(turns),
        Outgoing::Refuse(turns) => Message::Refuse(turns),
        Outgoing::Commit(commits) => Message::Commit(commits.into_iter().map(unsigned).collect()),
        Outgoing::Open(summons) => Message::Open(summons.into_iter().map(unsigned).collect()),
        Outgoing::Reveal(reveals) => Message::Reveal(reveals),
        Outgoing::Abort(turns) => Message::Abort(turns),
        Outgoing::Settle {
            paid,
            refused,
            voucher,
        } => Message::Settle(Box::new(Settlement {
            paid,
            refused,
            voucher: voucher.map(|voucher| unsigned(*voucher)),
        })),
        Outgoing::Release(turns) => Message::Release(turns),
        Outgoing::Over(jobs) => Message::Over(jobs),
    }
}
