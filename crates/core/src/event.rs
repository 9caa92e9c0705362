//! Everything that can happen to a participant.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{
    Abort, Account, Capacity, Digest, JobPlan, JobSpec, Limits, NodeKey, Offer, Outputs,
    PriceTerms, Profile, Refusal, Signature, Statement, Transcript, Turn, Verified, Work,
    WorkError,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{checked::Checked, time::Time};

/// Who a participant is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its node.
    pub node: NodeKey,
    /// Who pays for what it orders, and is paid for what it runs.
    pub operator: Account,
    /// The ledger that it settles on: its genesis hash.
    pub ledger: Digest,
}

/// Something that has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The time that [`poll_timeout`](crate::Participant::poll_timeout) named has come. Too early or
    /// too often is harmless.
    Timeout,
    /// The user wants a job to be run.
    Submitted(Box<Submission>),
    /// The user does not want a job any more.
    Cancelled(Digest),
    /// A provider offers, in an offer that is within bounds.
    Offer(Box<Verified<Offer>>),
    /// Another node said something.
    Received {
        /// Who.
        from: NodeKey,
        /// What.
        message: Checked,
    },
    /// A message to this node could not be delivered.
    Unreachable(NodeKey),
    /// How long a message to this node and its answer take.
    RoundTrip(NodeKey, core::time::Duration),
    /// A turn that this node was to run is over.
    Executed {
        /// Which.
        turn: Turn,
        /// What came of it.
        result: Result<Box<Done>, Abort>,
    },
    /// A turn that this node was to run cannot be run here after all, and nothing is wrong with its unit.
    GivenBack {
        /// Which.
        turn: Turn,
        /// What is in the way.
        why: Refusal,
    },
    /// The outputs of an own job are all in this node's store.
    Collected(Digest),
    /// News of the escrow of an own job.
    Escrow {
        /// The job.
        job: Digest,
        /// The news.
        state: EscrowState,
    },
    /// What the ledger knows of the escrow that pays for somebody else's job.
    Funding {
        /// The job.
        job: Digest,
        /// What it has, or `None`.
        found: Option<Funding>,
    },
    /// The ledger has paid vouchers of this job up to this total, or will never pay more.
    Claimed {
        /// The job.
        job: Digest,
        /// The total of the voucher that was claimed.
        total: u128,
        /// What the ledger has paid this node's operator from the escrow in all; 0 if that is not known.
        received: u128,
    },
    /// The ledger has taken the evidence for these turns, or refused it for good.
    Filed(Vec<Turn>),
    /// What this node gives to others from now on.
    Capacity(Box<Terms>),
    /// The node is about to stop: it takes nothing new and finishes what it has.
    Drain,
}

/// What a user wants to be run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Submission {
    /// Tells this order from others for the same. Whoever says it again with the same nonce gets the
    /// same job.
    pub nonce: [u8; 16],
    /// What is to be run.
    pub plan: Plan,
    /// Bytes of the program.
    pub program_len: u64,
    /// Bytes of each input that the plan names.
    pub lengths: BTreeMap<Digest, u64>,
    /// The cap of each price.
    pub price: PriceTerms,
    /// The most that the whole job may cost; `None` is whatever the plan needs at worst.
    pub max_total: Option<u128>,
    /// How many operators run each unit at first.
    pub replicas: Replicas,
    /// How many results of one unit are asked and paid for at most.
    pub replica_cap: u8,
    /// When the order ends.
    pub deadline: Time,
    /// Labels that a provider has to have, each with one of these values.
    pub require: BTreeMap<String, BTreeSet<String>>,
    /// Whether its blobs are encrypted: whoever runs a part of it gets the key.
    pub is_encrypted: bool,
    /// The deployment that it was named by, if it was: of several that name one program.
    pub deployment: Option<Digest>,
}

/// The work of a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Plan {
    /// One unit.
    Single(Box<Work>),
    /// Many.
    Job(Box<JobSpec>),
}

/// How many operators run a unit at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Replicas {
    /// One or two, by what is known of the first.
    Auto,
    /// So many, at least 1.
    Fixed(u8),
}

