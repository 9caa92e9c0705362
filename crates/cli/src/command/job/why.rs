//! `opensky job why`: why a job is where it is.

use opensky_api::{JobState, PageQuery};

use super::Known;
use crate::{
    Exit,
    remote::{explain, hint, reach},
    term::{self, Format},
};

/// Explain where a job is and why, node by node
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// The most units to explain, up to 500.
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Explains it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let page = PageQuery {
        limit: Some(args.limit),
        after: None,
    };
    let state = client.job(&args.known.job).map_err(reach::problem)?;
    let state = state.summary.state;
    let why = client.why(&args.known.job, &page).map_err(reach::problem)?;
    match args.format {
        Format::Text => term::to_stdout(&explain::why(&why))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&why)?)?,
    }
    let commands: &[_] = match state {
        JobState::Ended => &[("see it", "show")],
        _ => &[("wait", "show --wait"), ("end it", "cancel")],
    };
    hint::of_job(args.format, &args.known.at, why.job, commands);
    Ok(Exit::Success)
}
