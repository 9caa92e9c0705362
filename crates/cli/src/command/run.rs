//! `opensky run`: one job in the sandbox, here.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use opensky_executor::{Observer, inspect::Entry};
use opensky_protocol::{JobPlan, JobReceipt, JobSpec, SecretKey, names};
use opensky_storage::Store;
use serde_json::Value;

use crate::{
    Exit, Problem, deliver,
    drive::{self, Done, Driver, Ended},
    foreign, local,
    progress::Bar,
    report,
    request::{self, Given, Here, Unit},
    source::{self, Source},
    term::{self, Format},
};

/// Run a program in the sandbox and get output, fuel and a receipt
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky run                               build the project here and run it
  opensky run hello.wasm --input name.txt   output to stdout, report to stderr
  opensky run query.wasm --in data.csv=big.csv --arg /in/data.csv
  opensky run census --input a.crate --input b.crate --partitions 4 -o out.json

A map-reduce program gets one shard for each --input, or cuts them with
--shard-lines or --shard-bytes. What a command leaves in /out goes to the folder
of --out.")]
pub struct Args {
    /// A component, a preview-1 module, WebAssembly text, or a project to build first.
    #[arg(default_value = ".")]
    pub target: PathBuf,
    /// What influences the result.
    #[command(flatten)]
    pub unit: Unit,
    /// How it is computed.
    #[command(flatten)]
    pub here: Here,
    /// Where the output goes, `-` for stdout [default: -].
    #[arg(short, long, value_name = "FILE|-")]
    pub output: Option<PathBuf>,
    /// Where the other outputs go: files under /out, and blobs by digest [default: nowhere].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the receipt goes [default: the data folder].
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How to report on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl Args {
    /// What is read: the program or project, and every input.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        let named = self.unit.named.iter().map(|(_, file)| file);
        let inputs = self.unit.input.iter().chain(named);
        [&self.target]
            .into_iter()
            .chain(inputs)
            .map(PathBuf::as_path)
    }

    /// How often standard input is named as one of them.
    pub fn stdin_uses(&self) -> usize {
        self.sources().filter(|file| source::is_dash(file)).count()
    }
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.stdin_uses() > 1 {
        return Err(Problem::usage("standard input is named more than once")
            .help("it can be read only once: save it in a file, and name that")
            .into());
    }
    deliver::check(
        args.output.as_deref(),
        args.receipt.as_deref(),
        args.out.as_deref(),
    )?;
    let source = source::load(&args.target)?;
    let entry = request::entry(&source, args.unit.world)?;
    let given = request::read_inputs(&args.unit, entry)?;
    match entry {
        Entry::Job | Entry::Command => one_unit(&args, &source, entry, given),
        Entry::MapReduce { .. } | Entry::Stepper => many_units(&args, &source, entry, given),
    }
}

fn one_unit(args: &Args, source: &Source, entry: Entry, given: Given) -> anyhow::Result<Exit> {
    let store = local::store()?;
    let (work, inputs) = args.unit.work(source, entry, given, &store)?;
    let sandbox = local::sandbox(&work.profile, args.here.backend.into())?;
    let program = local::compile(&sandbox, &source.bytes)?;
    local::keep(&store, &source.bytes)?;
    let key = local::key()?;

    let work = Arc::new(work);
    let watcher = Arc::new(Watcher {
        bar: Bar::start(),
        format: args.format,
    });
    let observer: Arc<dyn Observer> = watcher.clone();
    let run = sandbox
        .run(&program, &work, &inputs, Some(observer))
        .map_err(local::failed)?;
    watcher.bar.clear();

    let receipt = drive::sign(&key, &work, &run);
    let id = receipt.statement.unit;
    let path = deliver::receipt(args.receipt.as_deref(), &id, receipt.to_file().as_slice())?;
    let output = run
        .outputs
        .get(names::OUTPUT)
        .map_or(&[][..], Vec::as_slice);
    deliver::output(args.output.as_deref(), output)?;
    if let Some(dir) = &args.out {
        deliver::others(dir, &run.outputs)?;
    }
    say(
        args.format,
        || report::unit_text(&run, &receipt, &path),
        || report::unit_json(&run, &receipt, &path),
    );
    Ok(report::exit(run.class))
}

