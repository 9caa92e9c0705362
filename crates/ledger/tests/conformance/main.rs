//! What every ledger has to do, as scenarios: they drive it through [`driver::Driver`] alone, so that
//! another ledger passes them with a driver of its own. Balances are compared net of the fees that
//! the ledger reports, so each scenario runs with and without fees, delay, drops and a deposit.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod disputes;
mod driver;
mod escrows;
mod evidence;
mod money;
#[path = "../world/mod.rs"]
mod world;
