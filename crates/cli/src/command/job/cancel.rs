//! `opensky job cancel`: gives a job up.

use opensky_api::JobState;

use super::Known;
use crate::{
    Exit,
    remote::{ending, hint, reach},
    term::{self, Format},
};

/// Give a job up. What providers have done until then is paid
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Cancels it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let job = client.cancel(&args.known.job).map_err(reach::problem)?;
    match args.format {
        Format::Json => term::json_to_stdout(&serde_json::to_value(&job)?)?,
        Format::Text => {
            let (id, state) = (job.job.short(), ending::state(&job));
            let figures = ending::figures(&job, None);
            term::to_stdout(&format!("  {id}  {state}\n  {figures}\n"))?;
            if job.state != JobState::Ended {
                let rest = "results that were promised until now are still shown and paid";
                term::to_stderr(&format!("  {rest}\n"));
            }
        }
    }
    hint::of_job(args.format, &args.known.at, job.job, &[("see it", "show")]);
    Ok(Exit::Success)
}
