//! `opensky verify`: runs a receipt's work again and compares.

mod again;
mod blobs;

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use opensky_api::{Prefix, kind};
use opensky_protocol::{
    ContentKey, Digest, JobPlan, JobReceipt, JobSpec, Receipt, codec::FileKind, names,
};
use serde_json::json;

use self::{
    again::{Again, Found},
    blobs::Blobs,
};
use crate::{
    Exit, Problem, local,
    request::{BackendName, threads},
    source,
    term::{self, BAD, Format, GOOD, PLAIN},
    value,
};

/// Run a receipt's work again and compare the results
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
The program and the inputs are found by digest in the local store, or given. A
unit is run no further than its receipt can be right: one that uses more fuel
than it claims is stopped there.

Examples:
  opensky verify r-0123456789abcdef.receipt
  opensky verify theirs.receipt --component hello.wasm --input name.txt
  opensky verify job.receipt --sample 10      ten of its units, drawn at random
  opensky verify r.receipt --backend pulley   on an independent back end

Exit codes: 0 the results match, 1 they differ, 3 it cannot be judged, 4 this
host failed.")]
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
    /// Of an encrypted job, its key, as `opensky job key` shows it. Files are given as they were before
    /// they were encrypted.
    #[arg(long, value_name = "HEX", value_parser = value::content_key)]
    pub content_key: Option<ContentKey>,
    /// What executes the program.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendName,
    /// Of a job, check only so many units, drawn at random.
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroUsize>,
    /// Units at once, up to 256 [default: one for each processor].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl Args {
    /// The files that inputs were given in.
    fn given(&self) -> impl Iterator<Item = &Path> {
        let named = self.named.iter().map(|(_, file)| Path::new(file));
        self.input.iter().map(PathBuf::as_path).chain(named)
    }
}

/// Judges it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let bytes =
        source::read(&args.receipt, "the receipt").map_err(|problem| named(&args, problem))?;
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

/// Where there is no such file: what is meant may be the receipt's id, or its job's.
fn named(args: &Args, problem: Problem) -> Problem {
    let text = args.receipt.to_string_lossy();
    let is_id = text.parse::<Prefix<kind::Receipt>>().is_ok();
    let is_job = text.parse::<Prefix<kind::Job>>().is_ok();
    match (args.receipt.exists(), is_job, is_id) {
        (false, true, _) => problem.help(format!(
            "to check what came of a job save its receipt first: opensky job receipt {text}"
        )),
        (false, _, true) => problem.help(
            "that is a receipt's id, and its file is wanted: `opensky job receipt j-…` saves it",
        ),
        _ => problem,
    }
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
    let blobs = Blobs::new(args.given(), args.content_key.clone())?;
    let sandbox = local::sandbox(&receipt.work.profile, args.backend.into())?;
    let component = args.component.as_deref();
    let program = blobs.program(&sandbox, &receipt.work.program, component)?;
    let inputs = blobs.of(&receipt.work.inputs)?;
    let again = Again::new(
        &sandbox,
        &program,
        threads(args.jobs),
        1,
        args.content_key.as_ref(),
    );
    let found = again.unit(receipt, &inputs)?;
    Ok(Verdict {
        what: format!("unit {}", receipt.statement.unit),
        units: 1,
        of: 1,
        fuel: found.fuel,
        differences: found.differences,
    })
}

