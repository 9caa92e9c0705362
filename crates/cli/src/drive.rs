//! Drives a job of many units on this machine: what runs when, and what is handed on.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use opensky_executor::{Inputs, Program, Run, RunError, Sandbox, on_guest_thread};
use opensky_protocol::{Class, JobPlan, JobSpec, Outputs, Receipt, SecretKey, Work, names};

/// A unit that ran: its receipt, and the bytes that the receipt is about.
pub struct Done {
    /// The signed result.
    pub receipt: Receipt,
    /// What came out.
    pub run: Run,
}

/// How a job ended.
pub enum Ended {
    /// Every unit succeeded. The job's output is these bytes.
    Output(Vec<u8>),
    /// The last of the units did not succeed, or the job wanted more units than it may have: it has
    /// no output.
    Failed,
}

/// Why a job has no result at all.
pub type DriveError = RunError;

/// What runs a job's units.
pub struct Driver<'a> {
    /// Where they run.
    pub sandbox: &'a Sandbox,
    /// The job's program.
    pub program: &'a Program,
    /// Who signs.
    pub key: &'a SecretKey,
    /// Units at once.
    pub threads: NonZeroUsize,
    /// Units that a stepper may go through. Only the program knows when it is done.
    pub most_steps: usize,
    /// Told as units are done: stage, how many, of how many.
    pub progress: &'a (dyn Fn(&str, usize, usize) + Sync),
}

impl Driver<'_> {
    /// Runs one unit.
    pub fn unit(&self, work: Work, inputs: &Inputs) -> Result<Done, DriveError> {
        let work = Arc::new(work);
        let run = self.sandbox.run(self.program, &work, inputs, None)?;
        Ok(Done {
            receipt: sign(self.key, &work, &run),
            run,
        })
    }

    /// Runs a job. `inputs` hold the shards or the stepper's input, and the named inputs. Units that
    /// ran are in `done`, in the order of the plan; after a failure the failed one is the last.
    pub fn job(
        &self,
        spec: &JobSpec,
        inputs: &Inputs,
        done: &mut Vec<Done>,
    ) -> Result<Ended, DriveError> {
        match &spec.plan {
            JobPlan::MapReduce {
                shards,
                partitions,
                finish,
            } => {
                let shards = shards.len() as u32;
                self.map_reduce(spec, inputs, (shards, *partitions, *finish), done)
            }
            JobPlan::Stepper { .. } => self.stepper(spec, inputs, done),
        }
    }

    fn map_reduce(
        &self,
        spec: &JobSpec,
        inputs: &Inputs,
        (shards, partitions, finish): (u32, u32, bool),
        done: &mut Vec<Done>,
    ) -> Result<Ended, DriveError> {
        let works: Vec<Work> = (0..shards)
            .filter_map(|index| spec.map_work(index))
            .collect();
        let maps = self.stage("map", works, inputs)?;
        if !append(done, maps) {
            return Ok(Ended::Failed);
        }
        let reduces = {
            let outputs: Vec<&Outputs> = done.iter().map(|unit| &unit.receipt.outputs).collect();
            let works = (0..partitions).filter_map(|index| spec.reduce_work(index, &outputs));
            self.stage("reduce", works.collect(), &with_outputs(inputs, &*done))?
        };
        if !append(done, reduces) {
            return Ok(Ended::Failed);
        }
        let last = &done[shards as usize..];
        if !finish {
            let parts = last
                .iter()
                .map(|unit| unit.run.outputs[names::OUTPUT].as_slice());
            return Ok(Ended::Output(parts.collect::<Vec<_>>().concat()));
        }
        let outputs: Vec<&Outputs> = last.iter().map(|unit| &unit.receipt.outputs).collect();
        let work = spec
            .finish_work(&outputs)
            .expect("every reduce unit has an output");
        let finished = self.stage("finish", vec![work], &with_outputs(inputs, last))?;
        if !append(done, finished) {
            return Ok(Ended::Failed);
        }
        Ok(Ended::Output(final_output(done)))
    }

    fn stepper(
        &self,
        spec: &JobSpec,
        inputs: &Inputs,
        done: &mut Vec<Done>,
    ) -> Result<Ended, DriveError> {
        let mut next = spec.first_steps();
        while let Some(work) = next {
            if done.len() == self.most_steps {
                return Ok(Ended::Failed);
            }
            (self.progress)("steps", done.len(), 0);
            let state = &with_outputs(inputs, done.last());
            let unit = self.unit(work, state)?;
            let ok = unit.receipt.statement.class == Class::Ok;
            next = spec.next_steps(&unit.receipt.outputs);
            done.push(unit);
            if !ok {
                return Ok(Ended::Failed);
            }
        }
        Ok(Ended::Output(final_output(done)))
    }

    /// Runs units side by side. The first host failure ends it; a unit of the guest's own failure
    /// lets those end that run, and no other starts.
    fn stage(
        &self,
        name: &str,
        works: Vec<Work>,
        inputs: &Inputs,
    ) -> Result<Vec<Done>, DriveError> {
        let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(BTreeMap::new());
        (self.progress)(name, 0, works.len());
        let run_units = || {
            while let Some((index, work)) = take(&next, &works) {
                let result = self.unit(work.clone(), inputs);
                let stop = !matches!(&result, Ok(done) if done.run.class == Class::Ok);
                results
                    .lock()
                    .expect("no unit panics")
                    .insert(index, result);
                let count = finished.fetch_add(1, Ordering::Relaxed) + 1;
                (self.progress)(name, count, works.len());
                if stop {
                    next.store(works.len(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.get().min(works.len()) {
                // Fewer threads than asked for take longer, and that is all.
                let thread = std::thread::Builder::new();
                let started = thread.spawn_scoped(scope, || on_guest_thread(run_units));
                if started.is_err() {
                    break;
                }
            }
            on_guest_thread(run_units)
        })?;
        results
            .into_inner()
            .expect("no unit panics")
            .into_values()
            .collect()
    }
}

fn take<'a>(next: &AtomicUsize, works: &'a [Work]) -> Option<(usize, &'a Work)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    works.get(index).map(|work| (index, work))
}

/// Adds a stage's units. Where one failed only the first failed one is added after those before it,
/// and the answer is no.
fn append(done: &mut Vec<Done>, stage: Vec<Done>) -> bool {
    for unit in stage {
        let ok = unit.run.class == Class::Ok;
        done.push(unit);
        if !ok {
            return false;
        }
    }
    true
}

/// `inputs` and what these units put out.
fn with_outputs<'a>(inputs: &Inputs, units: impl IntoIterator<Item = &'a Done>) -> Inputs {
    let mut all = inputs.clone();
    for unit in units {
        for (name, output) in &unit.receipt.outputs.0 {
            let bytes = unit.run.outputs[name].clone();
            all.insert_verified(output.digest, Arc::new(bytes));
        }
    }
    all
}

fn final_output(done: &[Done]) -> Vec<u8> {
    let last = done.last().expect("a job has a unit");
    last.run
        .outputs
        .get(names::OUTPUT)
        .cloned()
        .unwrap_or_default()
}

/// The receipt of a run.
pub fn sign(key: &SecretKey, work: &Work, run: &Run) -> Receipt {
    let outputs = Outputs::of(&run.outputs);
    let (transcript, states) = (run.transcript.clone(), run.states.clone());
    Receipt::sign(
        key,
        work.clone(),
        run.class,
        run.fuel,
        transcript,
        outputs,
        states,
    )
}
