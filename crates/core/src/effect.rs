//! Everything that a participant can want.

use opensky_protocol::{
    Abort, Assignment, Commit, Digest, NodeKey, Offer, Output, Refusal, Reveal, Signature, Signed,
    Statement, Summons, Ticket, Turn, Verified, Voucher, Work, WrappedKey, ledger::PaidTurn,
};

use crate::{event::Refused, row::Row, time::Time};

/// Something that is to be done. Each may be asked for twice, and after a restart is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// These rows are to be durable before any effect that follows is carried out.
    Persist(Vec<Row>),
    /// To be said to this node, once; if it is lost it will be wanted again.
    Send {
        /// To whom.
        to: NodeKey,
        /// What.
        message: Outgoing,
    },
    /// This job is taken on and durable: whoever submitted it may be told.
    Accepted(Digest),
    /// This job is not taken on.
    Refused {
        /// The job.
        job: Digest,
        /// Why.
        reason: Refused,
    },
    /// To be run.
    Execute {
        /// The turn.
        turn: Turn,
        /// The work.
        work: Box<Work>,
        /// Bytes that all its inputs may have together: as many as are paid for.
        input_len: u64,
        /// Who may have its blobs; the one who ordered it comes last.
        sources: Vec<NodeKey>,
        /// The key to its blobs, wrapped by the one who ordered it, where they are encrypted.
        key: Option<WrappedKey>,
    },
    /// Not wanted any more: what runs may be killed.
    Stop(Turn),
    /// These outputs of an own job are to be fetched and kept; [`Event::Collected`](crate::Event)
    /// says that they are there.
    Collect {
        /// The job.
        job: Digest,
        /// The blobs, each with who has it.
        blobs: Vec<(Output, Vec<NodeKey>)>,
    },
    /// Money is to be set aside for an own job.
    OpenEscrow {
        /// The job, which is the escrow's id.
        job: Digest,
        /// How much.
        amount: u128,
        /// When work on it ends.
        deadline: Time,
    },
    /// The escrow of an own job is to be closed.
    CloseEscrow {
        /// The job.
        job: Digest,
    },
    /// The ledger is to be asked for the escrow that pays for this job.
    FindEscrow {
        /// The job.
        job: Digest,
    },
    /// To be claimed from the ledger.
    Claim(Verified<Voucher>),
    /// To be shown to the ledger.
    Show(Box<Proof>),
    /// This offer is to be signed and published.
    Publish(Offer),
    /// What this node keeps for somebody else's job may go: inputs, and outputs of its turns.
    Drop(Digest),
    /// An own job is over: its result, or why there is none, can be looked up.
    Ended(Digest),
}

/// A message with values that the node is to sign, each batch with one signature.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // each is the `Message` of the same name
pub enum Outgoing {
    Assign(Vec<Draft>),
    Accept(Vec<Turn>),
    Refuse(Vec<(Turn, Refusal)>),
    Commit(Vec<Commit>),
    Open(Vec<Summons>),
    Reveal(Vec<Reveal>),
    Abort(Vec<(Turn, Abort)>),
    Settle {
        paid: Vec<Turn>,
        refused: Vec<Turn>,
        voucher: Option<Box<Voucher>>,
    },
    Release(Vec<Turn>),
    Over(Vec<Digest>),
}

/// An [`Order`](opensky_protocol::Order) without signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What is to be run.
    pub work: Work,
    /// To be signed.
    pub ticket: Ticket,
    /// To be signed.
    pub assignment: Assignment,
    /// Who has inputs.
    pub sources: Vec<NodeKey>,
    /// Of an encrypted job, its nonce: the key of that job is to be wrapped for the provider.
    pub encrypted: Option<[u8; 16]>,
}

/// What this node shows to the ledger to be paid: a [`Showing`](opensky_protocol::ledger::Showing)
/// whose commitments are to be signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The escrow.
    pub escrow: Digest,
    /// A voucher whose turns are all known.
    pub voucher: Option<Signed<Voucher>>,
    /// These turns, in its order.
    pub opened: Vec<PaidTurn>,
    /// Turns that it does not pay.
    pub turns: Vec<UnpaidTurn>,
}

/// One turn that was not paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnpaidTurn {
    /// The requester's order.
    pub ticket: Signed<Ticket>,
    /// This node's turn.
    pub assignment: Signed<Assignment>,
    /// Its promise, to be signed.
    pub commit: Commit,
    /// The requester's word that it wanted to see what was promised.
    pub summons: Signed<Summons>,
    /// The promise's salt.
    pub salt: Digest,
    /// The result.
    pub statement: Statement,
    /// This node's signature of it.
    pub signature: Signature,
}
