//! What those do who have no part in a job and can read the ledger: they send providers orders of
//! their own that name it.

use opensky_core::{Checked, Draft, Event, Plan};
use opensky_protocol::{Assignment, Digest, Message, NodeKey, Order, Ticket, Work};

use crate::{
    character::Character,
    errands::unsigned,
    node::{Node, State},
    orders,
    world::World,
};

/// Providers that a stranger writes to about one job.
const LETTERS: u64 = 3;
/// Milliseconds that near deadlines are away, and far ones.
const NEAR: u64 = 2_000;
const FAR: u64 = 30 * 24 * 3_600_000;

impl World {
    /// Somebody has opened an escrow, as everyone can see.
    pub(crate) fn tempt(&mut self, job: Digest) {
        for stranger in self.strangers() {
            let providers: Vec<usize> = self.up(|node| !node.is_requester());
            for _ in 0..LETTERS.min(providers.len() as u64) {
                let to = providers[self.dice.below(providers.len() as u64) as usize];
                let order = orders::single(self.dice.draw());
                let Plan::Single(work) = order.plan else {
                    continue;
                };
                self.lure(stranger, to, job, *work, 0);
            }
        }
    }

    /// Somebody has ordered a turn. Whoever knows its name can name it too.
    pub(crate) fn overhear(&mut self, draft: &Draft, to: usize) {
        for stranger in self.strangers() {
            if self.dice.happens(300) {
                let (job, attempt) = (draft.assignment.job, draft.assignment.attempt);
                self.lure(stranger, to, job, draft.work.clone(), attempt);
            }
        }
    }

    fn strangers(&self) -> Vec<usize> {
        if self.has_strangers {
            return self.up(|node| node.character == Character::Stranger);
        }
        Vec::new()
    }

    fn up(&self, does: impl Fn(&Node) -> bool) -> Vec<usize> {
        let nodes = self.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| node.state == State::Up && does(node));
        nodes.map(|(place, _)| place).collect()
    }

    /// Orders work of a provider in its own name, to be paid by somebody else's escrow.
    fn lure(&mut self, stranger: usize, to: usize, job: Digest, work: Work, attempt: u32) {
        let away = match self.dice.happens(500) {
            true => NEAR,
            false => FAR,
        };
        let deadline = self.now.0 + away;
        let requester: NodeKey = self.nodes[stranger].who.node;
        let provider = self.nodes[to].who;
        let unit = work.unit();
        let ticket = Ticket {
            unit,
            job,
            requester,
            payer: requester.into(),
            ledger: provider.ledger,
            price: orders::ASK,
            replicas: 1,
            replica_cap: 7,
            input_len: 1_000,
            limits: work.limits,
            deadline,
        };
        let assignment = Assignment {
            unit,
            job,
            broker: requester,
            provider: provider.node,
            operator: provider.operator,
            ask: orders::ASK,
            attempt,
            lease: FAR,
        };
        let order = Order {
            work,
            ticket: unsigned(ticket),
            assignment: unsigned(assignment),
            sources: Vec::new(),
            key: None,
        };
        let message = Checked::assume(Message::Assign(vec![order]));
        let after = self.dice.within(&self.weather.latency);
        let event = Event::Received {
            from: requester,
            message,
        };
        self.later(to, after, event);
    }
}
