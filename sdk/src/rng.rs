//! Random numbers that every machine draws alike.
use std::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_core::{SeedableRng, TryRng};

use crate::context;

/// A random number generator: ChaCha with 8 rounds, keyed by a 32-byte seed.
///
/// The sequence is part of this crate's contract: same seed, same numbers, on every target and in
/// every later version. It implements `rand_core`'s traits (re-exported as [`rand_core`]), so all of
/// the `rand` crate works on it. Anyone can compute it from public data: it keeps no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(ChaCha8Rng);

/// The generator of this unit, from its start: each call begins the same sequence again. Each step of
/// a [`Stepper`](crate::Stepper) has a sequence of its own: see [`seed`](crate::seed).
pub fn rng() -> Rng {
    Rng::from_seed(context::seed())
}

impl Rng {
    /// The generator of a fixed seed, for numbers that are to be the same in every unit.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// Another, independent sequence of the same seed, from its start.
    pub fn stream(&self, number: u64) -> Self {
        let mut rng = ChaCha8Rng::from_seed(self.0.get_seed());
        rng.set_stream(number);
        Self(rng)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        rand_core::Rng::next_u64(&mut self.0)
    }

    /// An integer below `bound`, each equally likely.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no integer below 0");
        // The lowest `excess` products would be drawn once too often: draw again.
        let excess = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= excess {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in `[0, 1)`, a multiple of 2^-53.
    pub fn unit_f64(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_frozen() {
        let mut rng = Rng::from_seed([7; 32]);
        let drawn: [u64; 3] = std::array::from_fn(|_| rng.next_u64());
        let expected = [
            4115934089738703076,
            15345232379140719590,
            5365187766710272727,
        ];
        assert_eq!(drawn, expected);
        assert_eq!(rng.stream(1).next_u64(), 7104848091822576730);
    }

    #[test]
    fn draws_stay_in_range_and_reach_all_of_it() {
        let mut rng = Rng::from_seed([1; 32]);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[rng.below(6) as usize] += 1;
            assert!((0.0..1.0).contains(&rng.unit_f64()));
        }
        assert!(
            seen.iter().all(|&count| (850..1150).contains(&count)),
            "{seen:?}"
        );
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::from_seed([2; 32]).shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort();
        assert!(items.into_iter().eq(0..100));
    }
}
