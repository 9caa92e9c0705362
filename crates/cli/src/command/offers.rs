//! `opensky offers`: who would run work, and for how much.

use serde_json::json;

use crate::{
    Exit,
    remote::{
        reach::{self, At},
        tables,
    },
    term::{self, DIM, Format, PLAIN},
};

/// List who would run work, for how much, and what is known of them
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The most offers to list.
    #[arg(long, value_name = "N", default_value_t = 50)]
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
    let (offers, more) = reach::all(args.limit, |page| client.offers(page))?;
    match args.format {
        Format::Json => term::json_to_stdout(&json!({ "offers": offers, "more": more }))?,
        Format::Text if offers.is_empty() => {
            term::to_stderr(&format!(
                "the node knows no offers; {DIM}opensky node status{PLAIN} says whether it is connected\n"
            ));
        }
        Format::Text => {
            term::to_stdout(&tables::offers(&offers, tables::now()))?;
            if more {
                term::to_stderr(&format!("  {DIM}… and more: --limit N{PLAIN}\n"));
            }
        }
    }
    Ok(Exit::Success)
}
