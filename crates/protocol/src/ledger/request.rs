//! Requests: what anybody with an account on a chain, a contract too, asks the network to compute, and how the chain
//! finds who is to do it, whether they agree, and who is paid what.
//!
//! The state machine of one request and its arithmetic are here, without a clock and without money: a chain's pallet
//! keeps the rows, and does what they say.

mod answer;
mod asked;
mod committee;
mod draw;
mod moment;
mod terms;

pub use self::{
    answer::{Answer, AnswerStatus, Refund},
    asked::{Asked, AskedError, Callback, Data},
    committee::{Close, Conduct, Next, Payout, Request, Seat, SeatError, Shown, Stage},
    draw::{Candidate, Offered, commitment, draw},
    moment::Moment,
    terms::RequestTerms,
};
