//! What becomes of a request.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use super::Data;
use crate::Class;

/// What whoever asked is told.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Answer {
    /// Whether there is a result, and of which kind.
    pub status: AnswerStatus,
    /// The output: itself if it is at most [`Answer::MAX_INLINE`] bytes and one of those who agree showed it, else its
    /// digest and length, as a receipt has them. Of a program's own error, the canonical bytes of the error. Nothing of
    /// all else, and nothing where the money went back.
    pub output: Data,
    /// The fuel that each was paid for.
    pub fuel: u64,
    /// How many operators have this result.
    pub agreed: u8,
    /// How many were asked.
    pub asked: u8,
}

/// How a request ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum AnswerStatus {
    /// As many operators as were asked for have the same result. It is paid, also if the program failed: see the class.
    Result(Class),
    /// There is none, and whoever paid has its money back.
    Refunded(Refund),
}

/// Why there is no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Refund {
    /// The deadline came first.
    Deadline,
    /// There were not enough operators whose offers fit.
    Committee,
    /// As many operators as may be asked were asked, and too few of them have the same result.
    Disagreement,
    /// The rules of execution turned out not to be exact: nobody can tell what is right.
    Quarantine,
}

impl Answer {
    /// Bytes of an output that is in the answer itself: 4 KiB.
    pub const MAX_INLINE: usize = 4 << 10;

    /// That there is no result.
    pub fn refunded(why: Refund, asked: u8) -> Self {
        Self {
            status: AnswerStatus::Refunded(why),
            output: Data::Inline(Vec::new()),
            fuel: 0,
            agreed: 0,
            asked,
        }
    }
}
