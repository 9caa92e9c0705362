//! `opensky verify`: runs a receipt's work again and compares.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use opensky_executor::{Inputs, Program, Sandbox};
use opensky_protocol::{
    Digest, JobPlan, JobReceipt, Receipt, SecretKey, Work, codec::FileKind, names,
};
use opensky_storage::Store;
use serde_json::json;

use crate::{
    Exit, Problem,
    drive::{Done, Driver},
    foreign,
    local::{self, failed},
    progress::Bar,
    request::{BackendName, threads},
    source,
    term::{self, BAD, Format, GOOD, PLAIN},
    value,
};

/// Run a receipt's work again and compare the results
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
The program and the inputs are found by digest in the local store, or given.

Examples:
  opensky verify r-0123456789abcdef.receipt
  opensky verify theirs.receipt --component hello.wasm --input name.txt
  opensky verify job.receipt --sample 10          ten units of a job, drawn at random
  opensky verify r.receipt --backend pulley       on an independent back end

Exit codes: 0 the results match, 1 they differ, 3 it cannot be judged, 4 this host failed.")]
pub struct Args {
    /// A receipt of a unit or of a job.
    pub receipt: PathBuf,
    /// The program, if the store does not have it.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// An input, if the store does not have it. Inputs are told apart by their digests.
    #[arg(short, long, value_name = "FILE")]
    pub input: Vec<PathBuf>,
    /// A named input, if the store does not have it.
    #[arg(long = "in", value_name = "NAME=FILE", value_parser = value::pair)]
    pub named: Vec<(String, String)>,
    /// What executes the program.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendName,
    /// Of a job, check only so many units, drawn at random.
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroUsize>,
    /// Units at once. As many as there are processors when nothing is said.
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Judges it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let bytes = source::read(&args.receipt, "the receipt")?;
    let verdict = match FileKind::of(&bytes) {
        Some(FileKind::JobReceipt) => {
            let job = JobReceipt::from_file(&bytes).map_err(|e| bad(&args.receipt, &e))?;
            judge_job(&args, &job)?
        }
        _ => {
            let receipt = Receipt::from_file(&bytes).map_err(|e| bad(&args.receipt, &e))?;
            judge_unit(&args, &receipt)?
        }
    };
    match args.format {
        Format::Text => term::to_stdout(&verdict.text())?,
        Format::Json => term::json_to_stdout(&verdict.json())?,
    }
    Ok(match verdict.differences.is_empty() {
        true => Exit::Success,
        false => Exit::Failure,
    })
}

/// Why a file is not a receipt that can be judged.
pub fn bad(file: &Path, error: &dyn std::error::Error) -> Problem {
    Problem::refused(format!("`{}` is not a receipt to believe", file.display()))
        .because(error.to_string())
        .help("ask for the file again; nothing was run")
}

/// What came of it.
struct Verdict {
    what: String,
    units: usize,
    of: usize,
    fuel: u64,
    differences: Vec<String>,
}

impl Verdict {
    fn text(&self) -> String {
        let Self {
            what,
            units,
            of,
            fuel,
            ..
        } = self;
        let counted = match of {
            1 => String::new(),
            _ => format!(", {units} of {of} units run again"),
        };
        if self.differences.is_empty() {
            let fuel = crate::report::group(*fuel);
            return format!("{GOOD}match{PLAIN}  {what}{counted}, {fuel} fuel\n");
        }
        let mut text = format!("{BAD}mismatch{PLAIN}  {what}{counted}\n");
        for difference in &self.differences {
            text.push_str(&format!("  {difference}\n"));
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "verdict": if self.differences.is_empty() { "match" } else { "mismatch" },
            "what": self.what,
            "units_checked": self.units,
            "units": self.of,
            "fuel": self.fuel,
            "differences": self.differences,
        })
    }
}

