//! When the chain has to look at a request by itself.

use opensky_protocol::{
    Digest,
    ledger::{Request, Stage},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// An open request, and what it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Due {
    /// Which.
    pub request: Digest,
    /// When something is to be done about it, whatever happens until then, in Unix milliseconds.
    pub at: u64,
    /// If it waits for random numbers: those that nobody could know at this block.
    pub since: Option<u32>,
}

impl Due {
    /// Of a request with that row.
    pub fn of(request: Digest, row: &Request) -> Self {
        let (at, since) = match row.stage {
            Stage::Drawing { since } => (row.deadline, Some(since)),
            Stage::Promising { until } | Stage::Showing { until } => (until, None),
        };
        Self {
            request,
            at: at.min(row.deadline),
            since,
        }
    }

    /// Whether its time has come.
    pub fn is_over(&self, now: u64) -> bool {
        self.at <= now
    }

    /// Whether it can be drawn for, where the newest random numbers can have been known from that block on.
    pub fn is_drawn(&self, begun: u32) -> bool {
        self.since.is_some_and(|since| since < begun)
    }
}
