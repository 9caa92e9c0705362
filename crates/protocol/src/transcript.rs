//! The transcript: a hash chain over a unit's host calls.

use alloc::{string::String, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::Digest;

/// One host call: what was called, and the digests of what went in and came back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Call {
    /// Interface without its version, `#`, function: `wasi:random/random#get-random-u64`.
    pub import: String,
    /// Digest of the arguments' canonical bytes.
    pub args: Digest,
    /// Digest of the results' canonical bytes.
    pub results: Digest,
}

/// A hash chain over host calls, and the first of them in full.
///
/// Only `root` and `count` are signed. The calls are kept to find where two runs part; a list that
/// is complete is checked against the root.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Transcript {
    /// The chain's end.
    pub root: Digest,
    /// How many calls there were.
    pub count: u64,
    /// The first calls, at most [`Transcript::CALLS_KEPT`].
    pub calls: Vec<Call>,
}

impl Transcript {
    /// Calls kept in full. Enough to find where two ordinary jobs part, at 100 bytes each.
    pub const CALLS_KEPT: usize = 1_000;

    /// The transcript of `unit` before its first call.
    pub fn start(unit: &Digest) -> Self {
        Self {
            root: Digest::derive("opensky transcript 1", unit),
            count: 0,
            calls: Vec::new(),
        }
    }

    /// Adds a call: `root = BLAKE3(root, args, results, import)`. The parts before the name have a
    /// fixed length, so no two lists of calls give the same bytes.
    pub fn push(&mut self, import: &str, args: Digest, results: Digest) {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.root.0)
            .update(&args.0)
            .update(&results.0)
            .update(import.as_bytes());
        self.root = hasher.finalize().into();
        self.count += 1;
        if self.calls.len() < Self::CALLS_KEPT {
            self.calls.push(Call {
                import: import.into(),
                args,
                results,
            });
        }
    }

    /// Whether the kept calls are as many as the count allows and, when that is all of them, lead
    /// from `unit` to the root.
    pub fn is_consistent(&self, unit: &Digest) -> bool {
        if self.calls.len() as u64 != self.count.min(Self::CALLS_KEPT as u64) {
            return false;
        }
        if self.count > Self::CALLS_KEPT as u64 {
            return true;
        }
        let mut again = Self::start(unit);
        for call in &self.calls {
            again.push(&call.import, call.args, call.results);
        }
        again.root == self.root
    }

    /// The first call in which the two differ, from 0. `None` if no kept call differs.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let kept = self
            .calls
            .iter()
            .zip(&other.calls)
            .position(|(a, b)| a != b);
        let shorter = || self.calls.len().min(other.calls.len());
        kept.or_else(|| (self.calls.len() != other.calls.len()).then(shorter))
    }
}
