//! Chance under a seed: the same draws in the same order, on every machine.

use std::ops::RangeInclusive;

/// A stream of draws: SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `end - 1`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or(0)
    }

    /// One of that range.
    pub fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let span = range.end().saturating_sub(*range.start());
        range.start() + self.below(span + 1)
    }

    /// Whether something happens that does so often of 1,000 times.
    pub fn happens(&mut self, parts: u64) -> bool {
        parts > 0 && self.below(1_000) < parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_seed() {
        // The reference implementation's first output for seed 0.
        assert_eq!(Dice::new(0).draw(), 0xe220_a839_7b1d_cdaf);
        let mut dice = Dice::new(7);
        let often = (0..10_000).filter(|_| dice.happens(100)).count();
        assert!((900..1_100).contains(&often), "{often}");
        assert!((0..100).all(|_| (3..=5).contains(&dice.within(&(3..=5)))));
    }
}
