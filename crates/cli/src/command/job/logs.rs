//! `opensky job logs`: what a job's units logged.

use std::{collections::BTreeSet, thread, time::Duration};

use opensky_api::{JobState, UnitLog};
use serde_json::json;

use super::Known;
use crate::{
    Exit, foreign,
    remote::{board::stage_text, reach},
    term::{self, DIM, Format, PLAIN},
};

/// Show what a job's units logged
///
/// A log is not compared: each is the word of the one provider that is named with it, who may say
/// anything. It comes with the unit's result: up to 64 KiB of each.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// Go on until the job ends, and show what units log as their results come.
    #[arg(short, long)]
    follow: bool,
    /// The most logs to show.
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How often somebody looks who follows.
const LOOK: Duration = Duration::from_secs(1);

/// Shows them.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let job = &args.known.job;
    let mut seen = BTreeSet::new();
    loop {
        // First: what is over says nothing new afterwards.
        let state = client.job(job).map_err(reach::problem)?.summary.state;
        let (mut logs, more) = reach::all(args.limit, |page| client.logs(job, page))?;
        logs.retain(|log| seen.insert((log.index, log.provider)));
        match args.format {
            Format::Text => logs.iter().try_for_each(show)?,
            Format::Json if args.follow && logs.is_empty() => {}
            Format::Json => term::json_to_stdout(&json!({ "logs": logs, "more": more }))?,
        }
        if args.follow && state != JobState::Ended {
            thread::sleep(LOOK);
            continue;
        }
        if args.format == Format::Text {
            if seen.is_empty() {
                term::to_stderr("no unit of it has logged anything\n");
            }
            if more {
                term::to_stderr(&format!("{DIM}… and more: --limit N{PLAIN}\n"));
            }
        }
        return Ok(Exit::Success);
    }
}

fn show(log: &UnitLog) -> anyhow::Result<()> {
    let (stage, index, who) = (stage_text(log.stage), log.index, log.provider.short());
    term::to_stdout(&format!("{DIM}{stage} {index}, as {who} says{PLAIN}\n"))?;
    let text = foreign::lines(&log.text);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    term::to_stdout(&format!("{text}{end}"))?;
    if log.cut {
        term::to_stdout(&format!("{DIM}… there is more of it{PLAIN}\n"))?;
    }
    Ok(())
}
