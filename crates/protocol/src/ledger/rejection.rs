//! Why a ledger did not do what an intent asked.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Why an intent that was accepted had no effect. Its nonce is used up, and its fee is paid unless
/// the event says otherwise.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    thiserror::Error,
)]
pub enum Rejection {
    /// The account has less free money than it takes.
    #[error("the account has too little money")]
    Balance,
    /// An account would be left with, or would begin with, less than the existential deposit.
    #[error("the amount would leave an account below the existential deposit")]
    Existential,
    /// Nothing can be done with an amount of 0.
    #[error("the amount is zero")]
    Zero,
    /// The sum is beyond all the money there can be.
    #[error("the sum is too large")]
    Overflow,
    /// The fee could not be paid any more.
    #[error("the fee cannot be paid")]
    Fee,
    /// The ledger was told to lose this one: the same call with a new nonce may well go through.
    #[error("the ledger dropped the intent; ask again")]
    Dropped,
    /// This key may not sign this call for this account.
    #[error("the signer may not ask for this")]
    Unauthorised,
    /// The ledger makes no money, or not so much at once.
    #[error("the faucet does not give that")]
    Faucet,
    /// The node is certified by another account, or was once.
    #[error("the node has, or had, an operator")]
    NodeTaken,
    /// The account has not certified that node.
    #[error("the account has no such node")]
    NodeUnknown,
    /// Less is bonded than that.
    #[error("the bond is too small")]
    Bond,
    /// Too many amounts are unbonding at the same time.
    #[error("too much is unbonding at the same time")]
    Unbondings,
    /// Nothing has been unbonding for long enough.
    #[error("nothing can be withdrawn yet")]
    TooEarly,
    /// There is, or was, an escrow of that id.
    #[error("the escrow's id is used up")]
    EscrowTaken,
    /// There is no such escrow.
    #[error("there is no such escrow")]
    EscrowUnknown,
    /// The escrow would end before it begins.
    #[error("the deadline is over")]
    Deadline,
    /// It is too early or too late in the escrow's life for that.
    #[error("it is too early or too late for that in a job")]
    Phase,
    /// The voucher is signed by somebody who may not spend the escrow.
    #[error("the voucher is not of the escrow's requester")]
    Voucher,
    /// The turns that a voucher is said to pay are not those that it names.
    #[error("the turns are not those of the voucher")]
    Opening,
    /// The evidence does not show that anything is owed.
    #[error("the evidence does not hold: {0}")]
    Evidence(EvidenceError),
    /// The unit was shown before, or a voucher pays it.
    #[error("the unit is claimed already")]
    Claimed,
    /// As many providers as can be have claimed the unit.
    #[error("too many claims of one unit")]
    Claims,
    /// There are unsettled claims.
    #[error("there are claims that are not settled")]
    Unsettled,
    /// Nobody has claimed that unit, or it is settled.
    #[error("there is no such claim")]
    CaseUnknown,
    /// There is no dispute about the unit.
    #[error("nobody disputes the unit")]
    Undisputed,
    /// There is a dispute about the unit already, or a verdict.
    #[error("the unit is disputed already")]
    Disputed,
    /// This ledger has nobody who could judge.
    #[error("this ledger has no arbiter")]
    NoArbiter,
    /// A chain that is newer than this version gave a reason that it does not know.
    #[error("the ledger gave a reason that this version does not know")]
    Unknown,
    /// Only a chain takes requests.
    #[error("this ledger is no chain: it takes no requests for compute")]
    NoChain,
}

/// What is wrong with evidence.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    thiserror::Error,
)]
pub enum EvidenceError {
    /// The ticket is for another ledger or escrow, or of another requester.
    #[error("the ticket does not spend this escrow")]
    Ticket,
    /// The assignment is for another unit, or of another broker.
    #[error("the assignment is not by the ticket")]
    Assignment,
    /// Somebody else is paid for the turn.
    #[error("the turn is another operator's")]
    Operator,
    /// The promise is about another turn, or of another node.
    #[error("the commitment is not for the turn")]
    Commit,
    /// The result is not the one that was promised.
    #[error("the statement is not what was committed to")]
    Statement,
    /// The result costs more than the ticket allows: more fuel or output than its limits.
    #[error("the statement is beyond the ticket's limits")]
    Limits,
    /// The node was never certified by the operator: neither would answer for the other.
    #[error("the node is not the operator's")]
    Node,
    /// The operator has less at stake than a wrong result costs.
    #[error("the operator's bond is below the penalty")]
    Bond,
    /// The requester did not ask for the result that was promised.
    #[error("the requester has not asked to see what was committed to")]
    Summons,
}
