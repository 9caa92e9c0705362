//! Runs the units of receipts again, each no further than its receipt can be right, and says what
//! differs.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use opensky_executor::{Blob, Inputs, Observer, Program, Run, Sandbox, Within, on_guest_thread};
use opensky_protocol::{Class, ContentKey, Digest, Outputs, Receipt, Statement, Transcript};

use crate::{
    Problem, foreign,
    local::{aborted, failed},
    progress::Bar,
};

/// Where units are run again.
pub struct Again<'a> {
    sandbox: &'a Sandbox,
    program: &'a Program,
    content: Option<&'a ContentKey>,
    threads: NonZeroUsize,
    watcher: Arc<Watcher>,
    finished: AtomicUsize,
    all: usize,
}

/// What came of one unit.
pub struct Found {
    /// Fuel that it used here; what the receipt claims if it was stopped there.
    pub fuel: u64,
    /// What differs from the receipt, in words. Empty if the results match.
    pub differences: Vec<String>,
    /// What came out of it.
    pub outputs: Vec<(Digest, Blob)>,
}

/// Shows how far a unit says that it is.
struct Watcher(Bar);

impl Observer for Watcher {
    fn log(&self, _: &str) {}

    fn progress(&self, done: u64, total: Option<u64>) {
        let cap = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.0.set("running", cap(done), total.map_or(0, cap));
    }
}

impl<'a> Again<'a> {
    /// Runs units of `program`, so many at once, and shows on a terminal how many of `all` are done.
    pub fn new(
        sandbox: &'a Sandbox,
        program: &'a Program,
        threads: NonZeroUsize,
        all: usize,
        content: Option<&'a ContentKey>,
    ) -> Self {
        Self {
            sandbox,
            program,
            content,
            threads,
            watcher: Arc::new(Watcher(Bar::start())),
            finished: AtomicUsize::new(0),
            all,
        }
    }

    /// Runs a receipt's unit again.
    pub fn unit(&self, receipt: &Receipt, inputs: &Inputs) -> Result<Found, Problem> {
        self.judge(receipt, inputs, Some(self.watcher.clone()))
    }

    /// Runs the units at `which` again, side by side. The first failure of this host ends it.
    pub fn units(
        &self,
        receipts: &[Receipt],
        which: &[usize],
        inputs: &Inputs,
    ) -> Result<BTreeMap<usize, Found>, Problem> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(BTreeMap::new());
        let judge_units = || {
            while let Some(index) = which.get(next.fetch_add(1, Relaxed)) {
                let result = self.judge(&receipts[*index], inputs, None);
                if result.is_err() {
                    next.store(which.len(), Relaxed);
                }
                results
                    .lock()
                    .expect("no unit panics")
                    .insert(*index, result);
                let count = self.finished.fetch_add(1, Relaxed) + 1;
                self.watcher.0.set("units", count, self.all);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.get().min(which.len()) {
                // Fewer threads than asked for take longer, and that is all.
                let thread = std::thread::Builder::new();
                let started = thread.spawn_scoped(scope, || on_guest_thread(judge_units));
                if started.is_err() {
                    break;
                }
            }
            on_guest_thread(judge_units)
        })
        .map_err(|abort| aborted(&abort))?;
        let results = results.into_inner().expect("no unit panics").into_iter();
        results.map(|(index, found)| Ok((index, found?))).collect()
    }

    fn judge(
        &self,
        receipt: &Receipt,
        inputs: &Inputs,
        observer: Option<Arc<Watcher>>,
    ) -> Result<Found, Problem> {
        let work = Arc::new(receipt.work.clone());
        let most = claimed(&receipt.statement);
        let observer = observer.map(|watcher| watcher as Arc<dyn Observer>);
        let run = self
            .sandbox
            .run_within(self.program, &work, inputs, observer, most)
            .map_err(failed)?;
        Ok(match run {
            Within::Ended(run) => found(receipt, run, self.content),
            Within::Stopped(transcript) => {
                let unit = &receipt.statement.unit;
                let salted = self
                    .content
                    .map(|key| key.salt_transcript(unit, &transcript));
                stopped(receipt, &salted.unwrap_or(transcript))
            }
        })
    }
}

