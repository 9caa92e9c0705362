//! `opensky job key`: discloses an encrypted job.

use super::Known;
use crate::{
    Exit,
    remote::{checking, hint, reach},
    term::{self, Format, NOTE, PLAIN},
};

/// Show the key to an encrypted job
///
/// Whoever has it can read all of the job, if they get its blobs; without it nobody can check its
/// receipt: opensky verify --content-key.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let key = client.key(&args.known.job).map_err(reach::problem)?;
    let job = client.job(&key.job.into()).map_err(reach::problem)?;
    match args.format {
        Format::Text => term::to_stdout(&format!("{}\n", key.key))?,
        Format::Json => term::json_to_stdout(&serde_json::to_value(key)?)?,
    }
    let commands = [("receipt", "receipt")];
    hint::of_job(args.format, &args.known.at, key.job, &commands);
    if args.format == Format::Text {
        let digits = key.key.to_string();
        let check = checking::command("RECEIPT", &job.summary, &job.spec, &digits);
        let row = ("check it", format!("{NOTE}{check}{PLAIN}"));
        term::to_stderr(&term::columns([row]));
    }
    Ok(Exit::Success)
}
