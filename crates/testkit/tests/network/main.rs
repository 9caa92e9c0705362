//! A network of real processes to which everything happens that happens to machines: its jobs end right,
//! and its money adds up.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod apart;
mod bad;
mod books;
mod cable;
mod disk;
mod hub;
mod kill;
mod net;
mod phase;
mod process;
mod rot;
mod waiting;
