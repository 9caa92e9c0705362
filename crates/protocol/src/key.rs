//! A node's ed25519 identity, and the one rule by which everyone accepts a signature: ZIP-215.

use core::fmt;

use curve25519_dalek::{
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::IsIdentity,
};
use ed25519_dalek::Signer;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use crate::Digest;

/// A node's public key: its name on the network and the key its statements are checked with.
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
pub struct NodeKey(pub [u8; 32]);

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Signature(pub [u8; 64]);

/// How it is found out whether a node signed a digest: by [`NodeKey::signed`], or by who does the same faster. A chain's
/// runtime asks its host: WebAssembly would take many times as long.
pub type Check = fn(&NodeKey, &Digest, &Signature) -> bool;

/// A node's secret key. Wiped from memory when dropped.
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    /// The key that these 32 random bytes are.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn node(&self) -> NodeKey {
        NodeKey(self.0.verifying_key().to_bytes())
    }

    /// The secret that this node and another one have in common: X25519 between their keys. Nothing
    /// where the other's is no point, or one of small order, with which everybody has the same.
    pub(crate) fn shared_with(&self, node: &NodeKey) -> Option<Zeroizing<[u8; 32]>> {
        let point = CompressedEdwardsY(node.0).decompress()?.to_montgomery();
        let mine = Zeroizing::new(self.0.to_scalar_bytes());
        let shared = Zeroizing::new(point.mul_clamped(*mine).to_bytes());
        (*shared != [0; 32]).then_some(shared)
    }

    /// Signs `H(domain, value)`.
    pub fn sign(&self, domain: &str, value: &impl Encode) -> Signature {
        Signature(self.0.sign(&Digest::derive(domain, value).0).to_bytes())
    }

    /// Signs what a transaction of a Substrate chain is signed over, which has no domain: these bytes are longer than a
    /// digest, or a BLAKE2 hash, so that a signature of one kind is never one of the other.
    pub fn sign_transaction(&self, payload: &[u8]) -> Signature {
        Signature(self.0.sign(payload).to_bytes())
    }
}

impl NodeKey {
    /// Whether `signature` is this node's over `H(domain, value)`.
    pub fn verify(&self, domain: &str, value: &impl Encode, signature: &Signature) -> bool {
        self.signed(&Digest::derive(domain, value), signature)
    }

    /// Whether `signature` is this node's over that digest.
    pub fn signed(&self, digest: &Digest, signature: &Signature) -> bool {
        self.verify_bytes(&digest.0, signature)
    }

    /// The cofactored check of [ZIP-215](https://zips.z.cash/zip-0215): `s` is canonical, any
    /// encoding of a curve point is accepted for the key and for R, and
    /// `[8](s·B - k·A - R)` is the identity. Every implementation agrees on every input.
    fn verify_bytes(&self, message: &[u8], signature: &Signature) -> bool {
        let (r_bytes, s_bytes) = signature.0.split_at(32);
        let r_bytes: [u8; 32] = r_bytes.try_into().expect("half of 64 bytes");
        let s_bytes: [u8; 32] = s_bytes.try_into().expect("half of 64 bytes");
        let s: Option<Scalar> = Scalar::from_canonical_bytes(s_bytes).into();
        let a = CompressedEdwardsY(self.0).decompress();
        let r = CompressedEdwardsY(r_bytes).decompress();
        let (Some(s), Some(a), Some(r)) = (s, a, r) else {
            return false;
        };

        let hash = Sha512::new()
            .chain_update(r_bytes)
            .chain_update(self.0)
            .chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let expected_r = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-a, &s);
        (expected_r - r).mul_by_cofactor().is_identity()
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.node())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> [u8; 32] {
        hex.parse::<Digest>().unwrap().0
    }

    /// The first two vectors of RFC 8032, section 7.1.
    #[test]
    fn rfc_8032_vectors_hold() {
        let cases = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                &b""[..],
                [
                    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
                ],
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                &[0x72][..],
                [
                    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
                ],
            ),
        ];
        for (seed, public, message, halves) in cases {
            let secret = SecretKey::from_seed(&bytes(seed));
            assert_eq!(secret.node().0, bytes(public));
            let mut signature = Signature([0; 64]);
            signature.0[..32].copy_from_slice(&bytes(halves[0]));
            signature.0[32..].copy_from_slice(&bytes(halves[1]));
            assert_eq!(secret.0.sign(message).to_bytes(), signature.0);
            assert!(secret.node().verify_bytes(message, &signature));
        }
    }
}
