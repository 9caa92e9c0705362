//! `opensky run`: one job in the sandbox, here.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::ValueEnum;
use opensky_executor::{Backend, Inputs, Observer, PROFILE_0, inspect::Entry};
use opensky_protocol::{Digest, JobPlan, JobReceipt, JobSpec, Limits, Shard, Work, World, names};
use opensky_storage::Store;

use crate::{
    Exit, Problem,
    drive::{Done, Driver, Ended},
    local, paths,
    progress::Bar,
    report, shards,
    source::{self, Source},
    term::{self, Format},
    value,
};

/// Run a program in the sandbox and get output, fuel and a receipt
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky run                                  build the project here and run it
  opensky run hello.wasm --input name.txt      the output goes to stdout, the report to stderr
  opensky run query.wasm --in data.csv=big.csv --arg /in/data.csv
  opensky run census --input a.crate --input b.crate --partitions 4 --output out.json

A map-reduce program gets one shard for each --input, or cuts them with --shard-lines or
--shard-bytes. What a command leaves in /out goes to the folder of --out.")]
pub struct Args {
    /// A component, a preview-1 module, WebAssembly text, or a project to build first.
    #[arg(default_value = ".")]
    pub target: PathBuf,
    /// What influences the result, and how it is computed.
    #[command(flatten)]
    pub unit: Unit,
    /// Where the output goes, instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the other outputs go: files under /out, and blobs by digest.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the receipt goes, instead of the data folder.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How to report on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What influences a result, and how it is computed.
#[derive(Clone, Debug, clap::Args)]
pub struct Unit {
    /// The input, `-` for stdin. For map-reduce, may be given many times: one shard each.
    #[arg(short, long, value_name = "FILE|-")]
    pub input: Vec<PathBuf>,
    /// A named input: a file /in/NAME for a command, a blob in the manifest for a job.
    #[arg(long = "in", value_name = "NAME=FILE", value_parser = value::pair)]
    pub named: Vec<(String, String)>,
    /// A command-line argument for the program.
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    pub args: Vec<String>,
    /// An environment variable for the program.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub env: Vec<(String, String)>,
    /// A parameter for the program.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub param: Vec<(String, String)>,
    /// The fuel limit of each unit: 5000, 200M, 1.5G.
    #[arg(long, value_name = "COUNT", value_parser = value::count, default_value = "100G")]
    pub fuel: u64,
    /// The memory limit of each unit: 64KiB, 512MiB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = value::bytes, default_value = "1GiB")]
    pub memory: u64,
    /// The limit on all outputs of each unit.
    #[arg(long, value_name = "SIZE", value_parser = value::bytes, default_value = "256MiB")]
    pub max_output: u64,
    /// The limit on log and standard error of each unit.
    #[arg(long, value_name = "SIZE", value_parser = value::bytes, default_value = "1MiB")]
    pub max_log: u64,
    /// Entropy for the program's random numbers, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = value::seed, default_value = "0")]
    pub seed: [u8; 32],
    /// The virtual clock's start, in Unix seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub time: u64,
    /// What to call, where the program exports several.
    #[arg(long, value_enum)]
    pub world: Option<Family>,
    /// Map-reduce: how many partitions, and so reduce units.
    #[arg(long, value_name = "N", default_value = "1")]
    pub partitions: std::num::NonZeroU32,
    /// Map-reduce: cut the inputs into shards of this many lines.
    #[arg(long, value_name = "N", conflicts_with = "shard_bytes")]
    pub shard_lines: Option<NonZeroUsize>,
    /// Map-reduce: cut the inputs into shards of at most this size.
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub shard_bytes: Option<u64>,
    /// Stepper: steps of one unit.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub steps: std::num::NonZeroU32,
    /// Units at once. As many as there are processors when nothing is said.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// What executes the program. The result is the same.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendName,
}

/// What a program exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Family {
    Job,
    MapReduce,
    Stepper,
    Command,
}

