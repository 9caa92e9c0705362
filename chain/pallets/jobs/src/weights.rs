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
        Weight::from_parts(191_694_000, 62_041)
            .saturating_add(T::DbWeight::get().reads_writes(26, 5))
    }
    fn top_up() -> Weight {
        Weight::from_parts(82_742_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn close() -> Weight {
        Weight::from_parts(132_480_000, 57_405)
            .saturating_add(T::DbWeight::get().reads_writes(24, 3))
    }
    fn claim(e: u32) -> Weight {
        Weight::from_parts(46_564_000, 5_445)
            .saturating_add(T::DbWeight::get().reads_writes(4, 1))
            .saturating_add(
                Weight::from_parts(126_719_885, 10_471)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(e.into()),
            )
    }
    fn claim_of_operators(o: u32) -> Weight {
        Weight::from_parts(99_723_329, 13_312)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(127_513_762, 5_115)
                    .saturating_add(T::DbWeight::get().reads_writes(3, 3))
                    .saturating_mul(o.into()),
            )
    }
    fn claim_of_pairs(v: u32) -> Weight {
        Weight::from_parts(3_927_444_732, 229_884)
            .saturating_add(T::DbWeight::get().reads_writes(114, 111))
            .saturating_add(
                Weight::from_parts(125_179_584, 345)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 1))
                    .saturating_mul(v.into()),
            )
    }
    fn paths(s: u32) -> Weight {
        Weight::from_parts(1_431_096, 0)
            .saturating_add(T::DbWeight::get().reads_writes(0, 0))
            .saturating_add(
                Weight::from_parts(638_364, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(s.into()),
            )
    }
    fn show(e: u32) -> Weight {
        Weight::from_parts(288_121_342, 21_552)
            .saturating_add(T::DbWeight::get().reads_writes(9, 5))
            .saturating_add(
                Weight::from_parts(275_287_347, 6_829)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 1))
                    .saturating_mul(e.into()),
            )
    }
    fn show_opened(o: u32) -> Weight {
        Weight::from_parts(8_305_433, 13_193)
            .saturating_add(T::DbWeight::get().reads_writes(7, 4))
            .saturating_add(
                Weight::from_parts(1_016_858, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(o.into()),
            )
    }
    fn object() -> Weight {
        Weight::from_parts(113_283_000, 14_760)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn resolve() -> Weight {
        Weight::from_parts(216_319_000, 64_224)
            .saturating_add(T::DbWeight::get().reads_writes(25, 3))
    }
    fn settle(u: u32) -> Weight {
        Weight::from_parts(12_715_000, 10_713)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(2_635_589_464, 250_674)
                    .saturating_add(T::DbWeight::get().reads_writes(98, 98))
                    .saturating_mul(u.into()),
            )
    }
    fn refund() -> Weight {
        Weight::from_parts(78_849_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(15_764_000, 7_242).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(100_694_000, 14_976)
            .saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn tend_cases(c: u32) -> Weight {
        Weight::from_parts(133_368_238, 64_504)
            .saturating_add(T::DbWeight::get().reads_writes(26, 3))
            .saturating_add(
                Weight::from_parts(13_835_531, 4_285)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 0))
                    .saturating_mul(c.into()),
            )
    }
}
