//! `opensky receipt`: what a receipt says.

use std::path::PathBuf;

use opensky_protocol::{Digest, JobPlan, JobReceipt, Receipt, Work, World, codec::FileKind};
use serde_json::{Value, json};

use crate::{
    Exit,
    command::verify::bad,
    foreign, report, source,
    term::{self, DIM, Format, PLAIN},
};

/// Show what a receipt says
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Print a receipt of a unit or of a job, for people or as JSON
    Show {
        /// The receipt.
        file: PathBuf,
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Prints it. Nothing is run: that is what `verify` is for.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let Command::Show { file, format } = args.command;
    let bytes = source::read(&file, "the receipt")?;
    let (text, value) = match FileKind::of(&bytes) {
        Some(FileKind::JobReceipt) => {
            let job = JobReceipt::from_file(&bytes).map_err(|error| bad(&file, &error))?;
            (job_text(&job), job_json(&job))
        }
        _ => {
            let receipt = Receipt::from_file(&bytes).map_err(|error| bad(&file, &error))?;
            (unit_text(&receipt), unit_json(&receipt))
        }
    };
    match format {
        Format::Text => term::to_stdout(&text)?,
        Format::Json => term::json_to_stdout(&value)?,
    }
    Ok(Exit::Success)
}

fn world(world: World) -> String {
    match world {
        World::Job => "job".into(),
        World::Map { partitions } => {
            let parts = term::count(partitions.into(), "partition");
            format!("map into {parts}")
        }
        World::Reduce => "reduce".into(),
        World::Finish => "finish".into(),
        World::Stepper { steps } => format!("stepper, up to {}", term::count(steps.into(), "step")),
        World::Command => "command".into(),
    }
}

fn unit_text(receipt: &Receipt) -> String {
    let (said, work) = (&receipt.statement, &receipt.work);
    let limits = &work.limits;
    let mut text = term::columns([
        ("unit", said.unit.to_string()),
        ("outcome", said.class.to_string()),
        (
            "fuel",
            format!(
                "{} of {}",
                report::group(said.fuel),
                report::group(limits.fuel)
            ),
        ),
        (
            "output",
            format!(
                "{} {DIM}{}{PLAIN}",
                term::size(said.output_len),
                said.output
            ),
        ),
        (
            "transcript",
            format!(
                "{} {DIM}{}{PLAIN}",
                term::count(said.calls, "call"),
                said.transcript
            ),
        ),
        ("compare key", said.compare_key.to_string()),
        ("profile", foreign::name(said.profile.id())),
        (
            "node",
            format!("{} {DIM}signature checked{PLAIN}", said.node),
        ),
        ("program", work.program.to_string()),
        ("world", world(work.world)),
        (
            "shard",
            format!("{} of {}", work.shard.index + 1, work.shard.count),
        ),
        ("memory limit", term::size(limits.memory)),
    ]);
    for (what, value) in asked(work) {
        text.push_str(&format!("  {DIM}{what:<6}{PLAIN}  {value}\n"));
    }
    for (name, digest) in &work.inputs {
        text.push_str(&format!(
            "  {DIM}input{PLAIN}   {} {DIM}{digest}{PLAIN}\n",
            foreign::name(name)
        ));
    }
    for (name, output) in &receipt.outputs.0 {
        let size = term::size(output.len);
        text.push_str(&format!(
            "  {DIM}output{PLAIN}  {} {size} {DIM}{}{PLAIN}\n",
            foreign::name(name),
            output.digest
        ));
    }
    text
}

/// What else the program was given, where it is not what nobody asked for.
fn asked(work: &Work) -> Vec<(&'static str, String)> {
    let pair = |(key, value): (&String, &String)| {
        let (key, value) = (foreign::name(key), foreign::name(value));
        format!("{key}={value}")
    };
    let args = work.args.iter().map(|arg| ("arg", foreign::name(arg)));
    let env = work.env.iter().map(|entry| ("env", pair(entry)));
    let params = work.params.iter().map(|entry| ("param", pair(entry)));
    let seed = (work.entropy != [0; 32]).then(|| ("seed", Digest(work.entropy).to_string()));
    let time = (work.virtual_time != 0).then(|| ("time", work.virtual_time.to_string()));
    args.chain(env)
        .chain(params)
        .chain(seed)
        .chain(time)
        .collect()
}

