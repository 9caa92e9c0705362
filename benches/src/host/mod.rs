//! What host calls cost beside guest code, in time for each unit of fuel: whether a guest can hold a
//! machine up for less than it pays.

mod calls;
mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opensky_executor::{Inputs, Program, Rules, Sandbox};
use opensky_kernels::KERNELS;
use opensky_protocol::{Class, Digest, Limits, Shard, Work, World, names};
use rustix::time::{ClockId, clock_gettime};

use self::{
    calls::{CALLS, RECORDS, STEPPER},
    world::Guests,
};
use crate::{Effort, Error, Figures, noop};

/// What guests read, and how many names there are of everything that has names.
const INPUT: usize = 64 << 20;
const NAMES: usize = 1000;
/// Of the two runs that are compared, the longer does its calls so many times as often.
const LONGER: u32 = 5;

/// The guest ended in another way than by being done.
#[derive(Debug, thiserror::Error)]
#[error("{name} ended as `{class}`: {detail}")]
struct Ended {
    name: &'static str,
    class: Class,
    detail: String,
}

/// Measures every kind of call, and the kernels as what guest code costs.
pub fn measure(
    effort: Effort,
    sandbox: &Sandbox,
    kernels: &[u8],
    figures: &mut Figures,
) -> Result<(), Error> {
    let rounds = effort.pick(1, 15);
    let median = guest_code(effort, rounds, sandbox, kernels)?;
    println!(
        "\n{:<36}{:>10}{:>10}{:>13}",
        "host call", "ns", "ns/fuel", "times guest"
    );
    println!(
        "{:<36}{:>10}{median:>10.3}{:>13.2}",
        "(guest code, median)", "", 1.0
    );
    let guests = Guests::new()?;
    let mut inputs = Inputs::default();
    let input = inputs.insert(vec![b'x'; INPUT]);
    let nothing = inputs.insert([0; 0]);
    let groups = effort.pick(17_000, 20_000);
    let broken = [groups, groups * LONGER].map(|groups| inputs.insert(broken_partition(groups)));
    let mut ratios = Vec::new();
    let mut compare = |name, times: u32, of: &dyn Fn(u32) -> Result<Run, Error>| {
        let (short, long) = (of(times)?, of(times * LONGER)?);
        let best = best(name, rounds, sandbox, &[&short, &long], &inputs)?;
        // In one quick round the longer one may happen to be no slower.
        let time = (best[1].0 - best[0].0).max(1.0);
        let fuel = best[1].1 - best[0].1;
        let (call, ratio) = (time / f64::from(times * (LONGER - 1)), time / fuel / median);
        println!("{name:<36}{call:>10.0}{:>10.3}{ratio:>13.2}", time / fuel);
        ratios.push(ratio);
        Ok::<_, Error>(())
    };
    for call in CALLS {
        let times = effort.pick((call.times / 20).max(1), call.times);
        compare(call.name, times, &|times| {
            let component = guests.component(call, times, &input)?;
            Run::new(sandbox, &component, World::Command, input)
        })?;
    }
    compare(
        "a step in a fresh instance",
        effort.pick(20, 2_000),
        &|steps| {
            let component = guests.exporting("stepper", STEPPER)?;
            Run::new(sandbox, &component, World::Stepper { steps }, nothing)
        },
    )?;
    compare("a record out of map", effort.pick(500, 10_000), &|times| {
        let module = RECORDS.replace("{times}", &times.to_string());
        let component = guests.exporting("map-reduce", &module)?;
        Run::new(sandbox, &component, World::Map { partitions: 1 }, nothing)
    })?;
    compare("a broken partition, each group", groups, &|times| {
        let module = RECORDS.replace("{times}", "1");
        let component = guests.exporting("map-reduce", &module)?;
        let partition = broken[usize::from(times > groups)];
        let mut run = Run::new(sandbox, &component, World::Reduce, partition)?;
        run.ends_as = Class::Err;
        Ok(run)
    })?;
    ratios.sort_by(f64::total_cmp);
    figures.add("guest_ns_per_fuel_median", median)?;
    figures.add("host_vs_guest_worst", ratios[ratios.len() - 1])?;
    Ok(())
}

