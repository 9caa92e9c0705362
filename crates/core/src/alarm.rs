//! When somebody wants to be called again: one time for each alarm, the nearest first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

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

/// All alarms that are set. Of one time, the one that was set first comes first.
#[derive(Default)]
pub(crate) struct Alarms {
    /// When each is set to, and by which setting.
    times: BTreeMap<Alarm, (Time, u64)>,
    /// All settings, those too that do not hold any more, but the first one always does.
    order: BinaryHeap<Reverse<Setting>>,
    settings: u64,
}

/// Ordered by time and number alone: a number is given once.
struct Setting {
    at: Time,
    number: u64,
    alarm: Alarm,
}

impl Setting {
    fn key(&self) -> (Time, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Setting {}

impl PartialOrd for Setting {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Setting {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Settings that do not hold any more and are kept, beside three times as many as do.
const SLACK: usize = 64;

impl Alarms {
    /// Sets it, in place of when it was set to before.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Time) {
        self.settings += 1;
        let number = self.settings;
        let before = self.times.insert(alarm, (at, number));
        self.order.push(Reverse(Setting { at, number, alarm }));
        if let Some((_, before)) = before {
            self.pass_over(before);
        }
        if self.order.len() > 4 * self.times.len() + SLACK {
            let times = &self.times;
            self.order.retain(|Reverse(one)| holds(times, one));
        }
    }

    /// Sets it unless it is set to a time that is not later.
    pub(crate) fn bring_forward(&mut self, alarm: Alarm, at: Time) {
        if self
            .times
            .get(&alarm)
            .is_none_or(|(before, _)| at < *before)
        {
            self.set(alarm, at);
        }
    }

    pub(crate) fn clear(&mut self, alarm: Alarm) {
        if let Some((_, number)) = self.times.remove(&alarm) {
            self.pass_over(number);
        }
    }

    /// That setting does not hold any more: if it is the first, the next one that holds becomes it.
    fn pass_over(&mut self, number: u64) {
        let first = self.order.peek();
        if first.is_none_or(|Reverse(first)| first.number != number) {
            return;
        }
        self.order.pop();
        while let Some(Reverse(first)) = self.order.peek() {
            if holds(&self.times, first) {
                return;
            }
            self.order.pop();
        }
    }

    /// One whose time has come. It is not set any more.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Alarm> {
        let Reverse(first) = self.order.peek()?;
        let alarm = first.alarm;
        if first.at > now {
            return None;
        }
        self.clear(alarm);
        Some(alarm)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.order.peek().map(|Reverse(first)| first.at)
    }
}

fn holds(times: &BTreeMap<Alarm, (Time, u64)>, one: &Setting) -> bool {
    let set = times.get(&one.alarm);
    set.is_some_and(|(_, number)| *number == one.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(byte: u8) -> Alarm {
        Alarm::Deadline(Digest([byte; 32]))
    }

    fn due(alarms: &mut Alarms, now: u64) -> Vec<Alarm> {
        std::iter::from_fn(|| alarms.pop(Time(now))).collect()
    }

    #[test]
    fn only_the_last_setting_of_each_holds() {
        let mut alarms = Alarms::default();
        alarms.set(job(1), Time(5));
        alarms.set(job(2), Time(6));
        alarms.set(job(1), Time(9));
        alarms.bring_forward(job(1), Time(10));
        assert_eq!(alarms.next(), Some(Time(6)));
        alarms.bring_forward(job(2), Time(4));
        assert_eq!(alarms.next(), Some(Time(4)));
        alarms.clear(job(2));
        assert_eq!(alarms.next(), Some(Time(9)));
        assert_eq!(due(&mut alarms, 8), []);
        assert_eq!(due(&mut alarms, 9), [job(1)]);
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn settings_that_do_not_hold_are_forgotten() {
        let mut alarms = Alarms::default();
        for time in 0..10_000 {
            alarms.set(job(1), Time(1_000 + time));
            alarms.set(job(2), Time(20_000 - time));
        }
        assert!(alarms.order.len() <= 4 * 2 + SLACK);
        assert_eq!(due(&mut alarms, 20_000), [job(2), job(1)]);
    }
}
