//! `opensky job logs`: what a job's units logged.

use std::{collections::BTreeSet, io, time::Duration};

use opensky_api::{ClientError, JobState, JobSummary, NodeId, Prefix, UnitLog, kind};
use serde_json::json;

use super::Known;
use crate::{
    Exit, foreign,
    remote::{
        board::stage_text,
        hint,
        reach::{self, Found, Patience},
    },
    term::{self, DIM, Format, PLAIN, Reader},
    value,
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
    /// The most logs to show [default: 500, and all with --follow].
    #[arg(long, value_name = "N", value_parser = value::limit)]
    limit: Option<usize>,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How often somebody looks who follows.
const LOOK: Duration = Duration::from_secs(1);
/// The most logs that are shown where nobody follows, or says.
const MOST: usize = 500;

/// Shows them.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    match args.follow {
        true => follow(&args),
        false => once(&args),
    }
}

fn once(args: &Args) -> anyhow::Result<Exit> {
    let client = args.known.at.client()?;
    let job = client.job(&args.known.job).map_err(reach::problem)?.summary;
    let most = args.limit.unwrap_or(MOST);
    let (logs, more) = reach::all(most, |page| client.logs(&args.known.job, page))?;
    if let Reader::Gone = print(args.format, &logs, more)? {
        return Ok(Exit::Success);
    }
    if args.format == Format::Text && logs.is_empty() {
        term::to_stderr("no unit of it has logged anything\n");
    }
    if args.format == Format::Text && more {
        term::to_stderr(&format!("{DIM}… and more: --limit N{PLAIN}\n"));
    }
    next(args, &job);
    Ok(Exit::Success)
}

/// Until the job ends, or nobody reads any more, or all are shown that were asked for.
fn follow(args: &Args) -> anyhow::Result<Exit> {
    let node = args.known.at.find()?;
    let (mut news, mut patience) = (News::default(), Patience::default());
    loop {
        match news.look(&node, &args.known.job) {
            Ok(()) => patience.renew(),
            Err(error) if patience.bears(&error) => {}
            Err(error) => return Err(reach::problem(error).into()),
        }
        let left = args.limit.map(|most| most.saturating_sub(news.shown));
        let (logs, more) = news.take(left.unwrap_or(usize::MAX));
        let is_news = !logs.is_empty();
        if is_news && let Reader::Gone = print(args.format, &logs, more)? {
            return Ok(Exit::Success);
        }
        let is_enough = args.limit.is_some_and(|most| news.shown >= most);
        let ended = news.job.as_ref().filter(|job| job.state == JobState::Ended);
        if let Some(job) = ended {
            if args.format == Format::Text && news.shown == 0 {
                term::to_stderr("no unit of it has logged anything\n");
            }
            next(args, job);
        }
        if ended.is_some() || is_enough {
            return Ok(Exit::Success);
        }
        if let Reader::Gone = term::reader_within(LOOK) {
            return Ok(Exit::Success);
        }
    }
}

/// What a job's units have logged since somebody looked last.
#[derive(Default)]
struct News {
    job: Option<JobSummary>,
    has_changed: bool,
    seen: BTreeSet<(u32, NodeId)>,
    waiting: Vec<UnitLog>,
    shown: usize,
}

impl News {
    /// Looks whether there are more. They are listed by unit and not by time, so that all have to be
    /// asked for; but only when something has happened to the job, and once more after that.
    fn look(&mut self, node: &Found, id: &Prefix<kind::Job>) -> Result<(), ClientError> {
        let client = node.client()?;
        // First: what is over says nothing new afterwards.
        let job = client.job(id)?.summary;
        let has_changed = self.job.as_ref() != Some(&job);
        if has_changed || self.has_changed {
            let (logs, _) = reach::pages(usize::MAX, |page| client.logs(id, page))?;
            let new = |log: &UnitLog| self.seen.insert((log.index, log.provider));
            self.waiting.extend(logs.into_iter().filter(new));
        }
        (self.job, self.has_changed) = (Some(job), has_changed);
        Ok(())
    }

    /// At most so many that were not shown, and whether there are more.
    fn take(&mut self, most: usize) -> (Vec<UnitLog>, bool) {
        let count = most.min(self.waiting.len());
        let logs: Vec<_> = self.waiting.drain(..count).collect();
        self.shown += logs.len();
        (logs, !self.waiting.is_empty())
    }
}

fn print(format: Format, logs: &[UnitLog], more: bool) -> io::Result<Reader> {
    match format {
        Format::Text => term::to_reader(&logs.iter().map(text).collect::<String>()),
        Format::Json => {
            let value = json!({ "logs": logs, "more": more });
            term::to_reader(&foreign::json(&format!("{value:#}\n")))
        }
    }
}

fn text(log: &UnitLog) -> String {
    let (stage, index, who) = (stage_text(log.stage), log.index, log.provider.short());
    let said = foreign::lines(&log.text);
    let end = if said.ends_with('\n') { "" } else { "\n" };
    let more = match log.cut {
        true => format!("{DIM}… there is more of it{PLAIN}\n"),
        false => String::new(),
    };
    format!("{DIM}{stage} {index}, as {who} says{PLAIN}\n{said}{end}{more}")
}

fn next(args: &Args, job: &JobSummary) {
    let commands: &[_] = match job.state {
        JobState::Ended => &[("output", "result")],
        _ => &[("wait", "show --wait"), ("go on", "logs --follow")],
    };
    hint::of_job(args.format, &args.known.at, job.job, commands);
}
