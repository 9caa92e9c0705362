//! `opensky job receipt`: a job's receipt as a file that anyone can check.

use std::path::PathBuf;

use opensky_api::{Job, JobState};
use serde_json::json;

use super::{Known, hand_out};
use crate::{
    Exit, Problem, deliver,
    remote::{checking, hint, reach},
    term::{self, Format},
};

/// Save the receipt of a job
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// Where it goes [default: the data folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Saves it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    deliver::check(None, args.output.as_deref(), None)?;
    let client = args.known.at.client()?;
    let Job {
        summary: job, spec, ..
    } = client.job(&args.known.job).map_err(reach::problem)?;
    if job.state != JobState::Ended {
        let id = job.job.short();
        let wait = hint::command(&args.known.at, &format!("job show --wait {id}"));
        return Err(Problem::refused(format!("{id} has no receipt yet"))
            .help(format!("wait until it has ended: {wait}"))
            .into());
    }
    let bytes = hand_out::receipt(&client, job.job)?;
    let path = deliver::receipt(args.output.as_deref(), &job.job.digest(), bytes)?;
    let id = client
        .result(&job.job.into())
        .map_err(reach::problem)?
        .receipt;
    let id = id.map(|receipt| receipt.to_string());
    match args.format {
        Format::Json => term::json_to_stdout(&json!({ "receipt": id, "file": term::path(&path) }))?,
        Format::Text => {
            let rows = [
                ("receipt", id.unwrap_or_default()),
                ("file", path.display().to_string()),
            ];
            let check = checking::rows(&job, &spec, &path, &args.known.at);
            term::to_stdout(&term::columns(rows.into_iter().chain(check)))?;
        }
    }
    Ok(Exit::Success)
}
