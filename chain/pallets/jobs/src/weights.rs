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
        Weight::from_parts(208_570_000, 62_042)
            .saturating_add(T::DbWeight::get().reads_writes(26, 5))
    }
    fn top_up() -> Weight {
        Weight::from_parts(89_276_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn close() -> Weight {
        Weight::from_parts(146_750_000, 57_405)
            .saturating_add(T::DbWeight::get().reads_writes(24, 3))
    }
    fn claim(e: u32) -> Weight {
        Weight::from_parts(52_073_000, 3_322)
            .saturating_add(T::DbWeight::get().reads_writes(3, 1))
            .saturating_add(
                Weight::from_parts(146_758_206, 10_465)
                    .saturating_add(T::DbWeight::get().reads_writes(4, 4))
                    .saturating_mul(e.into()),
            )
    }
    fn claim_of_operators(o: u32) -> Weight {
        Weight::from_parts(14_164_000, 13_240)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(209_967_548, 2_640)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 2))
                    .saturating_mul(o.into()),
            )
    }
    fn claim_of_pairs(v: u32) -> Weight {
        Weight::from_parts(5_026_349_435, 189_781)
            .saturating_add(T::DbWeight::get().reads_writes(98, 95))
            .saturating_add(
                Weight::from_parts(220_590_104, 345)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 1))
                    .saturating_mul(v.into()),
            )
    }
    fn paths(s: u32) -> Weight {
        Weight::from_parts(1_295_473, 0)
            .saturating_add(T::DbWeight::get().reads_writes(0, 0))
            .saturating_add(
                Weight::from_parts(610_907, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(s.into()),
            )
    }
    fn show(e: u32) -> Weight {
        Weight::from_parts(473_990_017, 21_552)
            .saturating_add(T::DbWeight::get().reads_writes(9, 5))
            .saturating_add(
                Weight::from_parts(448_737_998, 6_829)
                    .saturating_add(T::DbWeight::get().reads_writes(2, 1))
                    .saturating_mul(e.into()),
            )
    }
    fn show_opened(o: u32) -> Weight {
        Weight::from_parts(1_002_602_342, 13_193)
            .saturating_add(T::DbWeight::get().reads_writes(7, 4))
            .saturating_add(
                Weight::from_parts(957_093, 0)
                    .saturating_add(T::DbWeight::get().reads_writes(0, 0))
                    .saturating_mul(o.into()),
            )
    }
    fn object() -> Weight {
        Weight::from_parts(104_226_000, 14_760)
            .saturating_add(T::DbWeight::get().reads_writes(6, 3))
    }
    fn resolve() -> Weight {
        Weight::from_parts(202_943_000, 64_224)
            .saturating_add(T::DbWeight::get().reads_writes(25, 3))
    }
    fn settle(u: u32) -> Weight {
        Weight::from_parts(11_371_000, 10_713)
            .saturating_add(T::DbWeight::get().reads_writes(5, 2))
            .saturating_add(
                Weight::from_parts(3_276_241_308, 250_674)
                    .saturating_add(T::DbWeight::get().reads_writes(98, 98))
                    .saturating_mul(u.into()),
            )
    }
    fn refund() -> Weight {
        Weight::from_parts(74_392_000, 7_931).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(15_635_000, 7_241).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(103_270_000, 14_976)
            .saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn tend_cases(c: u32) -> Weight {
        Weight::from_parts(431_208_803, 64_504)
            .saturating_add(T::DbWeight::get().reads_writes(26, 3))
            .saturating_add(
                Weight::from_parts(16_136_022, 4_285)
                    .saturating_add(T::DbWeight::get().reads_writes(1, 0))
                    .saturating_mul(c.into()),
            )
    }
}
