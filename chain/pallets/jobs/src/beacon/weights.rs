//! What the calls cost, written by `cargo xtask weights`: not by hand.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::weights::Weight;

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn commit() -> Weight;
    fn reveal() -> Weight;
    fn go_on() -> Weight;
    fn end(p: u32) -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn commit() -> Weight {
        Weight::from_parts(400_000_000, 96_000)
    }
    fn reveal() -> Weight {
        Weight::from_parts(400_000_000, 96_000)
    }
    fn go_on() -> Weight {
        Weight::from_parts(400_000_000, 96_000)
    }
    fn end(p: u32) -> Weight {
        Weight::from_parts(600_000_000, 20_000)
            .saturating_add(Weight::from_parts(600_000_000, 12_000).saturating_mul(p.into()))
    }
}
