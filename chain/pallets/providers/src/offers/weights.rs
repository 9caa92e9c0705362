//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Measured in the runtime's WebAssembly, on 2 cores of Intel(R) Xeon(R) Processor.
//! A row is in a map of a million, unless all of the map that matters is in the benchmark.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::{traits::Get as _, weights::Weight};

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
        Weight::from_parts(706_233_000, 343_347)
            .saturating_add(T::DbWeight::get().reads_writes(130, 1))
    }
    fn pin() -> Weight {
        Weight::from_parts(313_409_000, 95_011)
            .saturating_add(T::DbWeight::get().reads_writes(36, 18))
    }
    fn unpin() -> Weight {
        Weight::from_parts(31_132_000, 7_775).saturating_add(T::DbWeight::get().reads_writes(2, 2))
    }
}
