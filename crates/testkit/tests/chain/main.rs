//! The ledger's chain adapter on a real chain: a process that is killed, forks and comes back, and networks
//! that settle on it. Run by `cargo xtask test`, which builds the chain first.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod calls;
mod chain;
mod crowd;
#[path = "../../../ledger/tests/conformance/disputes.rs"]
mod disputes;
mod driver;
#[path = "../../../ledger/tests/conformance/escrows.rs"]
mod escrows;
#[path = "../../../ledger/tests/conformance/evidence.rs"]
mod evidence;
mod faults;
mod garbage;
mod member;
mod metadata;
#[path = "../../../ledger/tests/conformance/money.rs"]
mod money;
mod network;
#[allow(dead_code)] // each test takes its share
#[path = "../network/process.rs"]
mod process;
mod requests;
mod sudo;
mod told;
mod upgrade;
#[path = "../../../ledger/tests/world/mod.rs"]
mod world;
