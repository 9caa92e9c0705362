//! A request that is placed on the chain, and answered by a committee of real nodes.

use opensky_api::{Amount, DeploymentRequest, PageQuery};
use opensky_protocol::{
    Digest, Limits,
    ledger::{Asked, Call, Data, Event, OnChain, Status},
};
use serde_json::json;

use crate::{
    chain::Chain,
    member::{GIFT, Member},
    network::{JOB, node},
    process::until,
};

/// Two blocks a second.
const SEAL: &str = "500";
const PROVIDERS: [&str; 3] = ["one", "two", "three"];
const SKY: u128 = 1_000_000_000_000;

#[test]
fn nodes_answer_what_is_asked_on_the_chain() {
    let chain = Chain::start(SEAL);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let requester = node(path, "requester", &chain.url(), None);
    let first = requester.address.clone();
    let providers = PROVIDERS.map(|name| node(path, name, &chain.url(), Some(&first)));
    let client = requester.client();
    until("all offers are known", || {
        client.offers(&PageQuery::default()).unwrap().items.len() == providers.len()
    });
    let program = client.put_blob(JOB, Some(JOB.len() as u64)).unwrap().digest;
    let deployment = json!({ "name": "job", "program": program.to_string() });
    let deployment: DeploymentRequest = serde_json::from_value(deployment).unwrap();
    client.deploy(&deployment).unwrap();
    for provider in &providers {
        provider.client().stake(Amount(100 * SKY)).unwrap();
    }

    let asker = Member::rich(&chain, 5, path);
    let asked = || Asked {
        program: Digest(program.0),
        input: Data::Inline(b"some text with some words".to_vec()),
        limits: Limits::DEFAULT,
        replicas: 2,
        max_price: 20 * SKY,
        deadline: now() + 600_000,
        callback: None,
    };
    // Until the providers have said what they offer and keep at hand it is refused.
    until("it is taken", || {
        let asked = OnChain::Request(asked());
        asker.call(Call::OnChain(Box::new(asked))).is_ok()
    });
    assert!(asker.state().purse.held > 0);
    until("it is answered and paid", || asker.state().purse.held == 0);
    let spent = GIFT - asker.state().purse.free;
    let fees: u128 = asker.history().iter().map(fee).sum();
    assert!(spent > fees, "{spent} was spent, {fees} of it as fees");
}

fn fee(event: &Event) -> u128 {
    match event.status {
        Status::Final { fee, .. } | Status::Rejected { fee, .. } => fee,
        Status::Pending => 0,
    }
}

/// In Unix milliseconds.
fn now() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    now.as_millis() as u64
}
