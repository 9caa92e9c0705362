//! What happens to jobs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use libtest_mimic::Trial;
use opensky_core::{Ending, JobState, Plan, Replicas};
use opensky_executor::{Backend, Inputs, Rules, Run, Sandbox, worker::Compiler};
use opensky_node::{
    Batch, Execute, Hindrance, Node, Privacy, SubmitError, Wish, config::LedgerHere, sandboxed,
};
use opensky_protocol::{
    Abort, Digest, JobPlan, JobReceipt, JobSpec, Limits, Manifest, PriceTerms, Receipt, Shard,
    Work, World as Calls,
    ledger::{Event, Fact, Status},
    names,
};

use crate::{
    launcher,
    nodes::{World, until},
};

pub const JOB: &[u8] = include_bytes!("../../../testkit/corpus/rust-job/job.wasm");
const MAP_REDUCE: &[u8] = include_bytes!("../../../testkit/corpus/rust-job/map-reduce.wasm");
pub const TEXT: &[u8] = include_bytes!("../../../testkit/corpus/inputs/text");

pub fn trials() -> Vec<Trial> {
    vec![
        trial("one unit is run by two, agreed on and paid", one_unit),
        trial(
            "map-reduce is shuffled between providers and paid",
            map_reduce,
        ),
        trial("a liar is outvoted and not paid", liar),
        trial("what a liar claims is objected to", liar_claims),
        trial(
            "a job that is too late asks nothing of the ledger",
            too_late,
        ),
        trial("a job survives its requester's restart", requester_restarts),
        trial("a job survives its providers' restart", providers_restart),
        trial("a job waits for a ledger that is away", ledger_restarts),
        trial("a deployed program needs its publisher no more", deployment),
    ]
}

pub fn trial<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(test());
        Ok(())
    })
}

fn limits() -> Limits {
    Limits {
        fuel: 2_000_000_000,
        memory: 64 << 20,
        output: 1 << 20,
        log: 1 << 16,
    }
}

pub fn wish(plan: Plan, replicas: u8) -> Wish {
    Wish {
        nonce: [1; 16],
        plan,
        deployment: None,
        price: PriceTerms {
            dispatch: 1_000_000,
            per_gfuel: 1_000_000_000,
            per_gib: 1_000_000_000,
        },
        max_total: None,
        replicas: Replicas::Fixed(replicas),
        replica_cap: 5,
        time: Duration::from_secs(300),
        require: BTreeMap::new(),
        privacy: Privacy::Open,
    }
}

/// The letters of a text, as one unit.
pub fn letters(node: &Node) -> Work {
    Work {
        profile: Rules::DEFAULT.profile(),
        program: node.put(JOB).unwrap(),
        world: Calls::Job,
        inputs: [(names::INPUT.into(), node.put(TEXT).unwrap())].into(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: [0; 32],
        virtual_time: 0,
        limits: limits(),
    }
}

/// Who follows whom, of four texts in two partitions.
pub fn followers(node: &Node) -> JobSpec {
    let shards = [TEXT, b"abcabc", b"hello", b"a quick brown fox"];
    JobSpec {
        profile: Rules::DEFAULT.profile(),
        program: node.put(MAP_REDUCE).unwrap(),
        inputs: BTreeMap::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        entropy: [0; 32],
        virtual_time: 0,
        limits: limits(),
        plan: JobPlan::MapReduce {
            shards: shards.map(|shard| node.put(shard).unwrap()).into(),
            partitions: 2,
            finish: false,
        },
    }
}

/// What the work gives on this machine, without a network.
pub fn alone(world: &World, component: &[u8], work: &Work, inputs: &[(Digest, &[u8])]) -> Run {
    let cache = opensky_executor::Cache::open(&world.path().join("alone"), 1 << 30);
    let sandbox = Sandbox::new(&work.profile, Backend::Cranelift).unwrap();
    let compiler = Compiler::new(cache, launcher());
    let program = compiler.compile(&sandbox, component).unwrap();
    let mut all = Inputs::default();
    for (digest, bytes) in inputs {
        all.insert_verified(*digest, Arc::new(bytes.to_vec()));
    }
    sandbox
        .run(&program, &Arc::new(work.clone()), &all, None)
        .unwrap()
}

pub async fn offers(node: &Node, count: usize) {
    until("offers are known", async || node.offers().len() >= count).await;
}

pub async fn done(node: &Node, job: Digest) {
    let over = async || {
        let view = node.job(job).await.expect("the job is known");
        matches!(view.state, JobState::Over(_))
    };
    until("the job is over", over).await;
    let view = node.job(job).await.unwrap();
    assert_eq!(view.state, JobState::Over(Ending::Done), "{view:?}");
}

pub async fn output(node: &Node, job: Digest) -> Vec<u8> {
    let outputs = node.outputs(job).await.unwrap();
    let parts = outputs.main.iter().map(|part| node.bytes(&part.digest));
    parts.map(Result::unwrap).collect::<Vec<_>>().concat()
}

async fn earned(node: &Node) -> u128 {
    node.status()
        .await
        .turnover
        .expect("the ledger answers")
        .earned
}

async fn one_unit() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let (one, two) = (world.provider("one").await, world.provider("two").await);
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;

    let work = letters(&requester);
    let expected = alone(&world, JOB, &work, &[(Digest::of(TEXT), TEXT)]);
    let plan = Plan::Single(Box::new(work.clone()));
    let job = requester.submit(wish(plan, 2)).await.unwrap();
    done(&requester, job).await;
    assert_eq!(
        output(&requester, job).await,
        expected.outputs[names::OUTPUT]
    );

    let receipt = requester.receipt(job).await.unwrap();
    let receipt = Receipt::from_file(&receipt).unwrap();
    assert_eq!(receipt.work, work);
    assert_eq!(receipt.statement.fuel, expected.fuel);
    let view = requester.job(job).await.unwrap();
    assert_eq!((view.planned, view.agreed, view.verified), (1, 1, 2));

    let both = async || earned(&one).await > 0 && earned(&two).await > 0;
    until("both have claimed their vouchers", both).await;
    let all = earned(&one).await + earned(&two).await;
    assert_eq!(all, view.spent);
    let quiet = async || one.status().await.hindrances == [Hindrance::Quiet];
    until("it says that nobody asks for more", quiet).await;
    for node in [&requester, &one] {
        let told = node.history(u64::MAX, 100).await.unwrap();
        assert!(!told.iter().any(is_rejected), "{told:?}");
    }
    let paid = async || requester.status().await.turnover.unwrap().spent;
    assert_eq!(paid().await, view.spent);
    for node in [requester, one, two, ledger] {
        node.stop().await;
    }
}

