//! What everything that is decided at one moment needs: the time, and where wishes go.

use crate::{
    alarm::{Alarm, Alarms},
    effect::Effect,
    out::{Letters, Out},
    row::Stored,
    time::Time,
};
use core::time::Duration;
use opensky_protocol::NodeKey;

pub(crate) struct Moment<'a> {
    pub(crate) now: Time,
    pub(crate) out: &'a mut Out,
    pub(crate) alarms: &'a mut Alarms,
}

impl Moment<'_> {
    pub(crate) fn want(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    pub(crate) fn changed(&mut self, stored: Stored) {
        self.out.changed.insert(stored);
    }

    pub(crate) fn to(&mut self, node: NodeKey) -> &mut Letters {
        self.out.mail.entry(node).or_default()
    }

    /// Sets an alarm to so much later.
    pub(crate) fn wake(&mut self, alarm: Alarm, span: Duration) {
        self.alarms.set(alarm, self.now.after(span));
    }
}
