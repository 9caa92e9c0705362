//! A hash over everything that happens: two runs of one seed have the same.

use opensky_core::{Event, Row, Time};
use opensky_protocol::{Digest, Message, codec};
use parity_scale_codec::Encode;

/// The hash so far.
#[derive(Clone, Default)]
pub struct Trace(blake3::Hasher);

impl Trace {
    /// The hash of all that was noted.
    pub fn digest(&self) -> Digest {
        self.0.finalize().into()
    }

    fn note(&mut self, what: &impl Encode) {
        self.0.update(&codec::encode(what));
    }

    /// Something happens to a node. Of what other nodes said, what was said was noted when it was.
    pub(crate) fn event(&mut self, place: usize, now: Time, event: &Event) {
        self.note(&(place as u64, now, kind(event)));
        match event {
            Event::Received { from, .. } | Event::Unreachable(from) => self.note(from),
            Event::Executed { turn, result } => {
                let key = result.as_ref().map(|done| done.statement.compare_key);
                self.note(&(turn, key.ok()));
            }
            Event::Claimed {
                job,
                total,
                received,
            } => self.note(&(job, total, received)),
            Event::Collected(job) | Event::Cancelled(job) => self.note(job),
            _ => {}
        }
    }

    pub(crate) fn message(&mut self, to: usize, message: &Message) {
        self.note(&(to as u64, message));
    }

    pub(crate) fn rows(&mut self, rows: &[Row]) {
        for row in rows {
            self.note(&(row.table.name(), &row.key, &row.value));
        }
    }
}

fn kind(event: &Event) -> u8 {
    match event {
        Event::Timeout => 0,
        Event::Submitted(_) => 1,
        Event::Cancelled(_) => 2,
        Event::Offer(_) => 3,
        Event::Received { .. } => 4,
        Event::Unreachable(_) => 5,
        Event::RoundTrip(..) => 6,
        Event::Executed { .. } => 7,
        Event::Collected(_) => 8,
        Event::Escrow { .. } => 9,
        Event::Funding { .. } => 10,
        Event::Claimed { .. } => 11,
        Event::Filed(_) => 12,
        Event::Capacity(_) => 13,
        Event::Drain => 14,
        Event::GivenBack { .. } => 15,
    }
}
