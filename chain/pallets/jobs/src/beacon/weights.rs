//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Not quite: what it is to turn to reveals is a guess on the safe side, until it is written again.
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
        Weight::from_parts(7_718_102_000, 105_532)
            .saturating_add(T::DbWeight::get().reads_writes(37, 1))
    }
    fn reveal() -> Weight {
        Weight::from_parts(185_319_000, 2_073).saturating_add(T::DbWeight::get().reads_writes(2, 1))
    }
    fn go_on() -> Weight {
        Weight::from_parts(150_714_000, 14_370)
            .saturating_add(T::DbWeight::get().reads_writes(3, 1))
    }
    fn turn() -> Weight {
        Weight::from_parts(5_400_000_000, 360_000)
            .saturating_add(T::DbWeight::get().reads_writes(132, 2))
    }
    fn end(p: u32) -> Weight {
        Weight::from_parts(218_594_947, 7_788)
            .saturating_add(T::DbWeight::get().reads_writes(5, 3))
            .saturating_add(
                Weight::from_parts(5_149_595_295, 10_323)
                    .saturating_add(T::DbWeight::get().reads_writes(3, 4))
                    .saturating_mul(p.into()),
            )
    }
}
