//! `opensky job logs`: what a job's units logged.

use serde_json::json;

use super::Known;
use crate::{
    Exit, foreign,
    remote::{board::stage_text, reach},
    term::{self, DIM, Format, PLAIN},
};

/// Show what a job's units logged
///
/// A log is not compared: each is the word of the one provider that is named with it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// The most logs to show.
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows them.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let (logs, more) = reach::all(args.limit, |page| client.logs(&args.known.job, page))?;
    if args.format == Format::Json {
        term::json_to_stdout(&json!({ "logs": logs, "more": more }))?;
        return Ok(Exit::Success);
    }
    for log in &logs {
        let (stage, index, who) = (stage_text(log.stage), log.index, log.provider.short());
        term::to_stdout(&format!("{DIM}{stage} {index}, {who}{PLAIN}\n"))?;
        let text = foreign::lines(&log.text);
        let end = if text.ends_with('\n') { "" } else { "\n" };
        term::to_stdout(&format!("{text}{end}"))?;
        if log.cut {
            term::to_stdout(&format!("{DIM}… there is more of it{PLAIN}\n"))?;
        }
    }
    if logs.is_empty() {
        term::to_stderr("no unit of it has logged anything\n");
    }
    if more {
        term::to_stderr(&format!("{DIM}… and more: --limit N{PLAIN}\n"));
    }
    Ok(Exit::Success)
}
