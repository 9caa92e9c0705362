//! `opensky job list`: the node's jobs.

use crate::{
    Exit,
    remote::{
        hint, listing,
        reach::{self, At},
        tables,
    },
    term::{DIM, Format, PLAIN},
    value,
};

/// List the node's jobs, the newest first
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The most jobs to list.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value::limit)]
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
    let jobs = reach::all(args.limit, |page| client.jobs(page))?;
    let newest = jobs.0.first().map(|job| job.job);
    let make = hint::command(&args.at, "job run FILE");
    let none = format!("no jobs yet; {DIM}{make}{PLAIN} makes one\n");
    listing::print("jobs", jobs, args.format, tables::jobs, Some(&none))?;
    if let Some(job) = newest {
        hint::of_job(args.format, &args.at, job, &[("see one", "show")]);
    }
    Ok(Exit::Success)
}
