//! What the ledger itself keeps an eye on: the pot, and the sum of all money.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

/// The money that is nobody's, and how much there is of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct Treasury {
    /// The protocol's pot: fees, a share of what was lost in disputes, and odd coins.
    pub pot: u128,
    /// All money: what there was at genesis, and what the faucet made.
    pub issued: u128,
}
