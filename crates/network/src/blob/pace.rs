//! Keeps what is sent below a rate.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What may be sent at once after a pause: a second's worth would be a burst, nothing would waste
/// what a timer oversleeps.
const SLACK: Duration = Duration::from_millis(100);

/// A rate that all streams share.
#[derive(Debug)]
pub struct Pace {
    per_second: Option<u64>,
    /// When what was sent so far is paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    pub fn new(per_second: Option<u64>) -> Self {
        Self {
            per_second,
            paid: Mutex::new(Instant::now()),
        }
    }

    /// How long to wait before `bytes` more may be sent. They count as sent.
    pub fn wait(&self, bytes: usize, now: Instant) -> Duration {
        let Some(per_second) = self.per_second else {
            return Duration::ZERO;
        };
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(per_second.max(1));
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*paid).max(now.checked_sub(SLACK).unwrap_or(now));
        *paid = start + Duration::from_nanos(nanos);
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_kept_however_many_send() {
        let pace = Pace::new(Some(1_000_000));
        let now = Instant::now();
        assert_eq!(pace.wait(500_000, now), Duration::ZERO);
        let second = pace.wait(500_000, now);
        assert!(second >= Duration::from_millis(400), "{second:?}");
        let third = pace.wait(500_000, now);
        assert_eq!(third - second, Duration::from_millis(500));
        let rested = now + Duration::from_secs(60);
        assert_eq!(pace.wait(100_000, rested), Duration::ZERO);
        assert!(pace.wait(1, rested) <= SLACK);
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let pace = Pace::new(None);
        for _ in 0..100 {
            assert_eq!(pace.wait(usize::MAX, Instant::now()), Duration::ZERO);
        }
    }
}
