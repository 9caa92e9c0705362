//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Measured in the runtime's WebAssembly, on 2 cores of Intel(R) Xeon(R) Processor.
//! A row is in a map of a million, unless all of the map that matters is in the benchmark.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::{traits::Get as _, weights::Weight};

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn certify() -> Weight;
    fn revoke() -> Weight;
    fn bond() -> Weight;
    fn unbond() -> Weight;
    fn withdraw() -> Weight;
    fn set_terms() -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn certify() -> Weight {
        Weight::from_parts(62_701_000, 5_019).saturating_add(T::DbWeight::get().reads_writes(2, 1))
    }
    fn revoke() -> Weight {
        Weight::from_parts(16_265_000, 2_600).saturating_add(T::DbWeight::get().reads_writes(2, 1))
    }
    fn bond() -> Weight {
        Weight::from_parts(84_643_000, 7_989).saturating_add(T::DbWeight::get().reads_writes(3, 3))
    }
    fn unbond() -> Weight {
        Weight::from_parts(17_923_000, 2_907).saturating_add(T::DbWeight::get().reads_writes(3, 1))
    }
    fn withdraw() -> Weight {
        Weight::from_parts(73_540_000, 7_989).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }
    fn set_terms() -> Weight {
        Weight::from_parts(7_987_000, 0).saturating_add(T::DbWeight::get().reads_writes(0, 1))
    }
}
