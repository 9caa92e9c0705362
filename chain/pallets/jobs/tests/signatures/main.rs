//! The chain's host checks signatures by the same rule as the nodes.
#![allow(clippy::unwrap_used)] // a vector that is none fails the test

#[path = "../../../../../crates/protocol/tests/signatures/rule.rs"]
mod rule;

use opensky_chain_pallet_providers::signed;

#[test]
fn host_checks_signatures_by_the_rule() {
    rule::is_kept(signed);
}
