//! What the calls cost, written by `cargo xtask weights`: not by hand.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::weights::Weight;

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn request() -> Weight;
    fn promise() -> Weight;
    fn show() -> Weight;
    fn go_on() -> Weight;
    fn end(s: u32) -> Weight;
    fn draw() -> Weight;
    fn tend() -> Weight;
    fn tend_roster() -> Weight;
    fn tell() -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn request() -> Weight {
        Weight::from_parts(1_000_000_000, 128_000)
    }
    fn promise() -> Weight {
        Weight::from_parts(300_000_000, 48_000)
    }
    fn show() -> Weight {
        Weight::from_parts(600_000_000, 64_000)
    }
    fn go_on() -> Weight {
        Weight::from_parts(600_000_000, 80_000)
    }
    fn end(s: u32) -> Weight {
        Weight::from_parts(1_000_000_000, 120_000)
            .saturating_add(Weight::from_parts(400_000_000, 12_000).saturating_mul(s.into()))
    }
    fn draw() -> Weight {
        Weight::from_parts(2_000_000_000, 80_000)
    }
    fn tend() -> Weight {
        Weight::from_parts(1_000_000_000, 60_000)
    }
    fn tend_roster() -> Weight {
        Weight::from_parts(2_000_000_000, 400_000)
    }
    fn tell() -> Weight {
        Weight::from_parts(600_000_000, 40_000)
    }
}
