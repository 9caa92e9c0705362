//! What a provider says of a turn beside its result.

use alloc::{string::String, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::Turn;

/// What a provider says of a turn beside its result. Nobody compares the log: it is the provider's word
/// alone. The error's digest is among the outputs that are compared.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Aside {
    /// The turn.
    pub turn: Turn,
    /// What the guest logged, or wrote to standard error: the beginning of it, at most
    /// [`Aside::MAX_LOG`] bytes.
    pub log: Vec<u8>,
    /// How many bytes it logged.
    pub logged: u64,
    /// The bytes of the output `error`, if there is one, of at most [`Aside::MAX_ERROR`].
    pub error: Option<Vec<u8>>,
    /// Why the guest ended where it did not end by itself, such as which limit it reached: at most
    /// [`Aside::MAX_DETAIL`] bytes, and like the log the provider's word alone.
    pub detail: Option<String>,
}

impl Aside {
    /// Bytes of log that are told of one turn: 64 KiB.
    pub const MAX_LOG: usize = 64 << 10;
    /// Bytes of an error that is told: 256 KiB.
    pub const MAX_ERROR: usize = 256 << 10;
    /// Bytes of why it ended: 4 KiB.
    pub const MAX_DETAIL: usize = 4 << 10;
    /// Bytes of logs and errors in one message: 1 MiB. What is beyond that is not told.
    pub const MAX_TOGETHER: usize = 1 << 20;

    /// Whether its parts are no longer than they may be.
    pub fn is_bounded(&self) -> bool {
        let error = self.error.as_ref().map_or(0, Vec::len);
        let detail = self.detail.as_ref().map_or(0, String::len);
        self.log.len() <= Self::MAX_LOG && error <= Self::MAX_ERROR && detail <= Self::MAX_DETAIL
    }

    /// Bytes of its parts.
    pub fn size(&self) -> usize {
        let error = self.error.as_ref().map_or(0, Vec::len);
        self.log.len() + error + self.detail.as_ref().map_or(0, String::len)
    }
}
