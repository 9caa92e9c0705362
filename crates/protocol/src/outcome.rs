//! What became of a unit: a class of result that the guest produced, or an abort that is nobody's
//! result.

use alloc::string::String;
use core::fmt;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::Digest;

/// What the guest did. Each class is a result: it is hashed, compared and paid for.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
)]
pub enum Class {
    /// The guest returned an output.
    Ok,
    /// The guest returned its own error or a non-zero exit code.
    Err,
    /// The guest needed more fuel than its limit.
    OutOfFuel,
    /// The guest executed `unreachable`: what a Rust panic becomes.
    Panic,
    /// Any other trap: out of bounds, division by zero, a bad indirect call. One class, because
    /// engines may check in another order.
    Trap,
    /// The guest went over a limit that is not fuel: output, log, or memory at its start.
    Limit,
}

impl Class {
    /// The name used in reports: `ok`, `err`, `out-of-fuel`, `panic`, `trap`, `limit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Err => "err",
            Self::OutOfFuel => "out-of-fuel",
            Self::Panic => "panic",
            Self::Trap => "trap",
            Self::Limit => "limit",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a host has no result to show. It says nothing about the guest: another host may well have
/// one. Never signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, thiserror::Error)]
pub enum Abort {
    /// The operating system refused memory.
    #[error("the host ran out of memory")]
    HostMemory,
    /// The native stack was used up. In profile 0 its depth is the host's, so no result.
    #[error("the call stack was exhausted")]
    Stack,
    /// The component did not compile here.
    #[error("the component did not compile: {0}")]
    Compile(String),
    /// The unit ran longer than its fuel can explain, and was killed.
    #[error("the unit ran into the wall-clock watchdog")]
    Watchdog,
    /// An input blob is not there, or its bytes are not those of its digest.
    #[error("the input `{0}` is missing or damaged")]
    MissingInput(String),
    /// The worker process that ran the unit died.
    #[error("the worker process died: {0}")]
    WorkerDied(String),
    /// Anything else that went wrong in the host.
    #[error("the host failed: {0}")]
    Internal(String),
}

/// How a guest says that it failed. Its canonical bytes are the output named `error`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum GuestError {
    /// `job-error.invalid-input`.
    InvalidInput(String),
    /// `job-error.failed`.
    Failed(String),
    /// `job-error.missing-blob`.
    MissingBlob(Digest),
    /// A command's exit code, never 0.
    Exit(u8),
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(text) => write!(f, "invalid input: {text}"),
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::MissingBlob(digest) => write!(f, "missing blob {digest}"),
            Self::Exit(code) => write!(f, "exit code {code}"),
        }
    }
}
