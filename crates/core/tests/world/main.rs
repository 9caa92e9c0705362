//! Whole networks in one thread: participants, a clock that is moved by hand, and a wire that loses,
//! doubles and reorders under a seed.

#![allow(clippy::unwrap_used)] // these are tests, helpers of tests included

mod facts;
mod guest;
mod ledger;
mod net;