async fn map_reduce() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let providers = [world.provider("one").await, world.provider("two").await];
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;

    let spec = followers(&requester);
    let plan = Plan::Job(Box::new(spec.clone()));
    let job = requester.submit(wish(plan, 2)).await.unwrap();
    done(&requester, job).await;

    let receipt = requester.receipt(job).await.unwrap();
    let receipt = JobReceipt::from_file(&receipt).unwrap();
    assert_eq!(receipt.spec, spec);
    assert_eq!(receipt.units.len(), 6);
    let again = alone(
        &world,
        MAP_REDUCE,
        &receipt.units[1].work,
        &[(Digest::of(b"abcabc"), b"abcabc")],
    );
    assert_eq!(again.fuel, receipt.units[1].statement.fuel);
    let text = String::from_utf8(output(&requester, job).await).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert!(lines.iter().any(|line| line.starts_with("97 ")), "{text}");

    for provider in &providers {
        let has_earned = async || earned(provider).await > 0;
        until("vouchers are claimed", has_earned).await;
    }
}

/// Runs units well, and then says something else, or takes its time.
struct Spoilt {
    honest: Arc<dyn Execute>,
    pause: Duration,
    lies: bool,
}

impl Execute for Spoilt {
    fn run(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>> {
        std::thread::sleep(self.pause);
        let mut results = self.honest.run(batch);
        for run in results.iter_mut().flatten().filter(|_| self.lies) {
            run.outputs.values_mut().for_each(|output| output.push(0));
        }
        results
    }
}

async fn spoilt(world: &World, name: &str, pause: Duration, lies: bool) -> Node {
    let config = world.config(name);
    let honest = sandboxed(&config, launcher());
    let execute = Arc::new(Spoilt {
        honest,
        pause,
        lies,
    });
    world.start_with(config, execute).await
}

async fn liar() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let honest = [world.provider("one").await, world.provider("two").await];
    let liar = spoilt(&world, "liar", Duration::ZERO, true).await;
    let requester = world.requester("requester").await;
    offers(&requester, 3).await;

    let work = letters(&requester);
    let expected = alone(&world, JOB, &work, &[(Digest::of(TEXT), TEXT)]);
    let plan = Plan::Single(Box::new(work));
    let job = requester.submit(wish(plan, 3)).await.unwrap();
    done(&requester, job).await;
    assert_eq!(
        output(&requester, job).await,
        expected.outputs[names::OUTPUT]
    );
    let units = requester.units(job).await.unwrap();
    let caught = units[0].seats.iter().filter(|seat| seat.node == liar.key());
    let caught: Vec<&str> = caught.map(|seat| seat.state.as_str()).collect();
    assert_eq!(caught, ["had another result than the others"]);
    let view = requester.job(job).await.unwrap();
    assert_eq!((view.verified, view.verified_of), (2, 3));
    assert_eq!((view.wrong, view.caught), (1, [liar.key()].into()));
    for node in &honest {
        until("honest nodes are paid", async || earned(node).await > 0).await;
    }
    assert_eq!(earned(&liar).await, 0);
}

