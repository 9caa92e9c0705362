//! `opensky node status`: how the node is.

use crate::{
    Exit,
    remote::{
        hint, moment,
        reach::{self, At},
        status,
    },
    term::{self, Format},
};

/// Show how the node is: reachable or not, and why; what it offers, has done and earned
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Shows it.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let node = args.at.client()?.node().map_err(reach::problem)?;
    match args.format {
        Format::Text => term::to_stdout(&status::node(&node, moment::now()))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(&node)?)?,
    }
    let commands = [("others", "offers"), ("jobs", "job list")];
    hint::next(args.format, &args.at, &commands);
    Ok(Exit::Success)
}