fn unit_json(receipt: &Receipt) -> Value {
    let (said, work) = (&receipt.statement, &receipt.work);
    let calls = receipt.transcript.calls.iter().map(|call| {
        json!({
            "import": call.import,
            "args": call.args.to_string(),
            "results": call.results.to_string(),
        })
    });
    let inputs = work
        .inputs
        .iter()
        .map(|(name, digest)| (name.clone(), digest.to_string().into()));
    let outputs = receipt.outputs.0.iter().map(|(name, output)| {
        (
            name.clone(),
            json!({ "digest": output.digest.to_string(), "bytes": output.len }),
        )
    });
    json!({
        "kind": "unit",
        "work": {
            "profile": work.profile.id(),
            "program": work.program.to_string(),
            "world": world(work.world),
            "inputs": inputs.collect::<serde_json::Map<_, Value>>(),
            "args": work.args,
            "env": work.env,
            "params": work.params,
            "shard": [work.shard.index, work.shard.count],
            "entropy": Digest(work.entropy).to_string(),
            "virtual_time": work.virtual_time,
            "limits": {
                "fuel": work.limits.fuel,
                "memory": work.limits.memory,
                "output": work.limits.output,
                "log": work.limits.log,
            },
        },
        "statement": {
            "unit": said.unit.to_string(),
            "outcome": said.class.name(),
            "fuel": said.fuel,
            "output_digest": said.output.to_string(),
            "output_bytes": said.output_len,
            "transcript": said.transcript.to_string(),
            "calls": said.calls,
            "compare_key": said.compare_key.to_string(),
            "profile": said.profile.id(),
            "node": said.node.to_string(),
            "operator": said.operator.to_string(),
        },
        "signature": format!("{:?}", receipt.signature),
        "outputs": outputs.collect::<serde_json::Map<_, Value>>(),
        "states": receipt.states.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "calls": calls.collect::<Vec<_>>(),
    })
}

fn plan(plan: &JobPlan) -> String {
    match plan {
        JobPlan::MapReduce {
            shards,
            partitions,
            finish,
        } => format!(
            "map-reduce: {}, {}{}",
            term::count(shards.len() as u64, "shard"),
            term::count((*partitions).into(), "partition"),
            if *finish { ", finish" } else { "" }
        ),
        JobPlan::Stepper { steps, .. } => {
            format!("stepper: {} a unit", term::count((*steps).into(), "step"))
        }
    }
}

fn total_fuel(job: &JobReceipt) -> u64 {
    job.units
        .iter()
        .fold(0, |sum, unit| sum.saturating_add(unit.statement.fuel))
}

fn job_text(job: &JobReceipt) -> String {
    term::columns([
        ("job", job.spec.id().to_string()),
        ("plan", plan(&job.spec.plan)),
        ("units", format!("{}, all ok", job.units.len())),
        ("fuel", report::group(total_fuel(job))),
        ("output", job.output.to_string()),
        ("profile", foreign::name(job.spec.profile.id())),
        ("program", job.spec.program.to_string()),
        (
            "node",
            format!("{} {DIM}signature checked{PLAIN}", job.node),
        ),
    ])
}

fn job_json(job: &JobReceipt) -> Value {
    json!({
        "kind": "job",
        "job": job.spec.id().to_string(),
        "plan": plan(&job.spec.plan),
        "profile": job.spec.profile.id(),
        "program": job.spec.program.to_string(),
        "fuel": total_fuel(job),
        "output": job.output.to_string(),
        "node": job.node.to_string(),
        "signature": format!("{:?}", job.signature),
        "units": job.units.iter().map(unit_json).collect::<Vec<_>>(),
    })
}
