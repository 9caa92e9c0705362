//! The numbers that requests on a chain follow.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Limits, Profile};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The rules that requests follow. Amounts are in the ledger's smallest coin, times in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct RequestTerms {
    /// The rules of execution. A request keeps those that it was placed under.
    pub profile: Profile,
    /// How many operators may be asked for at most.
    pub max_replicas: u8,
    /// How many are asked at most in the course of one request, where results differ or somebody is silent.
    pub max_seats: u8,
    /// The least that a request may give for one operator's run: less is not worth the block space.
    pub least_share: u128,
    /// Bytes of an input that is a blob.
    pub max_input: u64,
    /// How much later than the placing the deadline is at least, beside the time that the run may take: enough for a round
    /// of random numbers in which somebody is silent, and for what a committee takes.
    pub notice: u64,
    /// How much later it is at most.
    pub horizon: u64,
    /// How long a committee has to commit, beside the time that the run may take.
    pub commit: u64,
    /// How long 10^9 fuel may take.
    pub pace: u64,
    /// How long a committee has to reveal.
    pub reveal: u64,
    /// How many blocks each of these lasts at least, however slow or fast they are: more than it takes until an operator
    /// knows of a final block, and its word is in another.
    pub blocks: u32,
}

impl RequestTerms {
    /// Those of a development chain.
    pub fn development() -> Self {
        Self {
            profile: Profile::new("1"),
            max_replicas: 7,
            max_seats: 16,
            least_share: 1,
            max_input: 1 << 30,
            notice: 2 * MINUTE,
            horizon: 24 * HOUR,
            commit: 30 * SECOND,
            pace: SECOND,
            reveal: 30 * SECOND,
            blocks: 10,
        }
    }

    /// How long a run within these limits may take.
    pub fn run(&self, limits: &Limits) -> u64 {
        limits
            .fuel
            .div_ceil(1_000_000_000)
            .saturating_mul(self.pace)
    }

    /// How long a committee for a unit within these limits may take until all have shown what they found.
    pub fn committee(&self, limits: &Limits) -> u64 {
        self.run(limits)
            .saturating_add(self.commit)
            .saturating_add(self.reveal)
    }
}
