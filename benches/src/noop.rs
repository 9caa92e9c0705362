//! What a unit costs that does nothing: from work to unsigned statement, against plain wasmtime's
//! instance and call of the same component.

use std::{collections::BTreeMap, sync::Arc};

use opensky_executor::{Inputs, Program, Rules, Sandbox};
use opensky_protocol::{Digest, Limits, NodeKey, Outputs, Shard, Statement, Work, World, names};

use crate::{
    Effort, Error, Figures,
    measure::{Contender, micros, ratio, short},
    plain::{Plain, Setting},
};

/// What the guest is asked.
pub const INPUT: &[u8] = b"Ada";
/// Its answer.
pub const GREETING: &[u8] = b"Hello, Ada!\n";

/// Work for a job with one input and the usual limits, and that input.
pub fn work(component: &[u8], input: &[u8]) -> (Arc<Work>, Inputs) {
    let mut inputs = Inputs::default();
    let digest = inputs.insert(input);
    let work = Work {
        profile: Rules::DEFAULT.profile(),
        program: Digest::of(component),
        world: World::Job,
        inputs: BTreeMap::from([(names::INPUT.into(), digest)]),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: [0; 32],
        virtual_time: 1_700_000_000,
        limits: Limits::DEFAULT,
    };
    (Arc::new(work), inputs)
}

/// Measures the unit that does nothing, and returns its statement.
pub fn measure(
    effort: Effort,
    sandbox: &Sandbox,
    hello: &[u8],
    figures: &mut Figures,
) -> Result<Statement, Error> {
    let program = sandbox.compile(hello)?;
    let (work, inputs) = work(hello, INPUT);
    let pool = Plain::new(hello, Setting::Pool)?;
    let small = Plain::new(hello, Setting::SmallPool)?;
    let greeted = Outputs::of(&BTreeMap::from([(names::OUTPUT.into(), GREETING.to_vec())]));
    let expected = fold(&greeted.digest());
    let mut contenders = [
        Contender::new("expected", || Ok(expected)),
        Contender::new("plain pool", || digest_of(&pool.run(INPUT)?)),
        Contender::new("plain small pool", || digest_of(&small.run(INPUT)?)),
        Contender::new("the sandbox", || {
            Ok(fold(&state(sandbox, &program, &work, &inputs)?.output))
        }),
    ];
    let times = short(
        "hello",
        effort.pick(2, 60),
        effort.pick(20, 500),
        &mut contenders,
    )?;
    let [_, pool, small, sandboxed] = times[..] else {
        unreachable!("there are four contenders")
    };
    println!(
        "\n{:<34}{:>10}{:>10}",
        "unit that does nothing", "p50 us", "mean us"
    );
    let rows = [
        ("plain wasmtime, pool", pool),
        ("plain wasmtime, no copy-on-write", small),
        ("work to unsigned statement", sandboxed),
    ];
    for (name, time) in rows {
        println!(
            "{name:<34}{:>10.2}{:>10.2}",
            micros(time.p50),
            micros(time.mean)
        );
    }
    let plain = pool.p50.min(small.p50);
    figures.add("noop_unit_us_p50", micros(sandboxed.p50))?;
    figures.add("noop_plain_us_p50", micros(plain))?;
    figures.add("noop_vs_plain", ratio(sandboxed.p50, plain))?;
    figures.add("noop_units_per_s_core", 1.0 / sandboxed.mean.as_secs_f64())?;
    state(sandbox, &program, &work, &inputs)
}

/// One unit, from work to the statement that its node would sign.
fn state(
    sandbox: &Sandbox,
    program: &Program,
    work: &Arc<Work>,
    inputs: &Inputs,
) -> Result<Statement, Error> {
    let run = sandbox.run(program, work, inputs, None)?;
    let outputs = Outputs::of(&run.outputs);
    let node = NodeKey([1; 32]);
    let statement = Statement::new(node, work, run.class, run.fuel, &run.transcript, &outputs);
    Ok(statement)
}

/// Plain wasmtime's answer as a digest, so that both sides hash it once.
fn digest_of(output: &[u8]) -> Result<u64, Error> {
    Ok(fold(&Digest::of(output)))
}

fn fold(digest: &Digest) -> u64 {
    let first = digest.0.first_chunk().expect("a digest is longer");
    u64::from_le_bytes(*first)
}
