//! One turn, from the worker's side: what was ordered, and how far it is.

use opensky_protocol::{Assignment, NodeKey, Order, Signed, Summons, Ticket, Work, WrappedKey};

use crate::{credit::Weight, event::Done, room::Room, time::Time};

/// One turn of this node that is not over.
pub(crate) struct Task {
    pub(crate) ticket: Signed<Ticket>,
    pub(crate) assignment: Signed<Assignment>,
    pub(crate) sources: Vec<NodeKey>,
    pub(crate) key: Option<WrappedKey>,
    pub(crate) state: TaskState,
    /// The requester's word that it wants to see the result. Whoever has it is paid by the ledger if not by
    /// the requester.
    pub(crate) summons: Option<Box<Signed<Summons>>>,
    /// When it was handed over to be run.
    pub(crate) began: Option<Time>,
    /// What it was counted for last.
    pub(crate) counted: Weight,
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

    /// The most that it can come to cost.
    pub(crate) fn worst(&self) -> u128 {
        worst(&self.ticket.value, &self.assignment.value)
    }

    /// What it counts for, as it is.
    pub(crate) fn weight(&self) -> Weight {
        let mut weight = Weight::default();
        match &self.state {
            TaskState::Unfunded(_) => {}
            TaskState::Queued(_) => weight.committed = self.worst(),
            TaskState::Running => {
                weight.committed = self.worst();
                weight.running = weight.committed;
            }
            TaskState::Promised(..) | TaskState::Shown(..) | TaskState::Rejected(_) => {
                weight.committed = self.owed();
                weight.done = weight.committed;
            }
        }
        weight
    }

    /// What was done of it so far is worth: its result, or as much as a core of that speed, in fuel per
    /// second, can have run since it was handed over.
    pub(crate) fn spent(&self, speed: u64, now: Time) -> u128 {
        match (&self.state, self.began) {
            (TaskState::Unfunded(_) | TaskState::Queued(_), _) | (TaskState::Running, None) => 0,
            (TaskState::Running, Some(began)) => {
                let fuel = now.since(began).saturating_mul(speed) / 1_000;
                let ask = &self.assignment.value.ask;
                self.ticket.value.payment(ask, fuel, 0)
            }
            _ => self.owed(),
        }
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

/// The most that a turn can come to cost.
pub(crate) fn worst(ticket: &Ticket, turn: &Assignment) -> u128 {
    let ask = turn.ask.capped(&ticket.price);
    ask.worst_case(&ticket.limits, ticket.input_len)
}
