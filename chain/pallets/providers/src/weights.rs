//! generated
use frame_support::weights::Weight;
pub trait WeightInfo {
    fn certify() -> Weight;
    fn revoke() -> Weight;
    fn bond() -> Weight;
    fn unbond() -> Weight;
    fn withdraw() -> Weight;
    fn set_terms() -> Weight;
}
impl WeightInfo for () {
    fn certify() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn revoke() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn bond() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn unbond() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn withdraw() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn set_terms() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
}
pub struct Measured<T>(core::marker::PhantomData<T>);
impl<T> WeightInfo for Measured<T> {
    fn certify() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn revoke() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn bond() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn unbond() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn withdraw() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
    fn set_terms() -> Weight {
        Weight::from_parts(1_000_000 * (1), 1_000)
    }
}