/// A backend by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum BackendName {
    /// Native code.
    #[default]
    Cranelift,
    /// An interpreter, to check results with.
    Pulley,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Cranelift => Self::Cranelift,
            BackendName::Pulley => Self::Pulley,
        }
    }
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let source = source::load(&args.target)?;
    let entry = entry(&source, args.unit.world)?;
    let inputs = read_inputs(&args.unit, entry)?;
    let exit = match entry {
        Entry::Job | Entry::Command => one_unit(&args, &source, entry, inputs)?,
        Entry::MapReduce { .. } | Entry::Stepper => many_units(&args, &source, entry, inputs)?,
    };
    Ok(exit)
}

fn entry(source: &Source, asked: Option<Family>) -> Result<Entry, Problem> {
    let entries = &source.admitted.inspection().entries;
    let Some(asked) = asked else {
        return Ok(source.admitted.entry());
    };
    let found = entries.iter().find(|entry| {
        matches!(
            (entry, asked),
            (Entry::Job, Family::Job)
                | (Entry::MapReduce { .. }, Family::MapReduce)
                | (Entry::Stepper, Family::Stepper)
                | (Entry::Command, Family::Command)
        )
    });
    let all: Vec<_> = entries.iter().map(|entry| entry.name()).collect();
    found.copied().ok_or_else(|| {
        Problem::refused("the program does not export that world")
            .help(format!("it exports: {}", all.join(", ")))
    })
}

/// The inputs as read: the main ones in order, and the named ones.
struct Given {
    main: Vec<Vec<u8>>,
    named: BTreeMap<String, Vec<u8>>,
}

fn read_inputs(unit: &Unit, entry: Entry) -> Result<Given, Problem> {
    if unit.input.len() > 1 && !matches!(entry, Entry::MapReduce { .. }) {
        return Err(Problem::usage(format!("a {} has one input", entry.name()))
            .help("give --input once; more files go in with --in NAME=FILE"));
    }
    let main: Result<Vec<_>, _> = unit
        .input
        .iter()
        .map(|file| source::read(file, "the input"))
        .collect();
    let mut named = BTreeMap::new();
    for (name, file) in &unit.named {
        let bytes = source::read(Path::new(file), "the input")?;
        if name == names::INPUT || named.insert(name.clone(), bytes).is_some() {
            return Err(Problem::usage(format!("the input `{name}` is given twice"))
                .help("use each NAME of --in once; the main input is --input"));
        }
    }
    Ok(Given { main: main?, named })
}

fn limits(unit: &Unit) -> Limits {
    Limits {
        fuel: unit.fuel,
        memory: unit.memory,
        output: unit.max_output,
        log: unit.max_log,
    }
}

fn one_unit(args: &Args, source: &Source, entry: Entry, given: Given) -> anyhow::Result<Exit> {
    let unit = &args.unit;
    let store = local::store()?;
    let mut inputs = Inputs::default();
    let mut digests = BTreeMap::new();
    let main = given
        .main
        .into_iter()
        .map(|bytes| (names::INPUT.to_owned(), bytes));
    for (name, bytes) in main.chain(given.named) {
        keep(&store, &bytes)?;
        digests.insert(name, inputs.insert(bytes));
    }
    let work = Work {
        profile: PROFILE_0.profile(),
        program: source.admitted.digest(),
        world: if entry == Entry::Command {
            World::Command
        } else {
            World::Job
        },
        inputs: digests,
        args: unit.args.clone(),
        env: unit.env.iter().cloned().collect(),
        params: unit.param.iter().cloned().collect(),
        shard: Shard::WHOLE,
        entropy: unit.seed,
        virtual_time: unit.time,
        limits: limits(unit),
    };
    work.check()
        .map_err(|error| Problem::usage(error.to_string()))?;
    let sandbox = local::sandbox(&work.profile, unit.backend.into())?;
    let program = local::compile(&sandbox, &source.bytes)?;
    keep(&store, &source.bytes)?;

    let work = Arc::new(work);
    let watcher = Arc::new(Watcher::new(args.format));
    let observer: Arc<dyn Observer> = watcher.clone();
    let run = sandbox
        .run(&program, &work, &inputs, Some(observer))
        .map_err(failed)?;
    watcher.finish();
    let receipt = crate::drive::sign(&local::key()?, &work, &run);
    let id = receipt.statement.unit;
    let path = write_receipt(args.receipt.as_deref(), &id, &receipt.to_file())?;

    let output = run
        .outputs
        .get(names::OUTPUT)
        .map_or(&[][..], Vec::as_slice);
    write_output(args.output.as_deref(), output)?;
    if let Some(dir) = &args.out {
        write_others(dir, &run.outputs)?;
    }
    match args.format {
        Format::Text => term::to_stderr(&report::unit_text(&run, &receipt, Some(&path))),
        Format::Json => {
            term::json_to_stderr(&report::unit_json(&run, &receipt, Some(&path)));
        }
    }
    Ok(report::exit(run.class))
}