fn judge_unit(args: &Args, receipt: &Receipt) -> Result<Verdict, Problem> {
    let blobs = Blobs::new(args)?;
    let sandbox = local::sandbox(&receipt.work.profile, args.backend.into())?;
    let program = blobs.program(&sandbox, &receipt.work.program, args)?;
    let inputs = blobs.inputs(&receipt.work)?;
    let key = nobody();
    let driver = driver(args, &sandbox, &program, &key, (1, &|_, _, _| ()));
    let again = driver.unit(receipt.work.clone(), &inputs).map_err(failed)?;
    Ok(Verdict {
        what: format!("unit {}", receipt.statement.unit),
        units: 1,
        of: 1,
        fuel: again.receipt.statement.fuel,
        differences: differences(receipt, &again.receipt),
    })
}

fn judge_job(args: &Args, job: &JobReceipt) -> Result<Verdict, Problem> {
    let blobs = Blobs::new(args)?;
    let sandbox = local::sandbox(&job.spec.profile, args.backend.into())?;
    let program = blobs.program(&sandbox, &job.spec.program, args)?;
    let key = nobody();
    let bar = Bar::start();
    let progress = |stage: &str, done: usize, all: usize| bar.set(stage, done, all);
    // A job that claims to have ended is not followed any further than that.
    let limit = (job.units.len(), &progress as Progress<'_>);
    let driver = driver(args, &sandbox, &program, &key, limit);
    let done = match args.sample {
        Some(count) => sample(job, &driver, &blobs, count.get())?,
        None => whole(job, &driver, &blobs)?,
    };
    drop(bar);
    let mut differences = Vec::new();
    for (index, unit) in &done {
        let theirs = &job.units[*index];
        let named = |text| format!("unit {index} ({}): {text}", theirs.statement.unit);
        differences.extend(
            self::differences(theirs, &unit.receipt)
                .into_iter()
                .map(named),
        );
    }
    if args.sample.is_none() && done.len() < job.units.len() && differences.is_empty() {
        differences.push(format!("the job ends after {} units", done.len()));
    }
    Ok(Verdict {
        what: format!("job {}", job.spec.id()),
        units: done.len(),
        of: job.units.len(),
        fuel: done.iter().fold(0, |sum: u64, (_, unit)| {
            sum.saturating_add(unit.receipt.statement.fuel)
        }),
        differences,
    })
}

/// Runs the whole job again: only what the job began with is needed.
fn whole(
    job: &JobReceipt,
    driver: &Driver<'_>,
    blobs: &Blobs,
) -> Result<Vec<(usize, Done)>, Problem> {
    let mut needed: BTreeMap<String, Digest> = job.spec.inputs.clone();
    match &job.spec.plan {
        JobPlan::MapReduce { shards, .. } => {
            needed.extend(
                (0..)
                    .map(|index| format!("shard {index}"))
                    .zip(shards.iter().copied()),
            );
        }
        JobPlan::Stepper { input, .. } => {
            needed.insert(names::INPUT.into(), *input);
        }
    }
    let inputs = blobs.of(&needed)?;
    let mut done = Vec::new();
    driver.job(&job.spec, &inputs, &mut done).map_err(failed)?;
    Ok(done.into_iter().enumerate().take(job.units.len()).collect())
}

/// Runs some units again: those that are drawn among the ones whose inputs are here.
fn sample(
    job: &JobReceipt,
    driver: &Driver<'_>,
    blobs: &Blobs,
    count: usize,
) -> Result<Vec<(usize, Done)>, Problem> {
    let here: Vec<usize> = (0..job.units.len())
        .filter(|index| {
            job.units[*index]
                .work
                .inputs
                .values()
                .all(|digest| blobs.has(digest))
        })
        .collect();
    if here.is_empty() {
        return Err(Problem::refused("no unit's inputs are in the store")
            .help("give inputs with --input, or check the whole job without --sample"));
    }
    let drawn = draw(here, count)?;
    let mut done = Vec::new();
    for (position, index) in drawn.iter().enumerate() {
        (driver.progress)("units", position, drawn.len());
        let work = &job.units[*index].work;
        let inputs = blobs.inputs(work)?;
        done.push((*index, driver.unit(work.clone(), &inputs).map_err(failed)?));
    }
    Ok(done)
}

/// Draws `count` of these, so that whoever made the receipt could not know which.
fn draw(mut from: Vec<usize>, count: usize) -> Result<BTreeSet<usize>, Problem> {
    let mut drawn = BTreeSet::new();
    while drawn.len() < count && !from.is_empty() {
        let random = getrandom::u64()
            .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
        drawn.insert(from.swap_remove((random % from.len() as u64) as usize));
    }
    Ok(drawn)
}

/// What differs between two receipts for the same work, in words. Empty if the results match.
fn differences(theirs: &Receipt, ours: &Receipt) -> Vec<String> {
    let (said, found) = (&theirs.statement, &ours.statement);
    if said.compare_key == found.compare_key {
        return Vec::new();
    }
    let mut list = Vec::new();
    let mut note = |what: &str, said: String, found: String| {
        if said != found {
            list.push(format!(
                "{what}: the receipt says {said}, here it is {found}"
            ));
        }
    };
    note("outcome", said.class.to_string(), found.class.to_string());
    note("fuel", said.fuel.to_string(), found.fuel.to_string());
    note("output", said.output.to_string(), found.output.to_string());
    note(
        "host calls",
        said.calls.to_string(),
        found.calls.to_string(),
    );
    note(
        "transcript",
        said.transcript.to_string(),
        found.transcript.to_string(),
    );
    if let Some(index) = theirs.transcript.first_difference(&ours.transcript) {
        let call = |receipt: &Receipt| {
            let call = receipt.transcript.calls.get(index);
            call.map_or("no such call".to_owned(), |call| {
                foreign::name(&call.import)
            })
        };
        list.push(format!(
            "first differing host call: number {index}, {} (here {})",
            call(theirs),
            call(ours)
        ));
    }
    list
}

type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

fn driver<'a>(
    args: &Args,
    sandbox: &'a Sandbox,
    program: &'a Program,
    key: &'a SecretKey,
    (most_steps, progress): (usize, Progress<'a>),
) -> Driver<'a> {
    Driver {
        sandbox,
        program,
        key,
        threads: threads(args.jobs),
        most_steps,
        progress,
    }
}

