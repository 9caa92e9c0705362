//! What nodes say to each other: one request, one reply, over a connection that tells who speaks.

use alloc::{boxed::Box, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{
    Abort, Aside, Commit, Deployment, Digest, NodeKey, Offer, Order, Reveal, Signed, Summons, Turn,
    Voucher,
    ledger::{LedgerReply, LedgerRequest},
};

/// One step of the work on units between a broker and a provider. Each may be lost and may come
/// twice; whoever hears nothing says it again.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Message {
    /// Broker to provider: run these.
    Assign(Vec<Order>),
    /// Provider to broker: these are on their way. Answers an order, and whoever asks again.
    Accept(Vec<Turn>),
    /// Provider to broker: not these, and why.
    Refuse(Vec<(Turn, Refusal)>),
    /// Provider to broker: I have the results, and this binds me to them.
    Commit(Vec<Signed<Commit>>),
    /// Broker to provider: everyone has committed, show the results of these.
    Open(Vec<Signed<Summons>>),
    /// Provider to broker: here they are.
    Reveal(Vec<Reveal>),
    /// Provider to broker: my machine failed at these; it says nothing about the program.
    Abort(Vec<(Turn, Abort)>),
    /// Broker to provider: what became of these. Their blobs stay until the job is over: others may
    /// need them.
    Settle(Box<Settlement>),
    /// Broker to provider: these are not wanted any more.
    Release(Vec<Turn>),
    /// Broker to provider: these jobs are over. Their blobs may go, and their escrows are being closed.
    Over(Vec<Digest>),
}

/// The end of turns, from the broker.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Settlement {
    /// Turns that agreed and are paid, and the voucher that pays all of them of this job so far.
    pub paid: Vec<Turn>,
    /// Turns that are not paid: the result was another than what was agreed on.
    pub refused: Vec<Turn>,
    /// Cumulative over the job.
    pub voucher: Option<Signed<Voucher>>,
}

/// Why a provider does not take an order.
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
    thiserror::Error,
)]
pub enum Refusal {
    /// All its cores are taken and its queue is full.
    #[error("it is busy")]
    Busy,
    /// It is about to stop.
    #[error("it is shutting down")]
    Draining,
    /// The ticket pays less than it asks.
    #[error("the price is below what it asks")]
    Price,
    /// The unit may use more memory than it gives.
    #[error("the unit may use more memory than it has")]
    Memory,
    /// Inputs and outputs may take more disk than it gives.
    #[error("the unit may use more disk than it has")]
    Disk,
    /// It does not know the profile.
    #[error("it does not know the profile")]
    Profile,
    /// Another ledger.
    #[error("it settles on another ledger")]
    Ledger,
    /// The escrow that should pay is not there, or too small.
    #[error("it does not see the escrow")]
    Escrow,
    /// The deadline is too near, or over.
    #[error("the deadline is too near")]
    Deadline,
    /// Nobody could run it: the parts of the order do not fit, or the work is impossible.
    #[error("the order is not valid")]
    Invalid,
    /// What it has taken on from the escrow may cost all that is in it.
    #[error("the escrow may be used up by what it has taken on already")]
    Committed,
    /// With what the turn may cost the requester would owe it more than it lets that requester owe.
    #[error("it does not let the requester owe it so much")]
    Owed,
}

/// What one node asks another.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Request {
    /// A step of the work on units.
    Message(Message),
    /// The newest offers that the other knows, its own among them.
    Offers,
    /// Which of these blobs the other has.
    Has(Vec<Digest>),
    /// Keep this blob for others; the asker has it, and so may the named nodes.
    Pin {
        /// The blob.
        blob: Digest,
        /// Its length in bytes.
        len: u64,
        /// Who has it.
        sources: Vec<NodeKey>,
    },
    /// The deployment of this id.
    Deployment(Digest),
    /// A deployment to be known from now on.
    Deploy(Box<Signed<Deployment>>),
    /// A question to the ledger whose books the other keeps.
    Ledger(Box<LedgerRequest>),
    /// [`Message::Reveal`], and what goes with the results that is not compared.
    Reveal {
        /// The results.
        reveals: Vec<Reveal>,
        /// At most one for each of them.
        asides: Vec<Aside>,
    },
    /// The offers of these nodes, as far as the other knows them: at most 256.
    OffersOf(Vec<NodeKey>),
}

/// The answer to a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Reply {
    /// Heard; what there is to say comes in a message of its own.
    Heard,
    /// Not now: the other has too much to do.
    Busy,
    /// No, and it will not help to ask again.
    Refused,
    /// To [`Request::Offers`] and [`Request::OffersOf`].
    Offers(Vec<Signed<Offer>>),
    /// To [`Request::Has`]: one answer for each.
    Has(Vec<bool>),
    /// To [`Request::Deployment`].
    Deployment(Option<Box<Signed<Deployment>>>),
    /// To [`Request::Ledger`].
    Ledger(Box<LedgerReply>),
}

/// Bytes of one encoded request or reply: 4 MiB, so that the reduce unit of a job of 65,536 shards
/// fits.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