fn many_units(args: &Args, source: &Source, entry: Entry, given: Given) -> anyhow::Result<Exit> {
    let unit = &args.unit;
    let store = local::store()?;
    let mut inputs = Inputs::default();
    let plan = plan(unit, entry, given.main, &store, &mut inputs)?;
    let mut named = BTreeMap::new();
    for (name, bytes) in given.named {
        keep(&store, &bytes)?;
        named.insert(name, inputs.insert(bytes));
    }
    let spec = JobSpec {
        profile: PROFILE_0.profile(),
        program: source.admitted.digest(),
        inputs: named,
        args: unit.args.clone(),
        env: unit.env.iter().cloned().collect(),
        params: unit.param.iter().cloned().collect(),
        entropy: unit.seed,
        virtual_time: unit.time,
        limits: limits(unit),
        plan,
    };
    let first = spec.map_work(0).or_else(|| spec.first_steps());
    let first = first.expect("every plan has a first unit");
    first
        .check()
        .map_err(|error| Problem::usage(error.to_string()))?;
    let sandbox = local::sandbox(&spec.profile, unit.backend.into())?;
    let program = local::compile(&sandbox, &source.bytes)?;
    keep(&store, &source.bytes)?;

    let start = Instant::now();
    let key = local::key()?;
    let bar = Bar::start();
    let progress = |stage: &str, done: usize, all: usize| bar.set(stage, done, all);
    let driver = Driver {
        sandbox: &sandbox,
        program: &program,
        key: &key,
        threads: threads(unit.jobs),
        progress: &progress,
    };
    let mut done = Vec::new();
    let ended = driver.job(&spec, &inputs, &mut done).map_err(failed)?;
    drop(bar);
    let wall = start.elapsed();
    if args.format == Format::Text {
        done.iter()
            .for_each(|unit| term::to_stderr(&String::from_utf8_lossy(&unit.run.log)));
    }
    match ended {
        Ended::Output(output) => {
            keep_states(&store, &spec, &done)?;
            let units = done.iter().map(|unit| unit.receipt.clone()).collect();
            let id = spec.id();
            let job = JobReceipt::sign(&key, spec, units)?;
            let path = write_receipt(args.receipt.as_deref(), &id, &job.to_file())?;
            write_output(args.output.as_deref(), &output)?;
            if let Some(dir) = &args.out {
                done.iter()
                    .try_for_each(|unit| write_others(dir, &unit.run.outputs))?;
            }
            match args.format {
                Format::Text => {
                    let text = report::job_text(&done, Some(output.len()), wall, Some(&path));
                    term::to_stderr(&text);
                }
                Format::Json => {
                    term::json_to_stderr(&report::job_json(Some(&job), &done, wall, Some(&path)));
                }
            }
        }
        Ended::Failed => {
            let last = done.last().expect("a failed unit is in the list");
            let id = last.receipt.statement.unit;
            let path = write_receipt(args.receipt.as_deref(), &id, &last.receipt.to_file())?;
            match args.format {
                Format::Text => {
                    term::to_stderr(&report::job_text(&done, None, wall, Some(&path)));
                }
                Format::Json => {
                    term::json_to_stderr(&report::job_json(None, &done, wall, Some(&path)));
                }
            }
        }
    }
    Ok(report::exit(report::outcome(&done)))
}

