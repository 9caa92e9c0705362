//! What the calls cost, written by `cargo xtask weights`: not by hand.
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
        Weight::from_parts(244_980_000, 80_177)
            .saturating_add(T::DbWeight::get().reads_writes(13, 9))
    }
    fn promise() -> Weight {
        Weight::from_parts(57_531_000, 26_589).saturating_add(T::DbWeight::get().reads_writes(5, 1))
    }
    fn show() -> Weight {
        Weight::from_parts(146_032_000, 30_326)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
    }
    fn go_on() -> Weight {
        Weight::from_parts(284_907_000, 69_129)
            .saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn end(s: u32) -> Weight {
        Weight::from_parts(290_972_387, 82_088)
            .saturating_add(T::DbWeight::get().reads_writes(8, 7))
            .saturating_add(
                Weight::from_parts(76_795_806, 7_739)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(s.into()),
            )
    }
    fn draw() -> Weight {
        Weight::from_parts(247_226_000, 68_630)
            .saturating_add(T::DbWeight::get().reads_writes(7, 3))
    }
    fn tend() -> Weight {
        Weight::from_parts(132_361_000, 46_091)
            .saturating_add(T::DbWeight::get().reads_writes(4, 0))
    }
    fn tend_roster() -> Weight {
        Weight::from_parts(32_663_000, 14_381).saturating_add(T::DbWeight::get().reads_writes(1, 0))
    }
    fn tell() -> Weight {
        Weight::from_parts(156_695_000, 24_321)
            .saturating_add(T::DbWeight::get().reads_writes(9, 6))
    }
}
