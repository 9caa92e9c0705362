//! Draws that nobody else can foresee and that come out the same whenever they are repeated: keyed
//! BLAKE3 of a purpose and what it is for, never a running stream.

use opensky_protocol::{Digest, Turn, codec};
use parity_scale_codec::Encode;

/// What draws are made from: a node's secret.
#[derive(Clone)]
pub(crate) struct Draws([u8; 32]);

/// Each purpose has draws of its own.
#[derive(Clone, Copy, Encode)]
pub(crate) enum Purpose {
    /// What hides a result between commitment and reveal.
    Salt,
    /// Who gets a seat.
    Seat,
    /// Whether a result is audited.
    Audit,
    /// Whether a unit that is known already is sent again, and which.
    Canary,
}

impl Draws {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// 32 bytes for this purpose and subject.
    pub(crate) fn bytes(&self, purpose: Purpose, subject: &impl Encode) -> Digest {
        let bytes = codec::encode(&("opensky draw 1", purpose, subject));
        blake3::keyed_hash(&self.0, &bytes).into()
    }

    /// A number for this purpose and subject.
    pub(crate) fn number(&self, purpose: Purpose, subject: &impl Encode) -> u64 {
        let bytes = self.bytes(purpose, subject).0;
        let first = bytes[..8].try_into().expect("8 of 32 bytes");
        u64::from_le_bytes(first)
    }

    /// The salt of a turn's commitment.
    pub(crate) fn salt(&self, turn: &Turn) -> Digest {
        self.bytes(Purpose::Salt, turn)
    }
}
