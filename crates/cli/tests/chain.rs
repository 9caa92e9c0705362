//! A devnet that settles on a chain: what a person sees of that, and the same commands on an embedded ledger.

mod session;

use session::{Session, devnet::Devnet, wat};

/// What is the same on every ledger that has a faucet.
fn money(person: &Session) {
    let wallet = person.opensky(&["stake", "5SKY"]);
    wallet.is(0, &["bonded", "5 SKY"]);
    let wallet = person.opensky(&["unstake", "2SKY"]);
    wallet.is(0, &["leaves bond", "2 SKY", "until then it can be lost"]);
    let refused = person.opensky(&["unstake", "200SKY"]);
    refused.refuses(3, &["you have 3 SKY at stake", "opensky wallet balance"]);
    let refused = person.opensky(&["stake", "9000000SKY"]);
    refused.refuses(3, &["too little money"]);
    person
        .opensky(&["wallet", "fund", "3SKY"])
        .is(0, &["play money"]);
    let refused = person.opensky(&["wallet", "fund", "9000000SKY"]);
    refused.refuses(3, &["the faucet does not give that"]);
    let history = person.opensky(&["wallet", "history"]);
    history.is(0, &["given", "3 SKY", "leaves the bond", "bonded"]);
    assert!(!history.text().contains("received"), "{}", history.text());
}

#[test]
fn people_see_the_chain_and_what_it_takes() {
    let person = Session::with_warm_cache();
    let devnet = Devnet::start(&person, &["--chain", "--providers", "2"]);
    for shown in [
        "starting the chain\n",
        "staking for provider-1\n",
        "ws://127.0.0.1:",
        "opensky chain status",
    ] {
        assert!(devnet.said.contains(shown), "{}", devnet.said);
    }
    person.opensky(&["chain", "status"]).is(
        0,
        &[
            "ws://127.0.0.1:",
            "final",
            "version",
            "a chain keeps the books",
        ],
    );
    let json = person.opensky(&["chain", "status", "--format", "json"]);
    json.is(0, &["\"kind\": \"chain\"", "\"finalized\""]);
    money(&person);
    person.opensky(&["wallet", "history"]).is(0, &["fee "]);
    person.write("program.wat", wat(""));
    let job = person.opensky(&["job", "run", "program.wat", "--replicas", "2"]);
    job.is(0, &["verified 2/2"]);
    assert_eq!(devnet.end(), Some(0));
}

#[test]
fn people_see_that_there_is_no_chain() {
    let person = Session::with_warm_cache();
    let devnet = Devnet::start(&person, &["--providers", "1"]);
    person.opensky(&["chain", "status"]).is(
        0,
        &[
            "none: this node settles on an embedded ledger",
            "one process keeps the books",
        ],
    );
    money(&person);
    assert_eq!(devnet.end(), Some(0));
}
