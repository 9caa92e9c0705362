//! One turn, from the worker's side: what was ordered, and how far it is.

use opensky_protocol::{Assignment, NodeKey, Order, Signed, Ticket, Work, WrappedKey};

use crate::{event::Done, room::Room};

/// One turn of this node that is not over.
pub(crate) struct Task {
    pub(crate) ticket: Signed<Ticket>,
    pub(crate) assignment: Signed<Assignment>,
    pub(crate) sources: Vec<NodeKey>,
    pub(crate) key: Option<WrappedKey>,
    pub(crate) state: TaskState,
}

pub(crate) enum TaskState {
    /// It waits for the ledger to show the escrow. There is no row of it: it was not accepted, so the
    /// requester asks again after a crash.
    Unfunded(Box<Work>),
    Queued(Box<Work>),
    Running,
    /// The requester has been told, so often, that there is a result.
    Promised(Box<Done>, u8),
    /// The requester has the result.
    Shown(Box<Done>, u8),
    /// The requester says that the result is wrong.
    Rejected(Box<Done>),
}

impl Task {
    /// The order that it came with.
    pub(crate) fn order(&self, work: &Work) -> Order {
        let ordered = self.sources.len().min(Order::MAX_SOURCES);
        Order {
            work: work.clone(),
            ticket: self.ticket.clone(),
            assignment: self.assignment.clone(),
            sources: self.sources[..ordered].to_vec(),
            key: self.key,
        }
    }

    /// The result, if there is one.
    pub(crate) fn done(&self) -> Option<&Done> {
        match &self.state {
            TaskState::Promised(done, _)
            | TaskState::Shown(done, _)
            | TaskState::Rejected(done) => Some(done),
            TaskState::Unfunded(_) | TaskState::Queued(_) | TaskState::Running => None,
        }
    }

    /// Bytes of memory that it takes while it runs.
    pub(crate) fn memory(&self) -> u64 {
        let ticket = &self.ticket.value;
        Room::of(&ticket.limits, ticket.input_len).memory
    }

    /// What is owed for its result.
    pub(crate) fn owed(&self) -> u128 {
        let said = self.done().map(|done| &done.statement);
        said.map_or(0, |said| {
            let ask = &self.assignment.value.ask;
            self.ticket.value.payment(ask, said.fuel, said.output_len)
        })
    }
}
