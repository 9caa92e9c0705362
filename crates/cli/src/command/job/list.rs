//! `opensky job list`: the node's jobs.

use serde_json::json;

use crate::{
    Exit,
    remote::{
        reach::{self, At},
        tables,
    },
    term::{self, DIM, Format, PLAIN},
};

/// List the node's jobs, the newest first
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The most jobs to list.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Lists them.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.at.client()?;
    let (jobs, more) = reach::all(args.limit, |page| client.jobs(page))?;
    match args.format {
        Format::Json => term::json_to_stdout(&json!({ "jobs": jobs, "more": more }))?,
        Format::Text if jobs.is_empty() => {
            term::to_stderr(&format!(
                "no jobs yet; {DIM}opensky job run FILE{PLAIN} makes one\n"
            ));
        }
        Format::Text => {
            term::to_stdout(&tables::jobs(&jobs, tables::now()))?;
            if more {
                term::to_stderr(&format!("  {DIM}… and more: --limit N{PLAIN}\n"));
            }
        }
    }
    Ok(Exit::Success)
}
