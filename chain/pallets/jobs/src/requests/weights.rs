//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Not quite: what it is to read who can be drawn is from when that was a whole roster, and dearer than it is, until it is written again.
//!
//! Measured in the runtime's WebAssembly, on 2 cores of Intel(R) Xeon(R) Processor.
//! A row is in a map of a million, unless all of the map that matters is in the benchmark.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::{traits::Get as _, weights::Weight};

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
        Weight::from_parts(1_552_592_000, 100_084)
            .saturating_add(T::DbWeight::get().reads_writes(27, 8))
    }
    fn promise() -> Weight {
        Weight::from_parts(306_651_000, 26_585)
            .saturating_add(T::DbWeight::get().reads_writes(5, 1))
    }
    fn show() -> Weight {
        Weight::from_parts(613_114_000, 30_322)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
    }
    fn go_on() -> Weight {
        Weight::from_parts(441_995_000, 65_021)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn end(s: u32) -> Weight {
        Weight::from_parts(390_723_939, 80_455)
            .saturating_add(T::DbWeight::get().reads_writes(9, 8))
            .saturating_add(
                Weight::from_parts(6_657_164_605, 7_739)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(s.into()),
            )
    }
    fn draw() -> Weight {
        Weight::from_parts(649_121_000, 64_538)
            .saturating_add(T::DbWeight::get().reads_writes(7, 3))
    }
    fn tend() -> Weight {
        Weight::from_parts(155_528_000, 41_995)
            .saturating_add(T::DbWeight::get().reads_writes(4, 0))
    }
    fn tend_roster() -> Weight {
        Weight::from_parts(5_160_595_000, 340_416)
            .saturating_add(T::DbWeight::get().reads_writes(129, 0))
    }
    fn tell() -> Weight {
        Weight::from_parts(1_489_125_000, 24_321)
            .saturating_add(T::DbWeight::get().reads_writes(9, 6))
    }
}
