//! Where a job is in its life, and how it ended.

use opensky_protocol::Class;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::time::Time;

/// How far a job is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// What its escrow holds.
    pub(crate) locked: u128,
    pub(crate) created: Time,
    pub(crate) ended: Time,
}

/// Where a job is in its life.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Phase {
    /// Its money is being set aside.
    Funding,
    /// Units are run.
    Running,
    /// It will end so, as soon as what was promised has been shown and paid.
    Winding(Ending),
    /// All units are done, or one has failed; its outputs are on their way here.
    Collecting,
    /// It is over.
    Over { ending: Ending, escrow: Closing },
}

/// Whether the ledger knows that a job is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Closing {
    /// There is no escrow, or it is closed.
    Done,
    /// It has been asked to close it.
    Asked,
}

/// How a job ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, thiserror::Error)]
pub enum Ending {
    /// Every unit succeeded, and the outputs are here.
    #[error("done")]
    Done,
    /// The program itself failed, as several operators found or one that was believed.
    #[error("unit {index} ended with {class}")]
    Failed {
        /// Its place in the plan.
        index: u32,
        /// How it ended.
        class: Class,
    },
    /// Operators had different results of a unit, and none had a majority.
    #[error("there is no majority for any result of unit {index}")]
    Disputed {
        /// Its place in the plan.
        index: u32,
    },
    /// Hosts of several operators failed in the same way.
    #[error("unit {index} cannot be run: {reason}")]
    Unrunnable {
        /// Its place in the plan.
        index: u32,
        /// What the hosts say.
        reason: String,
    },
    /// A unit's outputs are not what its plan goes on with, or a stepper came back to a state it had
    /// been in.
    #[error("the plan cannot go on after unit {index}")]
    Stuck {
        /// Its place in the plan.
        index: u32,
    },
    /// The ledger did not set the money aside.
    #[error("the escrow was refused: {0}")]
    Unfunded(String),
    /// The user did not want it any more.
    #[error("cancelled")]
    Cancelled,
    /// A result that others were built upon turned out to be wrong, and these cannot be run again: they
    /// were too often, or what they would be was found wrong before.
    #[error("unit {index} had a wrong result, and others were built upon it too often")]
    Tainted {
        /// Its place in the plan.
        index: u32,
    },
    /// There was no more time.
    #[error("the deadline came first")]
    Deadline,
    /// There was not enough money left for the next provider, at the limit of fuel.
    #[error("what it may cost at most does not pay for one more provider")]
    Budget,
    /// A result that others were built upon turned out to be wrong, and there was not enough money left
    /// to run all of these again.
    #[error(
        "unit {index} had a wrong result, and the money was used up before all that was built upon it \
         was run again"
    )]
    Unmended {
        /// Its place in the plan.
        index: u32,
    },
}
