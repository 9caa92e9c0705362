//! How a contract is told what became of its request.

use frame_support::weights::Weight;
use opensky_protocol::{Digest, ledger::Answer};

/// Calls contracts back. What it does to them is their own affair: it neither fails nor traps, whatever they do, and what
/// a contract did that failed is undone.
///
/// It is called from the chain itself, between transactions, after the money of the request has moved. While it runs, no
/// call of this pallet does anything, so a contract cannot ask again before it has returned.
pub trait CallBack<AccountId> {
    /// What so much gas costs: more of it is never cheaper.
    fn price(gas: u64) -> u128;

    /// The most of a block that a call with so much gas takes, all that is around it included.
    fn weight(gas: u64) -> Weight;

    /// Where that price is put right before the call: out of it comes what the call takes, and what the contract has
    /// to deposit for what it stores.
    fn purse() -> AccountId;

    /// Tells a contract, gives back to it what is left of the price, and returns what that took of the block.
    fn call_back(contract: [u8; 20], request: Digest, answer: &Answer, gas: u64) -> Weight;
}

/// For chains without contracts: there is nobody to call, and nothing to pay.
impl<AccountId: From<[u8; 32]>> CallBack<AccountId> for () {
    fn price(_: u64) -> u128 {
        0
    }

    fn weight(_: u64) -> Weight {
        Weight::zero()
    }

    fn purse() -> AccountId {
        [0; 32].into()
    }

    fn call_back(_: [u8; 20], _: Digest, _: &Answer, _: u64) -> Weight {
        Weight::zero()
    }
}
