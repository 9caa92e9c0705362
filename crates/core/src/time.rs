//! The time as the core knows it: a number that somebody else reads from a clock.

use core::time::Duration;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

/// Unix milliseconds. Whoever calls the core makes sure that they never go back.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Default,
    Encode,
    Decode,
    DecodeWithMemTracking,
)]
pub struct Time(pub u64);

impl Time {
    /// So much later.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// Milliseconds since an earlier time; 0 if it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span in the unit of [`Time`].
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// How long to wait after so many tries that nobody answered: twice as long each time.
pub(crate) fn back_off(first: Duration, most: Duration, tries: u8) -> Duration {
    let times = 1u32.checked_shl(u32::from(tries)).unwrap_or(u32::MAX);
    first.saturating_mul(times).min(most)
}