/// Nanoseconds for each unit of fuel: the median of the kernels.
fn guest_code(
    effort: Effort,
    rounds: usize,
    sandbox: &Sandbox,
    kernels: &[u8],
) -> Result<f64, Error> {
    let program = sandbox.compile(kernels)?;
    let mut all = Vec::new();
    for kernel in KERNELS {
        let size = effort.pick(kernel.quick_size, kernel.size);
        let (work, inputs) = noop::work(kernels, &kernel.input(size));
        let run = Run {
            program: program.clone(),
            work,
            ends_as: Class::Ok,
        };
        let best = best(kernel.name, rounds, sandbox, &[&run], &inputs)?;
        all.push(best[0].0 / best[0].1);
    }
    all.sort_by(f64::total_cmp);
    Ok(all[all.len() / 2])
}

/// A unit to be run over and over.
struct Run {
    program: Program,
    work: Arc<Work>,
    ends_as: Class,
}

impl Run {
    fn new(
        sandbox: &Sandbox,
        component: &[u8],
        world: World,
        input: Digest,
    ) -> Result<Self, Error> {
        Ok(Self {
            program: sandbox.compile(component)?,
            work: Arc::new(work(component, world, input)),
            ends_as: Class::Ok,
        })
    }
}

/// The least processor time of each in nanoseconds, and its fuel. Not the time on the wall: other
/// work on the machine would be most of it.
fn best(
    name: &'static str,
    rounds: usize,
    sandbox: &Sandbox,
    runs: &[&Run],
    inputs: &Inputs,
) -> Result<Vec<(f64, f64)>, Error> {
    let mut best = vec![(f64::MAX, 0.0); runs.len()];
    for _ in 0..rounds {
        for (run, best) in runs.iter().zip(&mut best) {
            let start = processor_time();
            let done = sandbox.run(&run.program, &run.work, inputs, None)?;
            let time = processor_time() - start;
            if done.class != run.ends_as {
                return Err(Box::new(Ended {
                    name,
                    class: done.class,
                    detail: done.detail.unwrap_or_default(),
                }));
            }
            *best = (best.0.min(time.as_nanos() as f64), done.fuel as f64);
        }
    }
    Ok(best)
}

/// Of this thread, which is the one that guests run on.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread's time is not negative")
}

/// Bytes that decode to so many groups, no partition because all have the same key: that is found last.
fn broken_partition(groups: u32) -> Vec<u8> {
    /// An empty key, one value, of no bytes.
    const GROUP: [u8; 3] = [0, 1 << 2, 0];
    // A length below 2^30 is four bytes, of which the lowest bits say so.
    let length = ((groups << 2) | 2).to_le_bytes();
    [&length[..], &GROUP.repeat(groups as usize)].concat()
}

/// Work with a thousand of each thing that it can name.
fn work(component: &[u8], world: World, input: Digest) -> Work {
    let name = |n: usize| format!("{n:04}");
    let pairs = || (0..NAMES).map(|n| (name(n), String::new()));
    let named = (1..NAMES).map(|n| (name(n), input));
    Work {
        profile: Rules::DEFAULT.profile(),
        program: Digest::of(component),
        world,
        inputs: match world {
            World::Reduce => [(names::shard(0), input)].into(),
            _ => named.chain([(names::INPUT.into(), input)]).collect(),
        },
        args: vec![String::new(); NAMES],
        env: pairs().collect::<BTreeMap<_, _>>(),
        params: pairs().collect(),
        shard: Shard::WHOLE,
        entropy: [0; 32],
        virtual_time: 0,
        limits: Limits {
            fuel: 1 << 50,
            memory: 1 << 30,
            output: 1 << 32,
            log: 1 << 32,
        },
    }
}
