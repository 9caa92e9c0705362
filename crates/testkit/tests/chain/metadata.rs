//! The description of the chain that the adapter is compiled with is that of the runtime.

use std::{env, fs, path::Path};

use serde_json::json;

use crate::chain::{Chain, bytes};

const FILE: &str = "../ledger/src/substrate/metadata.scale";
/// Metadata of version 15, as a number of 32 bits.
const VERSION: &str = "0x0f000000";
const ANEW: &str = "the chain describes itself otherwise. If it should: cargo xtask runtime --node, then \
                    UPDATE_EXPECT=1 cargo test --locked --workspace --test=chain metadata";

#[test]
fn adapter_knows_the_chain_as_it_describes_itself() {
    let chain = Chain::start("manual");
    let asked = json!(["Metadata_metadata_at_version", VERSION]);
    let answer = chain.ask("state_call", asked);
    let described = described(&bytes(answer.as_str().unwrap()));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &described).unwrap();
    }
    let known = fs::read(&file).unwrap();
    // Bytes say nothing to people.
    assert!(described == known, "{ANEW}");
}

/// What is in an answer: SCALE's `Some` of bytes, before which is how many they are.
fn described(answer: &[u8]) -> Vec<u8> {
    let described: Option<Vec<u8>> = opensky_protocol::codec::decode(answer).unwrap();
    described.unwrap()
}