async fn liar_claims() {
    let mut world = World::new(launcher());
    let rules = LedgerHere {
        claims: 10_000,
        ..LedgerHere::default()
    };
    let _ledger = world.ledger_of(rules).await;
    let _honest = [world.provider("one").await, world.provider("two").await];
    let liar = spoilt(&world, "liar", Duration::ZERO, true).await;
    let requester = world.requester("requester").await;
    offers(&requester, 3).await;
    let plan = Plan::Single(Box::new(letters(&requester)));
    let job = requester.submit(wish(plan, 3)).await.unwrap();
    done(&requester, job).await;

    let claimed = async || requester.held(job).await.unwrap().unwrap().claimed == 1;
    until("the liar has claimed by evidence", claimed).await;
    let objected = async || {
        let told = requester.history(u64::MAX, 100).await.unwrap();
        let mut facts = told.iter().flat_map(|event| match &event.status {
            Status::Final { facts, .. } => facts.as_slice(),
            _ => &[],
        });
        facts.any(|fact| matches!(fact, Fact::Objected { escrow, .. } if *escrow == job))
    };
    until("the requester has objected", objected).await;
    assert_eq!(earned(&liar).await, 0);
}

fn is_rejected(event: &Event) -> bool {
    matches!(event.status, Status::Rejected { .. })
}

async fn too_late() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let _one = world.provider("one").await;
    let requester = world.requester("requester").await;
    offers(&requester, 1).await;
    let plan = Plan::Single(Box::new(letters(&requester)));
    let mut late = wish(plan.clone(), 2);
    late.time = Duration::from_secs(3);
    let job = requester.submit(late).await.unwrap();
    let over = async || {
        let view = requester.job(job).await.expect("the job is known");
        view.state == JobState::Over(Ending::Deadline)
    };
    until("the deadline has come", over).await;

    // The ledger is asked for one thing after the other.
    let mut next = wish(plan, 1);
    next.nonce = [2; 16];
    let next = requester.submit(next).await.unwrap();
    done(&requester, next).await;
    let told = requester.history(u64::MAX, 100).await.unwrap();
    assert!(!told.iter().any(is_rejected), "{told:?}");
}

async fn requester_restarts() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let pause = Duration::from_millis(500);
    let _one = spoilt(&world, "one", pause, false).await;
    let _two = spoilt(&world, "two", pause, false).await;
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;
    let plan = Plan::Job(Box::new(followers(&requester)));
    let job = requester.submit(wish(plan, 2)).await.unwrap();
    requester.stop().await;
    drop(requester);

    let requester = world.requester("requester").await;
    done(&requester, job).await;
    assert!(!output(&requester, job).await.is_empty());
}

async fn providers_restart() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let pause = Duration::from_millis(300);
    let one = spoilt(&world, "one", pause, false).await;
    let two = spoilt(&world, "two", pause, false).await;
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;
    let plan = Plan::Job(Box::new(followers(&requester)));
    let job = requester.submit(wish(plan, 2)).await.unwrap();
    let begun = async || requester.job(job).await.is_some_and(|job| job.running > 0);
    until("somebody runs it", begun).await;
    for node in [one, two] {
        node.stop().await;
    }

    let again = [world.provider("one").await, world.provider("two").await];
    done(&requester, job).await;
    for node in &again {
        until("both are paid", async || earned(node).await > 0).await;
    }
}

async fn ledger_restarts() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let _one = world.provider("one").await;
    let requester = world.requester("requester").await;
    offers(&requester, 1).await;
    let config = ledger.config().clone();
    ledger.stop().await;
    drop(ledger);

    let plan = Plan::Single(Box::new(letters(&requester)));
    let job = requester.submit(wish(plan, 1)).await.unwrap();
    let state = requester.job(job).await.unwrap().state;
    assert_eq!(state, JobState::Funding);
    let status = requester.status().await;
    assert!(status.ledger_away.is_some(), "{status:?}");
    let _ledger = world.start(config).await;
    done(&requester, job).await;
}

async fn deployment() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let three = ["one", "two", "three"];
    let mut providers = Vec::new();
    for name in three {
        providers.push(world.provider(name).await);
    }
    let publisher = world.requester("publisher").await;
    offers(&publisher, 3).await;
    let work = letters(&publisher);
    let manifest = Manifest {
        profile: work.profile.clone(),
        limits: limits(),
        replicas: None,
        price: None,
        about: "letters of a text".into(),
    };
    let deployed = publisher
        .deploy("letters", work.program, manifest, None)
        .await
        .unwrap();
    assert_eq!(deployed.pinned.len(), 3, "{deployed:?}");
    publisher.stop().await;
    drop(publisher);

    let other = world.requester("other").await;
    offers(&other, 3).await;
    let found = other.deployment(deployed.record.id()).await;
    assert_eq!(found, Some(deployed.record));
    other.put(TEXT).unwrap();
    let plan = Plan::Single(Box::new(work.clone()));
    let job = other.submit(wish(plan, 2)).await.unwrap();
    done(&other, job).await;

    let nobodys = Work {
        program: Digest([9; 32]),
        ..work
    };
    let refused = other.submit(wish(Plan::Single(Box::new(nobodys)), 1)).await;
    assert!(matches!(refused, Err(SubmitError::NotPinned(_))));
}
