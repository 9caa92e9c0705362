//! How fast this machine is, and how long units of a program take: measured by what it ran.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opensky_protocol::Digest;

/// Fuel per second of one core before anything was measured: what a slow machine does.
const ASSUMED: u64 = 1_000_000_000;
/// Shorter units say more about what it takes to begin one.
const TELLING: Duration = Duration::from_millis(5);
/// Programs that are remembered.
const PROGRAMS: usize = 1024;

/// Measurements. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Measured>);

struct Measured {
    speed: AtomicU64,
    /// What a unit of the program takes, in microseconds.
    units: Mutex<BTreeMap<Digest, u64>>,
}

impl Pace {
    /// Before anything was measured.
    pub fn new() -> Self {
        Self(Arc::new(Measured {
            speed: AtomicU64::new(ASSUMED),
            units: Mutex::default(),
        }))
    }

    /// Fuel per second of one core.
    pub fn speed(&self) -> u64 {
        self.0.speed.load(Ordering::Relaxed)
    }

    /// Takes note of a unit.
    pub fn note(&self, program: &Digest, fuel: u64, wall: Duration) {
        let micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX).max(1);
        if wall >= TELLING {
            let now = u128::from(fuel) * 1_000_000 / u128::from(micros);
            let now = u64::try_from(now).unwrap_or(u64::MAX);
            let mixed = mix(self.speed(), now);
            self.0.speed.store(mixed.max(1), Ordering::Relaxed);
        }
        let mut units = self.0.units.lock().unwrap_or_else(PoisonError::into_inner);
        if units.len() >= PROGRAMS && !units.contains_key(program) {
            units.pop_first();
        }
        let known = units.entry(*program).or_insert(micros);
        *known = mix(*known, micros);
    }

    /// How many units of a program take that long together: at least one.
    pub fn fit(&self, program: &Digest, time: Duration) -> usize {
        let units = self.0.units.lock().unwrap_or_else(PoisonError::into_inner);
        let each = units.get(program).copied();
        let fit = each.map_or(1, |each| time.as_micros() / u128::from(each.max(1)));
        usize::try_from(fit).unwrap_or(usize::MAX).max(1)
    }
}

/// Three parts of what was known, and one of what is new.
fn mix(before: u64, now: u64) -> u64 {
    before / 4 * 3 + now / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_follows_what_is_measured_and_tiny_units_do_not_count() {
        let pace = Pace::new();
        let program = Digest([1; 32]);
        pace.note(&program, 1, Duration::from_micros(10));
        assert_eq!(pace.speed(), ASSUMED);
        for _ in 0..40 {
            pace.note(&program, 8_000_000_000, Duration::from_secs(1));
        }
        let off = pace.speed().abs_diff(8_000_000_000);
        assert!(off < 80_000_000, "{off}");
    }

    #[test]
    fn as_many_units_as_fit_and_one_at_least() {
        let pace = Pace::new();
        let (tiny, long) = (Digest([1; 32]), Digest([2; 32]));
        assert_eq!(pace.fit(&tiny, Duration::from_millis(10)), 1);
        pace.note(&tiny, 1, Duration::from_micros(100));
        pace.note(&long, 1, Duration::from_secs(1));
        assert_eq!(pace.fit(&tiny, Duration::from_millis(10)), 100);
        assert_eq!(pace.fit(&long, Duration::from_millis(10)), 1);
    }
}