/// Why a submission is not taken on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody could run it.
    #[error("nobody could run it: {0}")]
    Work(#[from] WorkError),
    /// The deadline is over.
    #[error("the deadline is over")]
    Deadline,
    /// No replica is asked for, or more than are paid for.
    #[error("{replicas} replicas cannot be had when {cap} are paid for at most")]
    Replicas {
        /// As asked for.
        replicas: u8,
        /// As given.
        cap: u8,
    },
    /// More replicas are asked for than one unit has turns.
    #[error("no unit is run by more than {0} operators")]
    Seats(usize),
    /// The length of an input is not said.
    #[error("the length of input {0} is not known")]
    Length(Digest),
    /// What it may cost is beyond any amount of money.
    #[error("what it may cost at worst is beyond any amount of money: set a maximum")]
    Price,
    /// So many jobs are not over yet.
    #[error("{0} jobs are not over yet, and no more are taken on")]
    Busy(usize),
    /// The node is about to stop.
    #[error("the node is about to stop")]
    Draining,
}

impl Submission {
    /// The job's id, which is also that of its escrow: `H("opensky order 1", requester, ledger, nonce,
    /// plan)`.
    pub fn id(&self, who: &Identity) -> Digest {
        let named = (who.node, who.ledger, self.nonce, &self.plan);
        Digest::derive("opensky order 1", &named)
    }

    /// How many bytes the largest unit that is known takes in.
    pub fn largest_input(&self) -> u64 {
        let length = |digest: &Digest| self.lengths.get(digest).copied().unwrap_or(0);
        let sum = |all: &mut dyn Iterator<Item = u64>| all.fold(0, u64::saturating_add);
        let spec = match &self.plan {
            Plan::Single(work) => return sum(&mut work.inputs.values().map(length)),
            Plan::Job(spec) => spec,
        };
        let planned = match &spec.plan {
            JobPlan::MapReduce { shards, .. } => shards.iter().map(length).max().unwrap_or(0),
            JobPlan::Stepper { input, .. } => length(input),
        };
        sum(&mut spec.inputs.values().map(length)).saturating_add(planned)
    }
}

impl Plan {
    /// The rules of execution.
    pub fn profile(&self) -> &Profile {
        match self {
            Self::Single(work) => &work.profile,
            Self::Job(spec) => &spec.profile,
        }
    }

    /// What each unit may use.
    pub fn limits(&self) -> &Limits {
        match self {
            Self::Single(work) => &work.limits,
            Self::Job(spec) => &spec.limits,
        }
    }
}

/// What a run came to: a [`Reveal`](opensky_protocol::Reveal) without turn and salt.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Done {
    /// What this node says.
    pub statement: Statement,
    /// Its signature of that.
    pub signature: Signature,
    /// The outputs' names and digests. Their bytes are in the node's store.
    pub outputs: Outputs,
    /// The host calls, up to a cap.
    pub transcript: Transcript,
    /// A stepper unit's states.
    pub states: Vec<Digest>,
}

/// News of an own escrow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EscrowState {
    /// So much is set aside, all in all.
    Locked {
        /// In the ledger's smallest coin.
        amount: u128,
    },
    /// The ledger refuses to set it aside.
    Rejected(String),
    /// It is closed: the time for claims runs.
    Closed,
}

/// What the ledger knows of somebody's escrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Funding {
    /// Whose tickets spend it.
    pub requester: NodeKey,
    /// Who pays.
    pub payer: Account,
    /// What a voucher could be paid from.
    pub amount: u128,
    /// What it still holds, for claims by evidence too. Nothing: it will never pay any more.
    pub left: u128,
    /// What it has paid this node's operator.
    pub received: u128,
    /// When work on it ends.
    pub ends: Time,
}

/// What a node gives to others, and for what. An offer follows from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What it asks.
    pub ask: PriceTerms,
    /// What there is. No cores: it offers nothing.
    pub capacity: Capacity,
    /// Fuel per second of one core, as measured.
    pub speed: u64,
    /// The rules of execution that it knows.
    pub profiles: Vec<Profile>,
    /// What it says of itself.
    pub labels: BTreeMap<String, String>,
}