fn judge_job(args: &Args, job: &JobReceipt) -> Result<Verdict, Problem> {
    let blobs = Blobs::new(args.given(), args.content_key.clone())?;
    let sandbox = local::sandbox(&job.spec.profile, args.backend.into())?;
    let component = args.component.as_deref();
    let program = blobs.program(&sandbox, &job.spec.program, component)?;
    let units = job.units.len();
    let count = args.sample.map_or(units, |sample| sample.get().min(units));
    let again = Again::new(
        &sandbox,
        &program,
        threads(args.jobs),
        count,
        args.content_key.as_ref(),
    );
    let found = match args.sample {
        Some(_) => sample(job, &again, &blobs, count)?,
        None => whole(job, &again, &blobs)?,
    };
    let mut differences = Vec::new();
    for (index, found) in &found {
        let unit = &job.units[*index].statement.unit;
        let named = |text| format!("unit {index} ({unit}): {text}");
        differences.extend(found.differences.iter().map(named));
    }
    Ok(Verdict {
        what: format!("job {}", job.spec.id()),
        units: found.len(),
        of: units,
        fuel: found
            .values()
            .fold(0, |sum: u64, found| sum.saturating_add(found.fuel)),
        differences,
    })
}

/// Runs the whole job again: only what the job began with is needed. Each unit's work follows from
/// the outputs of those before it, which was checked when the receipt was read, so each is run as it
/// stands there. Those after a stage that differs are not.
fn whole(
    job: &JobReceipt,
    again: &Again<'_>,
    blobs: &Blobs,
) -> Result<BTreeMap<usize, Found>, Problem> {
    let mut inputs = blobs.of(&beginning(&job.spec))?;
    let mut all = BTreeMap::new();
    let mut left: Vec<usize> = (0..job.units.len()).collect();
    while !left.is_empty() {
        let ready = |index: &usize| {
            let mut needed = job.units[*index].work.inputs.values();
            needed.all(|digest| inputs.get(digest).is_some())
        };
        let (stage, later): (Vec<_>, Vec<_>) = left.into_iter().partition(ready);
        if stage.is_empty() {
            let unit = later[0];
            return Err(Problem::refused(format!(
                "cannot judge: no unit makes the inputs of unit {unit}"
            )));
        }
        let mut found = again.units(&job.units, &stage, &inputs)?;
        let mut differs = false;
        for found in found.values_mut() {
            differs |= !found.differences.is_empty();
            for (digest, blob) in found.outputs.drain(..) {
                inputs.insert_verified(digest, blob);
            }
        }
        all.append(&mut found);
        if differs {
            break;
        }
        left = later;
    }
    Ok(all)
}

/// What a job began with, by name.
fn beginning(spec: &JobSpec) -> BTreeMap<String, Digest> {
    let mut needed = spec.inputs.clone();
    match &spec.plan {
        JobPlan::MapReduce { shards, .. } => {
            let names = (0..).map(|index| format!("shard {index}"));
            needed.extend(names.zip(shards.iter().copied()));
        }
        JobPlan::Stepper { input, .. } => {
            needed.insert(names::INPUT.into(), *input);
        }
    }
    needed
}

/// Runs some units again: those that are drawn among the ones whose inputs are here.
fn sample(
    job: &JobReceipt,
    again: &Again<'_>,
    blobs: &Blobs,
    count: usize,
) -> Result<BTreeMap<usize, Found>, Problem> {
    let mut here = Vec::new();
    for (index, unit) in job.units.iter().enumerate() {
        if blobs.has(&unit.work)? {
            here.push(index);
        }
    }
    if here.is_empty() {
        return Err(Problem::refused("no unit's inputs are in the store")
            .help("give inputs with --input, or check the whole job without --sample"));
    }
    let drawn = draw(here, count)?;
    let works = drawn.iter().map(|index| &job.units[*index].work);
    let inputs = blobs.of(works.flat_map(|work| &work.inputs))?;
    again.units(&job.units, &drawn, &inputs)
}

/// Draws `count` of these, so that whoever made the receipt could not know which.
fn draw(mut from: Vec<usize>, count: usize) -> Result<Vec<usize>, Problem> {
    let mut drawn = Vec::new();
    while drawn.len() < count && !from.is_empty() {
        let random = getrandom::u64()
            .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
        drawn.push(from.swap_remove((random % from.len() as u64) as usize));
    }
    Ok(drawn)
}
