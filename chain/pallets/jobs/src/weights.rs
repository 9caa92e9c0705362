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
        Weight::from_parts(198_824_000, 62_041)
            .saturating_add(T::DbWeight::get().reads_writes(26, 5))
    }
    fn top_up() -> Weight {
        Weight::from_parts(88_954_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn close() -> Weight {
        Weight::from_parts(145_504_000, 57_405)
            .saturating_add(T::DbWeight::get().reads_writes(24, 3))
    }
    fn claim(e: u32) -> Weight {
        Weight::from_parts(51_798_000, 5_448)
            .saturating_add(T::DbWeight::get().reads_writes(4, 1))
            .saturating_add(
                Weight::from_parts(135_828_619, 10_472)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(e.into()),
            )
    }
    fn claim_of_operators(o: u32) -> Weight {
        Weight::from_parts(239_496_168, 13_110)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(129_852_933, 5_116)
                    .saturating_add(T::DbWeight::get().reads_writes(3, 3))
                    .saturating_mul(o.into()),
            )
    }
    fn claim_of_pairs(v: u32) -> Weight {
        Weight::from_parts(3_858_480_212, 215_861)
            .saturating_add(T::DbWeight::get().reads_writes(107, 104))
            .saturating_add(
                Weight::from_parts(123_782_516, 343)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 1))
                    .saturating_mul(v.into()),
            )
    }
    fn paths(s: u32) -> Weight {
        Weight::from_parts(1_447_632, 0)
            .saturating_add(T::DbWeight::get().reads_writes(0, 0))
            .saturating_add(
                Weight::from_parts(579_052, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(s.into()),
            )
    }
    fn show(e: u32) -> Weight {
        Weight::from_parts(90_312_882, 21_552)
            .saturating_add(T::DbWeight::get().reads_writes(9, 5))
            .saturating_add(
                Weight::from_parts(283_429_660, 6_829)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 1))
                    .saturating_mul(e.into()),
            )
    }
    fn show_opened(o: u32) -> Weight {
        Weight::from_parts(87_615_000, 13_193)
            .saturating_add(T::DbWeight::get().reads_writes(7, 4))
            .saturating_add(
                Weight::from_parts(1_014_214, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(o.into()),
            )
    }
    fn object() -> Weight {
        Weight::from_parts(119_334_000, 14_760)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn resolve() -> Weight {
        Weight::from_parts(227_904_000, 64_224)
            .saturating_add(T::DbWeight::get().reads_writes(25, 3))
    }
    fn settle(u: u32) -> Weight {
        Weight::from_parts(342_667_496, 10_713)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(2_631_287_700, 250_674)
                    .saturating_add(T::DbWeight::get().reads_writes(98, 98))
                    .saturating_mul(u.into()),
            )
    }
    fn refund() -> Weight {
        Weight::from_parts(71_175_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(14_929_000, 7_242).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(92_554_000, 14_976).saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn tend_cases(c: u32) -> Weight {
        Weight::from_parts(148_089_459, 64_504)
            .saturating_add(T::DbWeight::get().reads_writes(26, 3))
            .saturating_add(
                Weight::from_parts(14_192_047, 4_285)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 0))
                    .saturating_mul(c.into()),
            )
    }
}
