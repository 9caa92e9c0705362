//! Sorting: comparisons that no branch predictor foresees, and indirect calls.

use std::cmp::Reverse;

use crate::seeded::{Seeded, checksum};

/// The checksum of `len` numbers sorted, then sorted again by another key, stably.
pub fn sort(len: u32) -> u64 {
    let mut seeded = Seeded::new(len);
    let mut numbers: Vec<u64> = (0..len).map(|_| seeded.next()).collect();
    numbers.sort_unstable();
    numbers.sort_by_key(|number| Reverse((number >> 7) as u16));
    checksum(numbers)
}
