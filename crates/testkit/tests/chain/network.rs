//! A network that settles on a chain, whose chain is killed while its jobs are in flight.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use opensky_api::{
    Client, Hex, JobId, JobRequest, JobState, JobSummary, PageQuery, Plan, ProgramRef, Replicas,
};
use opensky_protocol::{
    Digest,
    ledger::{Fact, Status, Terms},
};

use crate::{
    calls::FAST,
    chain::{self, Chain},
    member::Member,
    process::{Process, opensky, until},
};

pub const JOB: &[u8] = include_bytes!("../../corpus/rust-job/job.wasm");
/// What a unit costs at least: what is worth less than its fee nobody claims.
const DISPATCH: u64 = 1_000_000_000;
pub const NODES: [&str; 3] = ["requester", "one", "two"];

/// Starts a node with its things in that folder, which begins with the first one.
pub fn node(folder: &Path, name: &str, url: &str, first: Option<&str>) -> Process {
    node_at(folder, name, url, first, DISPATCH)
}

/// The same with what a unit costs there at least.
pub fn node_at(
    folder: &Path,
    name: &str,
    url: &str,
    first: Option<&str>,
    dispatch: u64,
) -> Process {
    let data = folder.join(name);
    let begin = first.map(|first| format!("{first:?}")).unwrap_or_default();
    let text = format!(
        "data = {data:?}\nnetwork = \"proof\"\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n\
         bootstrap = [{begin}]\npublic = true\nprovide = {}\n[price]\ndispatch = {dispatch}\n\
         [capacity]\ncores = 1\ndisk = \"1GiB\"\n\
         [ledger.chain]\nurl = {url:?}\n[api]\nlisten = \"127.0.0.1:0\"\n",
        first.is_some()
    );
    let config = folder.join(format!("{name}.toml"));
    fs::write(&config, text).unwrap();
    let mut command = Command::new(opensky());
    command.args(["node", "start", "--format", "json", "--config"]);
    command.arg(&config);
    Process::start(command, &data)
}

fn submit(client: &Client, number: u8) -> JobId {
    let put = |bytes: &[u8]| {
        client
            .put_blob(bytes, Some(bytes.len() as u64))
            .unwrap()
            .digest
    };
    let text: Vec<u8> = (0..1 << 16)
        .map(|at: u32| b'a' + (at.wrapping_mul(0x9e37_79b9) >> 28) as u8)
        .collect();
    let plan = Plan::One {
        input: Some(put(&text)),
    };
    let mut request = JobRequest::new(ProgramRef::Digest(put(JOB)), plan);
    request.replicas = Some(Replicas::Exactly(2));
    request.entropy = Some(Hex([number; 32]));
    client.submit(&request).unwrap().job.unwrap()
}

pub fn ended(client: &Client, job: JobId) -> JobSummary {
    let summary = || client.job(&job.into()).unwrap().summary;
    until("the job is over", || summary().state == JobState::Ended);
    let summary = summary();
    let ending = format!("{:?}", summary.ending);
    assert!(ending.contains("Result(Ok)"), "{ending}");
    summary
}

#[test]
fn money_adds_up_after_the_chain_was_killed_under_jobs() {
    // Time enough to claim on a slow machine, and no more: everything is settled in the end.
    let terms = Terms {
        claims: 20_000,
        unbonding: 60_000,
        ..chain::terms()
    };
    let mut chain = Chain::with_terms(FAST, terms);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let requester = node(path, NODES[0], &chain.url(), None);
    let first = requester.address.clone();
    let providers = NODES[1..]
        .iter()
        .map(|name| node(path, name, &chain.url(), Some(&first)));
    let providers: Vec<_> = providers.collect();
    let client = requester.client();
    until("all offers are known", || {
        client.offers(&PageQuery::default()).unwrap().items.len() == providers.len()
    });
    let mut jobs = Vec::new();
    for number in 0..3 {
        let job = submit(&client, number);
        // At once, a little later, and when it is over and is paid for.
        match number {
            0 => {}
            1 => thread::sleep(Duration::from_millis(700)),
            _ => drop(ended(&client, job)),
        }
        chain.kill();
        chain.begin();
        jobs.push(ended(&client, job));
    }
    let price: u128 = jobs.iter().map(|job| job.price.0).sum();
    until("all is paid and comes back", || {
        let spent = client.node().unwrap().requester.spent;
        let wallet = client.wallet();
        spent.is_some_and(|spent| spent.0 == price) && wallet.is_ok_and(|wallet| wallet.held.0 == 0)
    });
    drop((client, requester, providers));
    let mut sum = 0;
    for name in NODES {
        sum += told(&chain, &path.join(name));
    }
    // Nobody is on the chain but these, who gives money away, and the pot for fees.
    assert_eq!(
        sum, 0,
        "what all have, and all fees, is what the faucet gave"
    );
}

/// Who was a node that has ended, and has read what has happened since.
pub fn ended_node(chain: &Chain, data: &Path) -> Member {
    let seed: Digest = fs::read_to_string(data.join("node.key"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut member = Member::open(&data.join("chain.redb"), &chain.url(), seed.0);
    member.settle();
    let height = chain.height();
    member.waits(|member| member.has_seen(height) && member.status().waiting == 0);
    member
}

/// What a node has and has paid in fees, less what the faucet gave it: what it has earned, or lost.
pub fn told(chain: &Chain, data: &Path) -> i128 {
    let member = ended_node(chain, data);
    member.adds_up();
    let (own, purse) = (member.account(), member.state().purse);
    assert_eq!(purse.held, 0);
    let mut sum = (purse.free + purse.held) as i128;
    for event in member.history() {
        let (fee, facts) = match event.status {
            Status::Final { fee, facts } => (fee, facts),
            Status::Rejected { fee, .. } => (fee, Vec::new()),
            Status::Pending => continue,
        };
        if event.account == own {
            sum += fee as i128;
        }
        let gifts = facts.iter().map(|fact| match fact {
            Fact::Transferred { to, amount, .. } if *to == own => *amount as i128,
            _ => 0,
        });
        sum -= gifts.sum::<i128>();
    }
    sum
}
