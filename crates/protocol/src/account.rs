//! An account: who bonds, pays and is paid. Nodes act for it, and never hold its money.

use core::fmt;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Digest, NodeKey};

/// An account on a ledger: an operator or a requester. Its 32 bytes are a public key; on a
/// development network that is the key of the node itself.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
)]
pub struct Account(pub [u8; 32]);

impl From<NodeKey> for Account {
    /// The account of a node that is its own operator.
    fn from(node: NodeKey) -> Self {
        Self(node.0)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}
