//! When a stage on a chain is over: after some time, and after some blocks.
//!
//! Time alone would not do. A chain that stood still has a first block in which every time is over, and nobody could have
//! said anything before it; and where blocks are slow to become final, whoever waits for that hears of a stage when its time
//! is over.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// A block and its time, or the end of a stage: when both have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Moment {
    /// In Unix milliseconds.
    pub time: u64,
    /// The number of the block.
    pub block: u32,
}

impl Moment {
    /// So many milliseconds, and so many blocks, later.
    pub fn after(self, time: u64, blocks: u32) -> Self {
        Self {
            time: self.time.saturating_add(time),
            block: self.block.saturating_add(blocks),
        }
    }

    /// Whether that stage is over now.
    pub fn is_over(self, now: Self) -> bool {
        now.time >= self.time && now.block >= self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_is_over_when_both_its_time_and_its_blocks_are() {
        let begin = Moment {
            time: 1_000,
            block: 7,
        };
        let until = begin.after(500, 3);
        let at = |time, block| until.is_over(Moment { time, block });
        assert!(!at(1_000_000, 9), "the chain stood still");
        assert!(!at(1_499, 1_000), "blocks are fast");
        assert!(at(1_500, 10));
    }
}
