//! From the submission of a job to a result that two operators agree on.

use std::{
    collections::BTreeMap,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use opensky_core::{Ending, JobState, Plan, Replicas};
use opensky_executor::{Rules, worker::Launcher};
use opensky_node::{Node, Privacy, Wish};
use opensky_protocol::{Digest, JobPlan, JobSpec, Limits, PriceTerms, Shard, Work, World, names};
use tokio::runtime::Runtime;

use super::cluster::Cluster;
use crate::{
    Effort, Error, Figures,
    measure::micros,
    noop::{GREETING, INPUT},
};

/// A job of which a shard, and a partition, is done in microseconds.
const MAP_REDUCE: &[u8] = include_bytes!("../../../crates/testkit/corpus/rust-job/map-reduce.wasm");
const PROVIDERS: usize = 3;
/// Operators that have to agree.
const REPLICAS: u8 = 2;
/// How often a job of one unit is looked at, and one of thousands, where a look takes longer.
const LOOK: Duration = Duration::from_micros(250);
const SLOW_LOOK: Duration = Duration::from_millis(10);
/// A network at rest: what the job before has left to be done is done by then.
const REST: Duration = Duration::from_millis(30);
/// No job here takes as long on any machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures results one by one, results by the thousand, and how soon offers are known.
pub fn measure(
    effort: Effort,
    runtime: &Runtime,
    launcher: &Launcher,
    folder: &Path,
    hello: &[u8],
    figures: &mut Figures,
) -> Result<(), Error> {
    let cluster = runtime.block_on(Cluster::start(PROVIDERS, folder, launcher))?;
    let (node, joined) = runtime.block_on(cluster.requester("requester"))?;
    let requester = Requester { runtime, node };
    println!(
        "\n{:<40}{:>10}{:>10}",
        "no-op job, k = 2", "p50 ms", "p99 ms"
    );
    let (agreed, over) = requester.one_by_one(effort, hello)?;
    figures.add("verified_result_ms_p50", agreed.p50)?;
    figures.add("verified_result_ms_p99", agreed.p99)?;
    figures.add("collected_result_ms_p50", over.p50)?;
    figures.add("collected_result_ms_p99", over.p99)?;
    requester.by_the_thousand(effort, figures)?;
    figures.add("offers_known_ms", micros(joined) / 1e3)?;
    runtime.block_on(async {
        requester.node.stop().await;
        cluster.stop().await;
    });
    Ok(())
}

struct Requester<'a> {
    runtime: &'a Runtime,
    node: Node,
}

/// When what happened to a job, since it was submitted.
struct Times {
    /// Submission was answered: it is durable.
    taken: Duration,
    /// So many units of its plan had a result that enough operators agree on.
    agreed: Duration,
    /// Its outputs were in the requester's store, and all of it durable.
    over: Duration,
}

struct Spread {
    p50: f64,
    p99: f64,
}

impl Spread {
    fn of(name: &str, times: impl Iterator<Item = Duration>) -> Self {
        let mut millis: Vec<f64> = times.map(|time| micros(time) / 1e3).collect();
        millis.sort_by(f64::total_cmp);
        let (p50, p99) = (millis[millis.len() / 2], millis[millis.len() * 99 / 100]);
        println!("{name:<40}{p50:>10.2}{p99:>10.2}");
        Self { p50, p99 }
    }
}

