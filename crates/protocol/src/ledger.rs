//! What is asked of a ledger, what it answers, and the arithmetic by which every ledger settles.
//!
//! Nothing here keeps books: the embedded ledger and the chain's pallets do, each in its own way, and
//! both go by the rule book below.

mod call;
mod case;
mod escrow;
mod event;
mod evidence;
mod operator;
mod purse;
mod rejection;
mod request;
pub mod rules;
mod terms;
mod wire;

pub use call::{Call, Consent, Intent, OnChain, PaidTurn, Showing};
pub use case::{Case, Ending, Filed, Objection, Slash, Verdict};
pub use escrow::{Escrow, Phase, Tab};
pub use event::{Event, Fact, Status};
pub use evidence::Evidence;
pub use operator::{Operator, Unbonding};
pub use purse::Purse;
pub use rejection::{EvidenceError, Rejection};
pub use request::{
    Answer, AnswerStatus, Asked, AskedError, Callback, Candidate, Close, Conduct, Data, Moment,
    Next, Offered, Payout, Refund, Request, RequestTerms, Seat, SeatError, Shown, Stage,
    commitment, draw,
};
pub use terms::{Genesis, GenesisError, Terms};
pub use wire::{AccountState, LedgerReply, LedgerRequest, NodeState, Refused};
