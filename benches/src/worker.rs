//! What a unit costs that does nothing, in a process of its own: the hop there and back included, one
//! by one and in batches.

use std::sync::Arc;

use opensky_executor::{
    Artifact, Inputs, Run, RunError,
    worker::{Launcher, Pool, PoolOptions},
};
use opensky_protocol::{Digest, NodeKey, Outputs, Statement, Work};

use crate::{
    Effort, Error, Figures,
    measure::{Contender, best, micros},
    noop::{GREETING, INPUT, work},
};

/// Units that are handed over at once.
const BATCHES: [usize; 3] = [1, 100, 1_000];

/// A unit in a worker did not greet.
#[derive(Debug, thiserror::Error)]
#[error("a unit in a worker ended with {0}")]
struct NoGreeting(String);

/// Measures batches in a warm worker, from works to unsigned statements.
pub fn measure(
    effort: Effort,
    launcher: &Launcher,
    hello: &[u8],
    artifact: &Artifact,
    figures: &mut Figures,
) -> Result<(), Error> {
    let pool = Pool::new(launcher.clone(), PoolOptions::default());
    let (work, inputs) = work(hello, INPUT);
    for batch in BATCHES {
        let works = vec![work.clone(); batch];
        let mut contenders = [Contender::new("a worker", || {
            state(&pool, artifact, &works, &inputs)?;
            Ok(0)
        })];
        // Short batches fit between two turns of a busy scheduler; long ones need luck.
        let rounds = effort.pick(2, 10_000_usize.div_ceil(batch).max(60));
        let time = best("a batch of units", rounds, &mut contenders)?[0];
        let name = format!("worker_noop_unit_us_batch{batch}");
        figures.add(name, micros(time) / batch as f64)?;
    }
    Ok(())
}

/// The units' statements, each checked to be about a greeting.
fn state(
    pool: &Pool,
    artifact: &Artifact,
    works: &[Arc<Work>],
    inputs: &Inputs,
) -> Result<Vec<Statement>, Error> {
    let node = NodeKey([1; 32]);
    let requester = NodeKey([2; 32]);
    let runs = pool.run(artifact, &requester, works, inputs);
    let state = |(work, run): (&Arc<Work>, Result<Run, RunError>)| -> Result<Statement, Error> {
        let run = run?;
        let outputs = Outputs::of(&run.outputs);
        if outputs.digest() != Digest::of(GREETING) {
            return Err(Box::new(NoGreeting(run.class.to_string())));
        }
        Ok(Statement::new(
            node,
            work,
            run.class,
            run.fuel,
            &run.transcript,
            &outputs,
        ))
    };
    works.iter().zip(runs).map(state).collect()
}
