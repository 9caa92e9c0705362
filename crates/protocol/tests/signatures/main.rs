//! The protocol's own way to check signatures goes by the rule; a chain's goes by the same one, see `chain/pallets`.
#![allow(clippy::unwrap_used)] // a vector that is none fails the test

mod rule;

use opensky_protocol::NodeKey;

#[test]
fn nodes_check_signatures_by_the_rule() {
    rule::is_kept(NodeKey::signed);
}
