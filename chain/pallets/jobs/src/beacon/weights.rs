//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Measured in the runtime's WebAssembly, on 2 cores of Intel(R) Xeon(R) Processor.
//! A row is in a map of a million, unless all of the map that matters is in the benchmark.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::{traits::Get as _, weights::Weight};

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn commit() -> Weight;
    fn reveal() -> Weight;
    fn go_on() -> Weight;
    fn turn() -> Weight;
    fn end(p: u32) -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn commit() -> Weight {
        Weight::from_parts(252_418_000, 105_573)
            .saturating_add(T::DbWeight::get().reads_writes(37, 2))
    }
    fn reveal() -> Weight {
        Weight::from_parts(44_662_000, 2_077).saturating_add(T::DbWeight::get().reads_writes(2, 1))
    }
    fn go_on() -> Weight {
        Weight::from_parts(46_220_000, 14_411).saturating_add(T::DbWeight::get().reads_writes(3, 0))
    }
    fn turn() -> Weight {
        Weight::from_parts(1_021_102_000, 342_524)
            .saturating_add(T::DbWeight::get().reads_writes(131, 3))
    }
    fn end(p: u32) -> Weight {
        Weight::from_parts(161_678_338, 22_091)
            .saturating_add(T::DbWeight::get().reads_writes(5, 5))
            .saturating_add(
                Weight::from_parts(72_945_727, 10_333)
                    .saturating_add(T::DbWeight::get().reads_writes(3, 4))
                    .saturating_mul(p.into()),
            )
    }
}
