//! When the chain has to look at a request by itself.

use opensky_protocol::{
    Digest,
    ledger::{Moment, Request, Stage},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// An open request, and what it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Due {
    /// Which.
    pub request: Digest,
    /// When the money goes back, whatever happens until then, in Unix milliseconds.
    pub deadline: u64,
    /// Where it is.
    pub stage: Stage,
}

impl Due {
    /// Of a request with that row.
    pub fn of(request: Digest, row: &Request) -> Self {
        Self {
            request,
            deadline: row.deadline,
            stage: row.stage,
        }
    }

    /// Whether its time has come.
    pub fn is_over(&self, now: Moment) -> bool {
        self.deadline <= now.time || self.stage.is_over(now)
    }

    /// Whether it can be drawn for, where nobody had committed to anything of the newest random numbers before the end of
    /// that block.
    pub fn is_drawn(&self, begun: u32) -> bool {
        matches!(self.stage, Stage::Drawing { since } if since <= begun)
    }
}