/// The most fuel with which a unit can match. The other classes say nothing of how much was used
/// before the guest ended, so for them it is the unit's own limit.
fn claimed(said: &Statement) -> u64 {
    match said.class {
        Class::Ok | Class::Err => said.fuel,
        Class::OutOfFuel | Class::Panic | Class::Trap | Class::Limit => u64::MAX,
    }
}

/// Of a unit that uses more fuel than its receipt says.
fn stopped(receipt: &Receipt, so_far: &Transcript) -> Found {
    let fuel = receipt.statement.fuel;
    let more =
        format!("fuel: the receipt says {fuel}, here it is more; the unit was stopped there");
    // Calls that it would have made later are not missing.
    let first = receipt.transcript.first_difference(so_far);
    let first = first.filter(|index| *index < so_far.calls.len());
    let call = first.map(|index| differing_call(receipt, so_far, index));
    Found {
        fuel,
        differences: [more].into_iter().chain(call).collect(),
        outputs: Vec::new(),
    }
}

/// What a unit came to here, as its receipt has it: of an encrypted job, encrypted again.
fn found(receipt: &Receipt, run: Run, content: Option<&ContentKey>) -> Found {
    let unit = &receipt.statement.unit;
    let run = match content {
        Some(key) => Run {
            outputs: key.seal_outputs(run.outputs),
            transcript: key.salt_transcript(unit, &run.transcript),
            states: key.salt_all(&run.states),
            ..run
        },
        None => run,
    };
    let outputs = Outputs::of(&run.outputs);
    let said = &receipt.statement;
    let here = Statement::new(
        said.node,
        &receipt.work,
        run.class,
        run.fuel,
        &run.transcript,
        &outputs,
    );
    // What units after this one take in is named by what it was encrypted to, and seen as it was.
    let opened = |bytes: Vec<u8>| content.and_then(|key| key.open(&bytes)).unwrap_or(bytes);
    let blobs = outputs
        .0
        .values()
        .zip(run.outputs.into_values().map(opened));
    Found {
        fuel: here.fuel,
        differences: differences(receipt, &here, &run.transcript),
        outputs: blobs
            .map(|(output, bytes)| (output.digest, Arc::new(bytes) as Blob))
            .collect(),
    }
}

fn differences(receipt: &Receipt, here: &Statement, transcript: &Transcript) -> Vec<String> {
    let said = &receipt.statement;
    if said.compare_key == here.compare_key {
        return Vec::new();
    }
    let mut list = Vec::new();
    let mut note = |what: &str, said: String, here: String| {
        if said != here {
            list.push(format!(
                "{what}: the receipt says {said}, here it is {here}"
            ));
        }
    };
    note("outcome", said.class.to_string(), here.class.to_string());
    note("fuel", said.fuel.to_string(), here.fuel.to_string());
    note("output", said.output.to_string(), here.output.to_string());
    note("host calls", said.calls.to_string(), here.calls.to_string());
    note(
        "transcript",
        said.transcript.to_string(),
        here.transcript.to_string(),
    );
    if let Some(index) = receipt.transcript.first_difference(transcript) {
        list.push(differing_call(receipt, transcript, index));
    }
    list
}

fn differing_call(receipt: &Receipt, transcript: &Transcript, index: usize) -> String {
    let call = |transcript: &Transcript| {
        let call = transcript.calls.get(index);
        call.map_or("no such call".to_owned(), |call| {
            foreign::name(&call.import)
        })
    };
    format!(
        "first differing host call: number {index}, {} (here {})",
        call(&receipt.transcript),
        call(transcript)
    )
}
