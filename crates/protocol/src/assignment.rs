//! One provider's turn at a unit: the assignment, and how its result is first promised, then shown.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Class, Digest, NodeKey, Outputs, PriceTerms, Receipt, Signable, Signature, Signed,
    Statement, Ticket, Transcript, Work, WrappedKey,
};

/// The broker's word that this provider shall run the unit now, and will be paid its ask for it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Assignment {
    /// The unit.
    pub unit: Digest,
    /// The job that it is run for. Equal work of another job is another assignment.
    pub job: Digest,
    /// Who assigns: the ticket's requester.
    pub broker: NodeKey,
    /// Who runs it.
    pub provider: NodeKey,
    /// Who is paid.
    pub operator: Account,
    /// What it is paid by: the provider's ask, of which no price counts beyond the ticket's.
    pub ask: PriceTerms,
    /// Counts the assignments of this unit, from 0.
    pub attempt: u32,
    /// How long the provider has until it must have committed, in milliseconds.
    pub lease: u64,
}

impl Signable for Assignment {
    const DOMAIN: &'static str = "opensky assignment 1";

    fn signer(&self) -> NodeKey {
        self.broker
    }
}

/// All that a provider needs to run a unit and to be paid for it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Order {
    /// What is to be run.
    pub work: Work,
    /// The requester's order.
    pub ticket: Signed<Ticket>,
    /// The provider's turn.
    pub assignment: Signed<Assignment>,
    /// Nodes that have blobs of the inputs, at most [`Order::MAX_SOURCES`]; the broker's node has the
    /// rest.
    pub sources: Vec<NodeKey>,
    /// The key to the job's blobs, wrapped by the broker for the provider, where they are encrypted.
    pub key: Option<WrappedKey>,
}

impl Order {
    /// Sources that an order names at most.
    pub const MAX_SOURCES: usize = 1_024;

    /// Whether its parts are about one unit and one job, and the requester assigns it. Signatures
    /// are another matter.
    pub fn is_consistent(&self) -> bool {
        let (ticket, turn) = (&self.ticket.value, &self.assignment.value);
        let unit = self.work.unit();
        ticket.unit == unit
            && turn.unit == unit
            && ticket.job == turn.job
            && ticket.requester == turn.broker
            && ticket.limits == self.work.limits
            && self.sources.len() <= Self::MAX_SOURCES
    }
}

/// A turn at a unit, by name: unit, job and attempt.
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
pub struct Turn {
    /// The job.
    pub job: Digest,
    /// The unit.
    pub unit: Digest,
    /// Which of the unit's assignments.
    pub attempt: u32,
}

impl From<&Assignment> for Turn {
    fn from(assignment: &Assignment) -> Self {
        Self {
            job: assignment.job,
            unit: assignment.unit,
            attempt: assignment.attempt,
        }
    }
}

/// A provider's promise of a result, before anyone has shown theirs.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Commit {
    /// The turn.
    pub turn: Turn,
    /// Who promises and signs.
    pub node: NodeKey,
    /// See [`Commit::hash_of`].
    pub hash: Digest,
}

impl Commit {
    /// What binds a provider to its result, and tells nobody what it is:
    /// `H("opensky commit 1", node, turn, compare key, salt)`.
    pub fn hash_of(node: &NodeKey, turn: &Turn, compare_key: &Digest, salt: &Digest) -> Digest {
        Digest::derive("opensky commit 1", &(node, turn, compare_key, salt))
    }
}

impl Signable for Commit {
    const DOMAIN: &'static str = "opensky commitment 1";

    fn signer(&self) -> NodeKey {
        self.node
    }
}

/// The broker's word that it has a provider's promise and is to be shown the result. So a ledger knows that
/// the promise was there before the result could be known, and that the result was wanted.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Summons {
    /// Who wants to see it, and signs: the ticket's requester.
    pub broker: NodeKey,
    /// What was promised.
    pub commit: Commit,
}

impl Signable for Summons {
    const DOMAIN: &'static str = "opensky summons 1";

    fn signer(&self) -> NodeKey {
        self.broker
    }
}

/// A provider's result, and the salt that proves it is the one that was promised.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Reveal {
    /// The turn.
    pub turn: Turn,
    /// The commitment's salt.
    pub salt: Digest,
    /// What the provider says.
    pub statement: Statement,
    /// The provider's signature of the statement.
    pub signature: Signature,
    /// The outputs' names and digests.
    pub outputs: Outputs,
    /// The host calls, up to a cap.
    pub transcript: Transcript,
    /// A stepper unit's states.
    pub states: Vec<Digest>,
}

impl Reveal {
    /// Whether this is what was promised.
    pub fn opens(&self, commit: &Commit) -> bool {
        let said = &self.statement;
        let hash = Commit::hash_of(&said.node, &self.turn, &said.compare_key, &self.salt);
        self.turn == commit.turn && said.node == commit.node && hash == commit.hash
    }

    /// Whether the statement follows from the parts, and its node signed it. Whether it is within the
    /// work's limits the ticket's side has to look at.
    pub fn holds(&self) -> bool {
        let said = &self.statement;
        said.unit == self.turn.unit
            && said.is_consistent()
            && said.output == self.outputs.digest()
            && said.output_len == self.outputs.len()
            && said.transcript == self.transcript.root
            && said.calls == self.transcript.count
            && self.transcript.is_consistent(&said.unit)
            && Receipt::states_match(&self.outputs, &self.states)
            && said.is_signed(&self.signature)
    }

    /// Whether the unit succeeded.
    pub fn is_ok(&self) -> bool {
        self.statement.class == Class::Ok
    }

    /// The receipt that this is, for the work and by the ticket it was run for. What it says is not
    /// checked here: [`Receipt::check`] does that.
    pub fn into_receipt(self, work: Work, ticket: Option<Signed<Ticket>>) -> Receipt {
        Receipt {
            work,
            ticket,
            statement: self.statement,
            signature: self.signature,
            transcript: self.transcript,
            outputs: self.outputs,
            states: self.states,
        }
    }
}
