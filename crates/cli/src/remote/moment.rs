//! Moments, told from now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opensky_api::Time;

/// The moment now, as the API counts.
pub fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time::saturating(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment from now: `3 min ago`, `in 2 h`.
pub fn from_now(moment: Time, now: Time) -> String {
    let (moment, now) = (moment.value(), now.value());
    let apart = span(Duration::from_millis(moment.abs_diff(now)));
    match moment > now {
        true => format!("in {apart}"),
        false => format!("{apart} ago"),
    }
}

/// How long it is to a moment. One that is further than anybody waits is not counted in days.
pub fn span_to(moment: Time, now: Time) -> String {
    const MONTHS: u64 = 90 * 86_400_000;
    if moment.value() > now.value().saturating_add(MONTHS) {
        return "months".into();
    }
    span(Duration::from_millis(moment.value().abs_diff(now.value())))
}

fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_from_now() {
        let now = Time::saturating(1_000_000_000);
        let at = |millis: u64| from_now(Time::saturating(millis), now);
        assert_eq!(at(1_000_000_000), "0 s ago");
        assert_eq!(at(999_940_000), "60 s ago");
        assert_eq!(at(1_000_600_000), "in 10 min");
        assert_eq!(at(1_010_800_000), "in 3 h");
        assert_eq!(at(0), "11 days ago");
        let to = |days: u64| span_to(Time::saturating(1_000_000_000 + days * 86_400_000), now);
        assert_eq!((to(4).as_str(), to(1_023).as_str()), ("4 days", "months"));
    }
}
