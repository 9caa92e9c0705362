//! The embedded ledger: accounts, escrows and settlement in one file, for one machine and for
//! development networks.
//!
//! It is a trusted bookkeeper: whoever runs the process that holds the file can write what they like
//! into it, and who gives the verdicts is an account that its genesis names. Strangers settle on a
//! chain. What it does with an honest bookkeeper is what a chain does: the same calls, the same
//! arithmetic (`opensky_protocol::ledger`), the same events.
//!
//! [`Books`] are the state machine: calls and the time go in, events come out, and nothing is
//! written anywhere. [`Ledger`] keeps books in a file: what it has answered to is durable. All of its
//! calls block; one thread owns it, collects what others ask in the meantime, and hands it over at
//! once ([`Ledger::serve_all`]), so that many intents wait for the disk together.

mod books;
mod conduct;
mod error;
mod ledger;
mod rows;
#[cfg(feature = "chain")]
mod substrate;
mod tables;
mod treasury;

pub use books::{Books, Upkeep};
pub use conduct::Conduct;
pub use error::LedgerError;
pub use ledger::Ledger;
#[cfg(feature = "chain")]
pub use substrate::{
    Chain, ChainAway, ChainStatus, Changes, Charter, Duty, Finalized, Part, Seat, alice, shown_url,
};
pub use treasury::Treasury;
