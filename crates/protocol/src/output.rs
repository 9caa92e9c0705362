//! A unit's outputs: named bytes, and the one digest that stands for all of them.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::Digest;

/// The names that inputs and outputs have by rule.
pub mod names {
    use alloc::{format, string::String};

    use crate::Digest;

    /// A unit's main input: a job's argument, a command's standard input.
    pub const INPUT: &str = "input";
    /// A unit's main output: a job's return value, a command's standard output.
    pub const OUTPUT: &str = "output";
    /// The guest's own error.
    pub const ERROR: &str = "error";
    /// A stepper's state, as an input to go on from and as an output to go on with.
    pub const STATE: &str = "state";
    /// The digests of all states that a stepper unit went through.
    pub const STATES: &str = "states";

    /// A reduce unit's input: its partition of one shard. Sorts by index.
    pub fn shard(index: u32) -> String {
        format!("shard/{index:08}")
    }

    /// A map unit's output and a finish unit's input. Sorts by index.
    pub fn partition(index: u32) -> String {
        format!("partition/{index:08}")
    }

    /// Whether units of a job get inputs from its plan that have that name, or are in its way.
    pub(crate) fn is_planned(name: &str) -> bool {
        let first = name.split('/').next().unwrap_or(name);
        [INPUT, STATE, "shard", "partition"].contains(&first)
    }

    /// A blob that the guest put.
    pub fn blob(digest: &Digest) -> String {
        format!("blob/{digest}")
    }

    /// A file that a command left under `/out`.
    pub fn file(path: &str) -> String {
        format!("out/{path}")
    }
}

/// One output: what its bytes are, not the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Output {
    /// Digest of the bytes.
    pub digest: Digest,
    /// Length in bytes.
    pub len: u64,
}

impl Output {
    /// The output that `bytes` are.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            len: bytes.len() as u64,
        }
    }
}

/// A unit's outputs, sorted by name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct Outputs(pub BTreeMap<String, Output>);

impl Outputs {
    /// The manifest of these bytes.
    pub fn of(outputs: &BTreeMap<String, Vec<u8>>) -> Self {
        Self(
            outputs
                .iter()
                .map(|(name, bytes)| (name.clone(), Output::of(bytes)))
                .collect(),
        )
    }

    /// What a receipt says of them: the digest of the bytes when the return value or standard
    /// output is all there is, else `H("opensky outputs 1", manifest)`.
    pub fn digest(&self) -> Digest {
        match self.0.get(names::OUTPUT) {
            Some(output) if self.0.len() == 1 => output.digest,
            _ => Digest::derive("opensky outputs 1", self),
        }
    }

    /// Bytes of all outputs together.
    pub fn len(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, output| sum.saturating_add(output.len))
    }

    /// Whether there is no output at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
