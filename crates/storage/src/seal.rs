//! Sealing: what lies on the disk tells whoever has no key neither a blob's bytes nor its name.

use std::fmt;

use chacha20poly1305::{
    AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::generic_array::typenum::Unsigned,
};
use opensky_protocol::Digest;
use zeroize::Zeroizing;

use crate::SealKey;

/// Bytes that sealing adds, by which damage is found.
pub(crate) const TAG: usize = 16;
const NONCE: usize =
    <<XChaCha20Poly1305 as chacha20poly1305::AeadCore>::NonceSize as Unsigned>::USIZE;

/// What is derived from a node's key, one key for each purpose.
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
    names: Zeroizing<[u8; 32]>,
    check: Digest,
}

impl Seal {
    pub fn new(key: &SealKey) -> Self {
        let derive = |purpose| Zeroizing::new(blake3::derive_key(purpose, key.bytes()));
        Self {
            cipher: XChaCha20Poly1305::new((&*derive("opensky storage blobs 1")).into()),
            names: derive("opensky storage names 1"),
            check: Digest(*derive("opensky storage check 1")),
        }
    }

    /// The name on disk of what is named by `digest`.
    pub fn name(&self, digest: &Digest) -> Digest {
        blake3::keyed_hash(&self.names, &digest.0).into()
    }

    /// Tells keys apart, and nothing about them.
    pub fn check(&self) -> Digest {
        self.check
    }

    /// Encrypts `bytes` where they are. The nonce is used for no other bytes, ever.
    pub fn seal(&self, nonce: &[u8; NONCE], bytes: &mut [u8]) -> [u8; TAG] {
        let sealed = self
            .cipher
            .encrypt_in_place_detached(XNonce::from_slice(nonce), &[], bytes);
        sealed
            .expect("a chunk is shorter than the cipher's limit")
            .into()
    }

    /// Decrypts `bytes` where they are, if they are what was sealed with that nonce; they are
    /// nothing to rely on otherwise.
    pub fn open(&self, nonce: &[u8; NONCE], bytes: &mut [u8], tag: &[u8; TAG]) -> Option<()> {
        let (nonce, tag) = (XNonce::from_slice(nonce), Tag::from_slice(tag));
        self.cipher
            .decrypt_in_place_detached(nonce, &[], bytes, tag)
            .ok()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}
