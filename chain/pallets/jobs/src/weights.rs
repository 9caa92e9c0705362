//! generated
use frame_support::weights::Weight;
pub trait WeightInfo {
    fn open_escrow() -> Weight;
    fn top_up() -> Weight;
    fn close() -> Weight;
    fn claim(_: u32) -> Weight;
    fn claim_of_operators(_: u32) -> Weight;
    fn claim_of_pairs(_: u32) -> Weight;
    fn paths(_: u32) -> Weight;
    fn show(_: u32) -> Weight;
    fn show_opened(_: u32) -> Weight;
    fn object() -> Weight;
    fn resolve() -> Weight;
    fn settle(_: u32) -> Weight;
    fn refund() -> Weight;
    fn tend_turn() -> Weight;
    fn tend_refund() -> Weight;
    fn tend_cases(_: u32) -> Weight;
}
impl WeightInfo for () {
    fn open_escrow() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn top_up() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn close() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn claim(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn claim_of_operators(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn claim_of_pairs(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn paths(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn show(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn show_opened(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn object() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn resolve() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn settle(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn refund() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_cases(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
}
pub struct Measured<T>(core::marker::PhantomData<T>);
impl<T> WeightInfo for Measured<T> {
    fn open_escrow() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn top_up() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn close() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn claim(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn claim_of_operators(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn claim_of_pairs(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn paths(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn show(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn show_opened(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn object() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn resolve() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn settle(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
    fn refund() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_turn() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_refund() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn tend_cases(n: u32) -> Weight {
        Weight::from_parts(1_000_000 * (u64::from(n) + 1), 1_000)
    }
}
