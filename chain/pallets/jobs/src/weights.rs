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
        Weight::from_parts(191_848_000, 62_042)
            .saturating_add(T::DbWeight::get().reads_writes(26, 5))
    }
    fn top_up() -> Weight {
        Weight::from_parts(82_047_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn close() -> Weight {
        Weight::from_parts(134_447_000, 57_405)
            .saturating_add(T::DbWeight::get().reads_writes(24, 3))
    }
    fn claim(e: u32) -> Weight {
        Weight::from_parts(47_301_000, 3_322)
            .saturating_add(T::DbWeight::get().reads_writes(3, 1))
            .saturating_add(
                Weight::from_parts(133_894_080, 10_465)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(e.into()),
            )
    }
    fn claim_of_operators(o: u32) -> Weight {
        Weight::from_parts(8_487_000, 13_240)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(133_273_301, 2_640)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 2))
                    .saturating_mul(o.into()),
            )
    }
    fn claim_of_pairs(v: u32) -> Weight {
        Weight::from_parts(4_410_956_369, 189_781)
            .saturating_add(T::DbWeight::get().reads_writes(98, 95))
            .saturating_add(
                Weight::from_parts(132_771_330, 345)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 1))
                    .saturating_mul(v.into()),
            )
    }
    fn paths(s: u32) -> Weight {
        Weight::from_parts(1_471_822, 0)
            .saturating_add(T::DbWeight::get().reads_writes(0, 0))
            .saturating_add(
                Weight::from_parts(648_698, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(s.into()),
            )
    }
    fn show(e: u32) -> Weight {
        Weight::from_parts(295_191_323, 21_552)
            .saturating_add(T::DbWeight::get().reads_writes(9, 5))
            .saturating_add(
                Weight::from_parts(275_807_649, 6_829)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 1))
                    .saturating_mul(e.into()),
            )
    }
    fn show_opened(o: u32) -> Weight {
        Weight::from_parts(84_669_000, 13_193)
            .saturating_add(T::DbWeight::get().reads_writes(7, 4))
            .saturating_add(
                Weight::from_parts(1_012_818, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(o.into()),
            )
    }
    fn object() -> Weight {
        Weight::from_parts(103_845_000, 14_760)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn resolve() -> Weight {
        Weight::from_parts(215_946_000, 64_224)
            .saturating_add(T::DbWeight::get().reads_writes(25, 3))
    }
    fn settle(u: u32) -> Weight {
        Weight::from_parts(12_637_000, 10_713)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(2_699_354_900, 250_674)
                    .saturating_add(T::DbWeight::get().reads_writes(98, 98))
                    .saturating_mul(u.into()),
            )
    }
    fn refund() -> Weight {
        Weight::from_parts(78_608_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(15_535_000, 7_241).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(101_400_000, 14_976)
            .saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn tend_cases(c: u32) -> Weight {
        Weight::from_parts(125_386_769, 64_504)
            .saturating_add(T::DbWeight::get().reads_writes(26, 3))
            .saturating_add(
                Weight::from_parts(15_679_344, 4_285)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 0))
                    .saturating_mul(c.into()),
            )
    }
}
