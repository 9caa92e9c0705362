//! How often the parent looks for answers: to be woken for each one costs more than a tiny unit
//! does, so answers are let gather where nobody would notice the wait.

use std::time::{Duration, Instant};

/// The longest that an answer is left lying. Some thirty of the tiniest units fit into it, and their
/// answers into the socket several times over: a worker whose answers do not fit waits.
const LONGEST: Duration = Duration::from_micros(300);
/// Fewer answers than this are not worth a pause.
const FEWEST: u32 = 4;

/// The pace of one batch, as its answers come in.
pub(super) struct Pace {
    looked: Instant,
    taken: u32,
}

impl Pace {
    /// The pace of a batch that was given at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            looked: now,
            taken: 0,
        }
    }

    /// Counts an answer.
    pub fn took(&mut self) {
        self.taken += 1;
    }

    /// How long to let answers gather when all that came were taken and `left` are to come: until
    /// half of them are there, at the pace since this was asked last. `None`: wait for the next.
    pub fn pause(&mut self, now: Instant, left: usize) -> Option<Duration> {
        let each = now.duration_since(self.looked).checked_div(self.taken);
        *self = Self::new(now);
        let each = each?;
        let half = u32::try_from(left / 2).unwrap_or(u32::MAX);
        let pause = each.saturating_mul(half).min(LONGEST);
        (pause >= each * FEWEST).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// The pause after `taken` answers in `micros`, with `left` to come.
    fn pause(taken: u32, micros: u32, left: usize) -> Option<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        (0..taken).for_each(|_| pace.took());
        pace.pause(start + MICROSECOND * micros, left)
    }

    #[test]
    fn tiny_units_gather_until_half_of_them_are_there() {
        assert_eq!(pause(10, 100, 20), Some(MICROSECOND * 100));
        assert_eq!(pause(1, 10, 1000), Some(LONGEST));
    }

    #[test]
    fn nothing_gathers_where_somebody_would_notice() {
        assert_eq!(pause(0, 100, 1000), None, "the first answer");
        assert_eq!(pause(10, 100, 7), None, "the last answers");
        assert_eq!(pause(10, 1000, 1000), None, "answers of larger units");
        assert_eq!(pause(1, 10_000_000, usize::MAX), None);
    }

    #[test]
    fn pace_is_that_since_the_last_pause() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.took();
        let slow = start + Duration::from_secs(1);
        assert_eq!(pace.pause(slow, 100), None);
        (0..10).for_each(|_| pace.took());
        let fast = slow + MICROSECOND * 50;
        assert_eq!(pace.pause(fast, 40), Some(MICROSECOND * 100));
    }
}
