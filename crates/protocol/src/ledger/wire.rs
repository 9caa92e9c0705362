//! What nodes ask the process that keeps the books, and what it answers.

use alloc::{boxed::Box, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Digest, NodeKey, Signed,
    ledger::{Case, Escrow, Event, Genesis, Intent, Operator, Purse, Tab},
};

/// One question to a ledger.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum LedgerRequest {
    /// What did it begin with?
    Genesis,
    /// Take these on, in this order: at most [`LedgerRequest::MAX_INTENTS`].
    Submit(Vec<Signed<Intent>>),
    /// What happened after the event of that sequence number? At most `limit` events, and never more
    /// than [`LedgerRequest::MAX_EVENTS`].
    Events {
        /// The last event that the asker has seen, or 0.
        after: u64,
        /// How many it can take.
        limit: u32,
    },
    /// The newest events that moved an account's money, the newest first.
    History {
        /// The account.
        account: Account,
        /// Only events before this sequence number; `u64::MAX` for the newest of all.
        before: u64,
        /// How many the asker can take.
        limit: u32,
    },
    /// What became of an intent so far?
    Status(Digest),
    /// What has the account?
    Account(Account),
    /// Which nonce comes next for intents that this key signs?
    Nonce(NodeKey),
    /// Whose node is it?
    Node(NodeKey),
    /// Which nodes has the operator certified?
    Nodes(Account),
    /// An escrow.
    Escrow(Digest),
    /// What an operator has coming from an escrow.
    Tab {
        /// The escrow.
        escrow: Digest,
        /// The operator.
        operator: Account,
    },
    /// The unsettled claims of one unit.
    Case {
        /// The escrow.
        escrow: Digest,
        /// The unit.
        unit: Digest,
    },
    /// The units of an escrow that have unsettled claims: at most [`LedgerRequest::MAX_EVENTS`],
    /// after the given one.
    Cases {
        /// The escrow.
        escrow: Digest,
        /// The last unit that the asker has seen; `None` to begin.
        after: Option<Digest>,
    },
}

impl LedgerRequest {
    /// Intents that are submitted at once.
    pub const MAX_INTENTS: usize = 64;
    /// Entries of one page.
    pub const MAX_EVENTS: u32 = 256;
}

/// The answer to a [`LedgerRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum LedgerReply {
    /// The ledger cannot do anything now: its disk does not let it. Ask again later.
    Unavailable,
    /// To [`LedgerRequest::Genesis`].
    Genesis(Box<Genesis>),
    /// One answer for each intent: its name, by which its fate is told, or why it was not taken on.
    /// What was taken on is durable.
    Submitted(Vec<Result<Digest, Refused>>),
    /// To [`LedgerRequest::Events`] and [`LedgerRequest::History`]. A page may hold less than was
    /// asked for, and then there is more; it is empty only if there is nothing.
    Events(Vec<Event>),
    /// To [`LedgerRequest::Status`]: the last that is known.
    Status(Option<Box<Event>>),
    /// To [`LedgerRequest::Account`].
    Account(Box<AccountState>),
    /// To [`LedgerRequest::Nonce`].
    Nonce(u64),
    /// To [`LedgerRequest::Node`].
    Node(Option<NodeState>),
    /// To [`LedgerRequest::Nodes`].
    Nodes(Vec<NodeKey>),
    /// To [`LedgerRequest::Escrow`].
    Escrow(Option<Box<Escrow>>),
    /// To [`LedgerRequest::Tab`].
    Tab(Tab),
    /// To [`LedgerRequest::Case`].
    Case(Option<Box<Case>>),
    /// To [`LedgerRequest::Cases`].
    Cases(Vec<Digest>),
}

/// What an account has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct AccountState {
    /// Its money.
    pub purse: Purse,
    /// What of it is bonded.
    pub operator: Operator,
}

/// Whose a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct NodeState {
    /// The account that certified it.
    pub operator: Account,
    /// When it was let go, in Unix milliseconds.
    pub revoked: Option<u64>,
}

/// Why an intent was not taken on. It left no trace: the same one can be submitted again.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, thiserror::Error,
)]
pub enum Refused {
    /// It is not signed, or something in it is not, or it is too long.
    #[error("the intent is not sound, or not signed")]
    Unsound,
    /// It is for another ledger.
    #[error("the intent is for another ledger")]
    Ledger,
    /// Its nonce is not the next one.
    #[error("the signer's next nonce is {next}")]
    Nonce {
        /// The next one.
        next: u64,
    },
    /// This key may not sign this for that account.
    #[error("the signer may not ask for this")]
    Unauthorised,
    /// The account could not pay the fee.
    #[error("the account cannot pay the fee")]
    Fee,
    /// Too many intents of the account wait.
    #[error("too many intents of the account wait")]
    Full,
    /// The ledger has too much to do.
    #[error("the ledger has too much to do")]
    Busy,
}