impl Requester<'_> {
    fn one_by_one(&self, effort: Effort, hello: &[u8]) -> Result<(Spread, Spread), Error> {
        let work = self.hello(hello)?;
        let mut all = Vec::new();
        // The first ones find no program, no worker and no open stream: they are not counted.
        for number in 0..effort.pick(2, 220) {
            let plan = Plan::Single(Box::new(work.clone()));
            let (job, times) = self.run(plan, number, 1)?;
            self.check(job)?;
            if number >= effort.pick(1, 20) {
                all.push(times);
            }
            sleep(REST);
        }
        Spread::of("submitted, durably", all.iter().map(|times| times.taken));
        let agreed = Spread::of("agreed", all.iter().map(|times| times.agreed));
        let over = Spread::of("collected, durably", all.iter().map(|times| times.over));
        Ok((agreed, over))
    }

    fn by_the_thousand(&self, effort: Effort, figures: &mut Figures) -> Result<(), Error> {
        let units = effort.pick(20, 4_000);
        let spec = self.shards(units)?;
        let (mut agreed, mut over) = (Duration::MAX, Duration::MAX);
        for round in 0..effort.pick(1, 5) {
            let plan = Plan::Job(Box::new(spec.clone()));
            let (_, times) = self.run(plan, 1_000 + round, units as u64)?;
            agreed = agreed.min(times.agreed);
            over = over.min(times.over);
        }
        let rate = |units: usize, time: Duration| units as f64 / time.as_secs_f64();
        println!("\n{:<40}{:>10}", "one job of many units, k = 2", "units/s");
        println!("{:<40}{:>10.0}", "its shards, agreed", rate(units, agreed));
        println!(
            "{:<40}{:>10.0}",
            "all of it, collected",
            rate(units + 1, over)
        );
        figures.add("verified_units_per_s", rate(units, agreed))?;
        figures.add("whole_job_units_per_s", rate(units + 1, over))?;
        Ok(())
    }

    /// Runs a job to its end, and says when `units` of it were agreed on.
    fn run(&self, plan: Plan, number: usize, units: u64) -> Result<(Digest, Times), Error> {
        let wish = wish(plan, number);
        let start = Instant::now();
        let job = self.runtime.block_on(self.node.submit(wish))?;
        let taken = start.elapsed();
        let mut agreed = None;
        loop {
            let view = self.runtime.block_on(self.node.job(job));
            let view = view.ok_or("the job is forgotten")?;
            let now = start.elapsed();
            if view.agreed >= units {
                agreed.get_or_insert(now);
            }
            match (view.state, agreed) {
                (JobState::Over(Ending::Done), Some(agreed)) => {
                    let over = now;
                    return Ok((
                        job,
                        Times {
                            taken,
                            agreed,
                            over,
                        },
                    ));
                }
                (JobState::Over(ending), _) => return Err(format!("it ended: {ending:?}").into()),
                _ if now > PATIENCE => return Err("a job takes minutes".into()),
                _ if units == 1 => sleep(LOOK),
                _ => sleep(SLOW_LOOK),
            }
        }
    }

    fn check(&self, job: Digest) -> Result<(), Error> {
        let outputs = self.runtime.block_on(self.node.outputs(job))?;
        let part = outputs.main.first().ok_or("there is no output")?;
        match self.node.bytes(&part.digest)? == GREETING {
            true => Ok(()),
            false => Err("it greets somebody else".into()),
        }
    }

    fn hello(&self, component: &[u8]) -> Result<Work, Error> {
        Ok(Work {
            profile: Rules::DEFAULT.profile(),
            program: self.node.put(component)?,
            world: World::Job,
            inputs: BTreeMap::from([(names::INPUT.into(), self.node.put(INPUT)?)]),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: limits(),
        })
    }

    /// Shards of equal bytes, so that units are measured and not the way of their inputs.
    fn shards(&self, count: usize) -> Result<JobSpec, Error> {
        let shard = self.node.put(b"ab")?;
        Ok(JobSpec {
            profile: Rules::DEFAULT.profile(),
            program: self.node.put(MAP_REDUCE)?,
            inputs: BTreeMap::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            entropy: [0; 32],
            virtual_time: 0,
            limits: limits(),
            plan: JobPlan::MapReduce {
                shards: vec![shard; count],
                partitions: 1,
                finish: false,
            },
        })
    }
}

fn limits() -> Limits {
    Limits {
        fuel: 1_000_000_000,
        memory: 64 << 20,
        output: 1 << 20,
        log: 1 << 16,
    }
}

fn wish(plan: Plan, number: usize) -> Wish {
    Wish {
        nonce: (number as u128).to_le_bytes(),
        plan,
        deployment: None,
        price: PriceTerms {
            dispatch: 2_000,
            per_gfuel: 2_000_000,
            per_gib: 2_000_000,
        },
        max_total: None,
        replicas: Replicas::Fixed(REPLICAS),
        replica_cap: 5,
        time: Duration::from_secs(3_600),
        require: BTreeMap::new(),
        privacy: Privacy::Open,
    }
}
