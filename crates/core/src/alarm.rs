//! When somebody wants to be called again: one time for each alarm, the nearest first.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Digest, NodeKey, Turn};

use crate::time::Time;

/// What there is to be done at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Alarm {
    /// Seats wait to be filled and could be.
    Place,
    /// A provider may be asked again.
    Rest(NodeKey),
    /// An offer ends.
    Expiry(NodeKey),
    /// A job's escrow is to be asked for again.
    Escrow(Digest),
    /// A job goes on after a restart.
    Resume(Digest),
    /// A job has no more time.
    Deadline(Digest),
    /// A job's slow turns are to be looked at.
    Stragglers(Digest),
    /// A seat's lease ends, or it is to be asked again.
    Seat(Turn),
    /// Results of a job's unit should have been shown by now.
    Reveals(Digest, u32),
    /// More voices for a job's unit could not be found for long.
    Quorum(Digest, u32),
    /// The next offer of this node.
    Offer,
    /// A result of this node that nobody has answered.
    Result(Turn),
    /// A requester's escrow is to be looked at, or its vouchers to be claimed.
    Account(Digest),
}

/// All alarms that are set.
#[derive(Default)]
pub(crate) struct Alarms {
    order: BTreeSet<(Time, Alarm)>,
    times: BTreeMap<Alarm, Time>,
}

impl Alarms {
    /// Sets it, in place of when it was set to before.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Time) {
        if let Some(before) = self.times.insert(alarm, at) {
            self.order.remove(&(before, alarm));
        }
        self.order.insert((at, alarm));
    }

    /// Sets it unless it is set to a time that is not later.
    pub(crate) fn bring_forward(&mut self, alarm: Alarm, at: Time) {
        if self.times.get(&alarm).is_none_or(|before| at < *before) {
            self.set(alarm, at);
        }
    }

    pub(crate) fn clear(&mut self, alarm: Alarm) {
        if let Some(before) = self.times.remove(&alarm) {
            self.order.remove(&(before, alarm));
        }
    }

    /// One whose time has come. It is not set any more.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Alarm> {
        let (at, alarm) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.clear(alarm);
        Some(alarm)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }
}
