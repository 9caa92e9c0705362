//! How a contract is told what became of its request.

use frame_support::weights::Weight;
use opensky_protocol::{Digest, ledger::Answer};

/// Calls contracts back. What it does to them is their own affair: it neither fails nor traps, whatever they do, and what
/// a contract did that failed is undone.
///
/// It is called from the chain itself, between transactions, after the money of the request has moved. While it runs, no
/// call of this pallet does anything, so a contract cannot ask again before it has returned.
pub trait CallBack {
    /// What so much gas costs: more of it is never cheaper.
    fn price(gas: u64) -> u128;

    /// The most of a block that a call with so much gas takes, all that is around it included.
    fn weight(gas: u64) -> Weight;

    /// Tells a contract, and returns what that took: of its `ref_time` whoever asked is charged as much as was paid for
    /// beforehand at most.
    fn call_back(contract: [u8; 20], request: Digest, answer: &Answer, gas: u64) -> Weight;
}

/// For chains without contracts: there is nobody to call.
impl CallBack for () {
    fn price(_: u64) -> u128 {
        0
    }

    fn weight(_: u64) -> Weight {
        Weight::zero()
    }

    fn call_back(_: [u8; 20], _: Digest, _: &Answer, _: u64) -> Weight {
        Weight::zero()
    }
}