fn many_units(args: &Args, source: &Source, entry: Entry, given: Given) -> anyhow::Result<Exit> {
    let store = local::store()?;
    let (spec, inputs) = args.unit.spec(source, entry, given, &store)?;
    let sandbox = local::sandbox(&spec.profile, args.here.backend.into())?;
    let program = local::compile(&sandbox, &source.bytes)?;
    local::keep(&store, &source.bytes)?;

    let key = local::key()?;
    let bar = Bar::start();
    let driver = Driver {
        sandbox: &sandbox,
        program: &program,
        key: &key,
        threads: request::threads(args.here.jobs),
        most_steps: usize::MAX,
        progress: &|stage, done, all| bar.set(stage, done, all),
    };
    let start = Instant::now();
    let mut done = Vec::new();
    let ended = driver
        .job(&spec, &inputs, &mut done)
        .map_err(local::failed)?;
    let wall = start.elapsed();
    bar.clear();
    if args.format == Format::Text {
        done.iter()
            .for_each(|unit| term::to_stderr(&report::log_of_many(&unit.run.log)));
    }
    match ended {
        Ended::Output(output) => {
            keep_states(&store, &spec, &done)?;
            succeeded(args, &key, spec, &done, &output, wall)?;
        }
        Ended::Failed => job_failed(args, &done, wall)?,
    }
    Ok(report::exit(report::class(&done)))
}

/// Signs the job's receipt and hands out what came of it.
fn succeeded(
    args: &Args,
    key: &SecretKey,
    spec: JobSpec,
    done: &[Done],
    output: &[u8],
    wall: Duration,
) -> anyhow::Result<()> {
    let units = done.iter().map(|unit| unit.receipt.clone()).collect();
    let id = spec.id();
    let job = JobReceipt::sign(key, spec, units)?;
    let path = deliver::receipt(args.receipt.as_deref(), &id, job.to_file().as_slice())?;
    deliver::output(args.output.as_deref(), output)?;
    if let Some(dir) = &args.out {
        done.iter()
            .try_for_each(|unit| deliver::others(dir, &unit.run.outputs))?;
    }
    say(
        args.format,
        || report::job_text(done, Some(output.len()), wall, &path),
        || report::job_json(Some(&job), done, wall, &path),
    );
    Ok(())
}

/// A job of which a unit failed has no receipt of its own: that unit's tells why.
fn job_failed(args: &Args, done: &[Done], wall: Duration) -> Result<(), Problem> {
    let last = &done.last().expect("a failed unit is in the list").receipt;
    let path = deliver::receipt(
        args.receipt.as_deref(),
        &last.statement.unit,
        last.to_file().as_slice(),
    )?;
    say(
        args.format,
        || report::job_text(done, None, wall, &path),
        || report::job_json(None, done, wall, &path),
    );
    Ok(())
}

fn say(format: Format, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) {
    match format {
        Format::Text => term::to_stderr(&text()),
        Format::Json => term::json_to_stderr(&json()),
    }
}

/// The states between a stepper's units are inputs of the next: kept, so that each can be checked.
fn keep_states(store: &Store, spec: &JobSpec, done: &[Done]) -> Result<(), Problem> {
    if matches!(spec.plan, JobPlan::Stepper { .. }) {
        let states = done
            .iter()
            .filter_map(|unit| unit.run.outputs.get(names::STATE));
        states
            .into_iter()
            .try_for_each(|state| local::keep(store, state))?;
    }
    Ok(())
}

/// Shows a unit's log as it comes, and how far it is.
struct Watcher {
    bar: Bar,
    format: Format,
}

impl Observer for Watcher {
    fn log(&self, text: &str) {
        if self.format == Format::Text {
            self.bar.suspend(|| term::to_stderr(&foreign::lines(text)));
        }
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        let cap = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.bar.set("running", cap(done), total.map_or(0, cap));
    }
}
