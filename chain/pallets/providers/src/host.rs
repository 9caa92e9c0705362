//! Signatures as the chain's host checks them: compiled, and by the same rule as everybody.

use opensky_protocol::{Digest, NodeKey, Signature};

/// Whether `signature` is that node's over a digest.
pub fn signed(node: &NodeKey, digest: &Digest, signature: &Signature) -> bool {
    let (key, signature) = (node.0.into(), signature.0.into());
    sp_io::crypto::ed25519_verify(&signature, &digest.0, &key)
}