fn plan(
    unit: &Unit,
    entry: Entry,
    main: Vec<Vec<u8>>,
    store: &Store,
    inputs: &mut Inputs,
) -> Result<JobPlan, Problem> {
    let mut add = |bytes: Vec<u8>| -> Result<Digest, Problem> {
        keep(store, &bytes)?;
        Ok(inputs.insert(bytes))
    };
    if entry == Entry::Stepper {
        let input = add(main.into_iter().next().unwrap_or_default())?;
        return Ok(JobPlan::Stepper {
            input,
            steps: unit.steps.get(),
        });
    }
    let cut = shards::cut(main, unit.shard_lines, unit.shard_bytes)?;
    let shards: Result<Vec<Digest>, Problem> = cut.into_iter().map(&mut add).collect();
    let finish = entry == Entry::MapReduce { finish: true };
    Ok(JobPlan::MapReduce {
        shards: shards?,
        partitions: unit.partitions.get(),
        finish,
    })
}

/// The states between a stepper's units are inputs of the next: kept, so that each can be checked.
fn keep_states(store: &Store, spec: &JobSpec, done: &[Done]) -> Result<(), Problem> {
    if matches!(spec.plan, JobPlan::Stepper { .. }) {
        let states = done
            .iter()
            .filter_map(|unit| unit.run.outputs.get(names::STATE));
        states
            .into_iter()
            .try_for_each(|state| keep(store, state))?;
    }
    Ok(())
}

fn keep(store: &Store, bytes: &[u8]) -> Result<(), Problem> {
    store
        .put(bytes)
        .map(drop)
        .map_err(|error| Problem::host("cannot keep what the receipt is about").because(error))
}

/// As many as asked for, or as there are processors.
pub fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}

/// What a unit that could not be run means to a person.
pub fn failed(error: opensky_executor::RunError) -> Problem {
    match error {
        opensky_executor::RunError::Abort(abort) => local::aborted(&abort),
        other => Problem::refused(other.to_string()),
    }
}

fn write_receipt(asked: Option<&Path>, id: &Digest, bytes: &[u8]) -> Result<PathBuf, Problem> {
    let path = match asked {
        Some(path) => path.to_owned(),
        None => paths::data()?
            .join("receipts")
            .join(format!("r-{:.16}.receipt", id.to_string())),
    };
    write_file(&path, bytes, "the receipt")?;
    Ok(path)
}

fn write_output(asked: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match asked {
        Some(path) => Ok(write_file(path, bytes, "the output")?),
        None => Ok(term::bytes_to_stdout(bytes)?),
    }
}

/// Files under /out keep their paths; blobs are named by digest. Names were made by the host and
/// hold no `..`, and nothing is written through a link that leads out of the folder.
fn write_others(dir: &Path, outputs: &BTreeMap<String, Vec<u8>>) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        Problem::host(format!("cannot write the outputs to `{}`", dir.display())).because(error)
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let root = cap_std::fs::Dir::open_ambient_dir(dir, cap_std::ambient_authority());
    let root = root.map_err(failed)?;
    for (name, bytes) in outputs {
        let path = match name.split_once('/') {
            Some(("out", path)) => Path::new(path),
            Some(("blob", _)) => Path::new(name),
            _ => continue,
        };
        if let Some(folder) = path.parent() {
            root.create_dir_all(folder).map_err(failed)?;
        }
        root.write(path, bytes).map_err(failed)?;
    }
    Ok(())
}

/// Writes a whole file, with the folders above it.
pub fn write_file(path: &Path, bytes: &[u8], what: &str) -> Result<(), Problem> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, bytes))
        .map_err(|error| {
            Problem::host(format!("cannot write {what} to `{}`", path.display()))
                .because(error)
                .help("check that the folder can be written and the disk is not full")
        })
}

/// Shows a unit's log as it comes, and how far it is.
struct Watcher {
    bar: Bar,
    format: Format,
}

impl Watcher {
    fn new(format: Format) -> Self {
        Self {
            bar: Bar::start(),
            format,
        }
    }

    fn finish(&self) {
        self.bar.clear();
    }
}

impl Observer for Watcher {
    fn log(&self, text: &str) {
        if self.format == Format::Text {
            self.bar.suspend(|| term::to_stderr(text));
        }
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        let cap = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.bar.set("running", cap(done), total.map_or(0, cap));
    }
}
