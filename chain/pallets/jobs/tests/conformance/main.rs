//! The scenarios that every ledger passes, on the pallets in a runtime made for this.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

#[path = "../../../../../crates/ledger/tests/conformance/disputes.rs"]
mod disputes;
mod driver;
#[path = "../../../../../crates/ledger/tests/conformance/escrows.rs"]
mod escrows;
#[path = "../../../../../crates/ledger/tests/conformance/evidence.rs"]
mod evidence;
#[path = "../../../../../crates/ledger/tests/conformance/money.rs"]
mod money;
mod runtime;
#[path = "../../../../../crates/ledger/tests/world/mod.rs"]
mod world;
