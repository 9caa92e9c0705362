//! A chain that gets another runtime under jobs and claims.

use std::{fs, path::Path};

use opensky_api::{Client, JobId, JobRequest, JobState, PageQuery, Plan, ProgramRef, Replicas};
use opensky_protocol::ledger::Terms;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    calls::FAST,
    chain::{self, Chain, find},
    faults::begin,
    member::Member,
    network::{NODES, ended, node_at, told},
    process::{Process, is_halted, until},
    sudo::{set_code, wait_for_version},
    world::Job,
};

const MAP_REDUCE: &[u8] = include_bytes!("../../corpus/rust-job/map-reduce.wasm");
/// What an upgraded runtime calls itself.
const NEXT: u64 = 2;
/// Blocks after which a transaction can come into none.
const MORTALITY: usize = 64;
/// Units of a job: some are done before the upgrade, and most after it.
const SHARDS: u8 = 24;

/// The same runtime with the next version's number.
fn upgrade() -> Vec<u8> {
    let built = "wasm32v1-none/release/opensky_chain_runtime.upgrade.wasm";
    fs::read(find("OPENSKY_RUNTIME_UPGRADE", built)).unwrap()
}

/// A runtime's version is a part of what is signed, so the next one does not take it.
#[test]
fn claim_that_was_signed_for_the_runtime_before_is_paid_by_the_next_one_once() {
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = begin(&chain, 1, folder.path());
    let bob = begin(&chain, 2, folder.path());
    let job = Job::new(ada.ledger, 7, &ada.party);
    let opened = ada.hand_in(job.open(1_000, u64::MAX));
    chain.wait_for(1);
    chain.seal();
    ada.decided(opened);

    let claim = bob.hand_in(job.claim(&bob.party, 3));
    chain.wait_for(1);
    let signed = chain.ask("author_pendingExtrinsics", json!([]));
    let forgotten = json!([[{ "extrinsic": signed[0] }]]);
    chain.ask("author_removeExtrinsic", forgotten);
    assert_eq!(chain.waiting(), 0);
    set_code(&chain, &upgrade());
    chain.wait_for(1);
    chain.seal();
    wait_for_version(&chain, NEXT);

    // The first block that it could have been in is that of the upgrade.
    for _ in 1..MORTALITY - 1 {
        assert_eq!(chain.transactions(&chain.seal()), 0);
    }
    chain.wait_for(1);
    assert!(!bob.is_decided(claim));
    chain.seal();
    bob.decided(claim);
    assert_eq!(bob.status().finalized.unwrap().runtime, NEXT as u32);
    assert_eq!(bob.paid(), [30]);
    // She sees that block for herself.
    ada.waits(|ada| ada.history().len() == 3);
    ada.adds_up();
    bob.adds_up();
}

/// A network with a job that is at work for as long as its providers' workers are halted.
struct Scene {
    requester: Process,
    providers: Vec<Process>,
    job: JobId,
    halted: Vec<Pid>,
}

#[test]
fn job_in_flight_is_paid_once_after_an_upgrade() {
    let terms = Terms {
        claims: 20_000,
        unbonding: 60_000,
        ..chain::terms()
    };
    let chain = Chain::with_terms(FAST, terms);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut scene = Scene::begin(&chain, path);
    scene.halt();
    set_code(&chain, &upgrade());
    wait_for_version(&chain, NEXT);
    // Nodes have seen it, and nothing of the job has changed.
    let observer = Member::join(&chain, 8, path);
    observer.waits(|seen| {
        let seen = seen.status().finalized;
        seen.is_ok_and(|seen| seen.runtime == NEXT as u32)
    });
    scene.is_under_way();
    scene.go_on();
    let price = ended(&scene.requester.client(), scene.job).price.0;
    let client = scene.requester.client();
    until("all is paid and comes back", || {
        let spent = client.node().unwrap().requester.spent;
        let wallet = client.wallet();
        spent.is_some_and(|spent| spent.0 == price) && wallet.is_ok_and(|wallet| wallet.held.0 == 0)
    });
    drop((client, scene));
    let sums = NODES.map(|name| told(&chain, &path.join(name)));
    assert_eq!(
        sums.iter().sum::<i128>(),
        0,
        "what all have, and all fees, is what the faucet gave"
    );
    assert_eq!(sums[0], -(price as i128));
}

impl Scene {
    /// A job of which something is done, promised and not claimed: each unit is worth a part of what it costs to claim it.
    fn begin(chain: &Chain, path: &Path) -> Self {
        let fee = Member::join(chain, 8, path).fee();
        let dispatch = (fee / 10) as u64;
        let requester = node_at(path, NODES[0], &chain.url(), None, dispatch);
        let first = requester.address.clone();
        let providers = NODES[1..]
            .iter()
            .map(|name| node_at(path, name, &chain.url(), Some(&first), dispatch));
        let providers: Vec<_> = providers.collect();
        let client = requester.client();
        until("all offers are known", || {
            client.offers(&PageQuery::default()).unwrap().items.len() == providers.len()
        });
        let job = submit(&client);
        Self {
            requester,
            providers,
            job,
            halted: Vec::new(),
        }
    }

    /// Halts all who work, once something is done.
    fn halt(&mut self) {
        until("something is promised", || {
            self.providers.iter().all(|provider| owed(provider) > 0)
        });
        let mut waiting: Vec<_> = self.providers.iter().collect();
        until("all work is halted", || {
            waiting.retain(|provider| {
                self.halted.extend(provider.halt_workers());
                !provider.workers().into_iter().any(is_halted)
            });
            waiting.is_empty()
        });
        self.is_under_way();
    }

    fn go_on(&mut self) {
        for worker in self.halted.drain(..) {
            // Fails for one that was ended meanwhile.
            let _ = kill_process(worker, Signal::CONT);
        }
    }

    /// Its escrow is open, and its providers are owed something of which they have claimed nothing.
    fn is_under_way(&self) {
        let client = self.requester.client();
        let job = client.job(&self.job.into()).unwrap();
        assert_eq!(job.summary.state, JobState::Running, "{job:?}");
        assert_eq!(job.held.unwrap().amount, job.summary.escrow, "{job:?}");
        for provider in &self.providers {
            assert!(owed(provider) > 0);
        }
    }
}

/// What a provider was promised, and has not been paid.
fn owed(provider: &Process) -> u128 {
    provider.client().node().unwrap().provider.unwrap().owed.0
}

fn submit(client: &Client) -> JobId {
    let put = |bytes: &[u8]| {
        client
            .put_blob(bytes, Some(bytes.len() as u64))
            .unwrap()
            .digest
    };
    let shard = |number| vec![number; 1 << 16];
    let plan = Plan::Map {
        inputs: (0..SHARDS).map(|number| put(&shard(number))).collect(),
        partitions: 1,
    };
    let mut request = JobRequest::new(ProgramRef::Digest(put(MAP_REDUCE)), plan);
    request.replicas = Some(Replicas::Exactly(2));
    client.submit(&request).unwrap().job.unwrap()
}
