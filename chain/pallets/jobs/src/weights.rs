//! What the calls cost, written by `cargo xtask weights`: not by hand.
//!
//! Measured in the runtime's WebAssembly, on 2 cores of Intel(R) Xeon(R) Processor.
//! A row is in a map of a million, unless all of the map that matters is in the benchmark.

#![allow(missing_docs)] // the benchmarks say what is what

use core::marker::PhantomData;

use frame_support::{traits::Get as _, weights::Weight};

/// What the calls cost, each at its worst.
pub trait WeightInfo {
    fn open_escrow() -> Weight;
    fn top_up() -> Weight;
    fn close() -> Weight;
    fn claim(e: u32) -> Weight;
    fn claim_of_operators(o: u32) -> Weight;
    fn claim_of_pairs(v: u32) -> Weight;
    fn paths(s: u32) -> Weight;
    fn show(e: u32) -> Weight;
    fn show_opened(o: u32) -> Weight;
    fn object() -> Weight;
    fn resolve() -> Weight;
    fn settle(u: u32) -> Weight;
    fn refund() -> Weight;
    fn tend_turn() -> Weight;
    fn tend_refund() -> Weight;
    fn tend_cases(c: u32) -> Weight;
}

/// As it was measured, with what a row costs on this chain.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
    fn open_escrow() -> Weight {
        Weight::from_parts(223_070_000, 62_042)
            .saturating_add(T::DbWeight::get().reads_writes(26, 5))
    }
    fn top_up() -> Weight {
        Weight::from_parts(95_220_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn close() -> Weight {
        Weight::from_parts(155_658_000, 57_405)
            .saturating_add(T::DbWeight::get().reads_writes(24, 3))
    }
    fn claim(e: u32) -> Weight {
        Weight::from_parts(54_381_000, 3_220)
            .saturating_add(T::DbWeight::get().reads_writes(3, 1))
            .saturating_add(
                Weight::from_parts(155_967_972, 10_394)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(e.into()),
            )
    }
    fn claim_of_operators(o: u32) -> Weight {
        Weight::from_parts(15_368_000, 17_143)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(190_388_749, 2_562)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 2))
                    .saturating_mul(o.into()),
            )
    }
    fn claim_of_pairs(v: u32) -> Weight {
        Weight::from_parts(9_456_272_725, 182_724)
            .saturating_add(T::DbWeight::get().reads_writes(98, 95))
            .saturating_add(
                Weight::from_parts(117_990_381, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 1))
                    .saturating_mul(v.into()),
            )
    }
    fn paths(s: u32) -> Weight {
        Weight::from_parts(1_465_247, 0)
            .saturating_add(T::DbWeight::get().reads_writes(0, 0))
            .saturating_add(
                Weight::from_parts(656_778, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(s.into()),
            )
    }
    fn show(e: u32) -> Weight {
        Weight::from_parts(535_806_028, 21_552)
            .saturating_add(T::DbWeight::get().reads_writes(9, 5))
            .saturating_add(
                Weight::from_parts(292_528_218, 6_829)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 1))
                    .saturating_mul(e.into()),
            )
    }
    fn show_opened(o: u32) -> Weight {
        Weight::from_parts(86_047_000, 13_193)
            .saturating_add(T::DbWeight::get().reads_writes(7, 4))
            .saturating_add(
                Weight::from_parts(1_036_786, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(o.into()),
            )
    }
    fn object() -> Weight {
        Weight::from_parts(118_428_000, 14_760)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn resolve() -> Weight {
        Weight::from_parts(226_944_000, 64_224)
            .saturating_add(T::DbWeight::get().reads_writes(25, 3))
    }
    fn settle(u: u32) -> Weight {
        Weight::from_parts(4_980_914_763, 12_378)
            .saturating_add(T::DbWeight::get().reads_writes(5, 3))
            .saturating_add(
                Weight::from_parts(3_330_343_970, 249_901)
                    .saturating_add(T::DbWeight::get().reads_writes(98, 98))
                    .saturating_mul(u.into()),
            )
    }
    fn refund() -> Weight {
        Weight::from_parts(73_575_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(15_233_000, 7_241).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(93_773_000, 14_976).saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn tend_cases(c: u32) -> Weight {
        Weight::from_parts(159_447_000, 64_504)
            .saturating_add(T::DbWeight::get().reads_writes(26, 3))
            .saturating_add(
                Weight::from_parts(27_069_029, 4_285)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 0))
                    .saturating_mul(c.into()),
            )
    }
}