/// Signs what nobody will see: only the statements are compared.
fn nobody() -> SecretKey {
    SecretKey::from_seed(&[0; 32])
}

/// Where the program and the inputs come from: given files first, then the store.
struct Blobs {
    given: HashMap<Digest, Vec<u8>>,
    store: Store,
}

impl Blobs {
    fn new(args: &Args) -> Result<Self, Problem> {
        let named = args.named.iter().map(|(_, file)| Path::new(file));
        let mut given = HashMap::new();
        for file in args.input.iter().map(PathBuf::as_path).chain(named) {
            let bytes = source::read(file, "the input")?;
            given.insert(Digest::of(&bytes), bytes);
        }
        Ok(Self {
            given,
            store: local::store()?,
        })
    }

    fn has(&self, digest: &Digest) -> bool {
        self.given.contains_key(digest) || self.store.has(digest)
    }

    fn get(&self, digest: &Digest, what: &str, help: &str) -> Result<Vec<u8>, Problem> {
        match self.given.get(digest) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.store.get(digest).map_err(|error| {
                Problem::refused(format!("cannot judge: {what} {digest} is not here"))
                    .because(error)
                    .help(help)
            }),
        }
    }

    fn of(&self, needed: &BTreeMap<String, Digest>) -> Result<Inputs, Problem> {
        let mut inputs = Inputs::default();
        for (name, digest) in needed {
            let what = format!("the input `{name}`,");
            inputs.insert(self.get(digest, &what, "give the file with --input")?);
        }
        Ok(inputs)
    }

    fn inputs(&self, work: &Work) -> Result<Inputs, Problem> {
        self.of(&work.inputs)
    }

    fn program(&self, sandbox: &Sandbox, id: &Digest, args: &Args) -> Result<Program, Problem> {
        let component = match &args.component {
            Some(file) => source::component(file)?,
            None => self.get(id, "the program", "give the file with --component")?,
        };
        if Digest::of(&component) != *id {
            return Err(
                Problem::refused("cannot judge: the component is another program")
                    .help(format!("the receipt is about {id}")),
            );
        }
        opensky_executor::admit(&component).map_err(|refusal| {
            Problem::refused("the sandbox refuses the program").because(refusal.to_string())
        })?;
        local::compile(sandbox, &component)
    }
}
