//! What is asked: a program, an input, and what that may cost.

use alloc::{collections::BTreeMap, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use super::RequestTerms;
use crate::{Digest, Limits, Profile, Shard, Work, World, names};

/// Bytes, themselves where they are few, else by their name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Data {
    /// The bytes.
    Inline(Vec<u8>),
    /// A blob that providers find by its digest.
    Blob {
        /// The BLAKE3 digest.
        digest: Digest,
        /// The length in bytes.
        len: u64,
    },
}

impl Data {
    /// By what name providers know the bytes.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Inline(bytes) => Digest::of(bytes),
            Self::Blob { digest, .. } => *digest,
        }
    }

    /// How many bytes it is.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Blob { len, .. } => *len,
        }
    }

    /// Whether it is no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which contract is called when a request is over, and with how much gas. That is paid for when the request is placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Callback {
    /// The contract: the one that asks.
    pub contract: [u8; 20],
    /// The most that the call may take, in gas as the chain's contracts count it.
    pub gas: u64,
}

/// One request for compute.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Asked {
    /// The program: somebody has to have pinned it until the deadline.
    pub program: Digest,
    /// Its input: at most [`Asked::MAX_INLINE`] bytes, or a blob.
    pub input: Data,
    /// What the run may use.
    pub limits: Limits,
    /// How many operators have to have the same result.
    pub replicas: u8,
    /// The most that all of them together are paid. Each is given an equal share at most; what is not used goes back.
    pub max_price: u128,
    /// When the money goes back if there is no answer, in Unix milliseconds.
    pub deadline: u64,
    /// Who is told. It is paid for beside `max_price`.
    pub callback: Option<Callback>,
}

/// Why something cannot be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskedError {
    /// Nobody would run it.
    #[error("no operator is asked for")]
    NoReplicas,
    /// More operators than one request may have.
    #[error("too many operators are asked for")]
    TooManyReplicas,
    /// The run could not be over by then.
    #[error("the deadline is too near")]
    TooSoon,
    /// Money and pins would be bound for too long.
    #[error("the deadline is too far away")]
    TooLate,
    /// Nobody works for that.
    #[error("the price is below the least that a request can pay")]
    Price,
    /// The input is too long.
    #[error("the input is too long")]
    Input,
}

impl Asked {
    /// Bytes of an input that is in the request itself: 16 KiB.
    pub const MAX_INLINE: usize = 16 << 10;

    /// The work that this is, under these rules of execution. Nodes and chain make it by this same function, so they
    /// agree on the unit's id.
    ///
    /// It is what `opensky run` makes of the same program, input and limits where nothing else is said, so everybody
    /// can look at home what a contract will be told:
    /// * the world is `job`: one call from input to output, without arguments, variables or parameters;
    /// * the entropy is zero and the clock begins at the start of 1970. So asking the same again gets the same answer,
    ///   whoever asks, when, for how much and of how many. A program that needs other random numbers, or the time, gets
    ///   them in its input. Its random numbers follow from what is asked, and everybody knows them beforehand: no
    ///   lottery is to be drawn from them.
    pub fn work(&self, profile: &Profile) -> Work {
        Work {
            profile: profile.clone(),
            program: self.program,
            world: World::Job,
            inputs: [(names::INPUT.into(), self.input.digest())].into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: self.limits,
        }
    }

    /// The most that one operator is paid.
    pub fn share(&self) -> u128 {
        self.max_price / u128::from(self.replicas.max(1))
    }

    /// Whether this can be asked at that time.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, terms: &RequestTerms, now: u64) -> Result<(), AskedError> {
        let longest = match self.input {
            Data::Inline(_) => Self::MAX_INLINE as u64,
            Data::Blob { .. } => terms.max_input,
        };
        let least = terms.notice.saturating_add(terms.run(&self.limits));
        let time = self.deadline.saturating_sub(now);
        let rules = [
            (self.replicas > 0, AskedError::NoReplicas),
            (
                self.replicas <= terms.max_replicas,
                AskedError::TooManyReplicas,
            ),
            (time >= least, AskedError::TooSoon),
            (time <= terms.horizon, AskedError::TooLate),
            (self.share() >= terms.least_share.max(1), AskedError::Price),
            (self.input.len() <= longest, AskedError::Input),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, rule)| Err(rule))
    }
}
