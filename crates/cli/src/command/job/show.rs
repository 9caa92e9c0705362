//! `opensky job show`: one job, as it is or until it ends.

use opensky_api::{Amount, EndingKind, Job, JobState, Prefix, Time, kind};

use super::{Known, run::left};
use crate::{
    Exit, foreign,
    remote::{
        board::world_text,
        ending,
        follow::{self, Followed, Show},
        hint, moment, reach,
    },
    report::group,
    signals::Signals,
    term::{self, DIM, Format, NOTE, PLAIN},
};

/// Show a job
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    known: Known,
    /// Watch it until it ends. Ctrl-C stops watching: the job goes on.
    #[arg(long)]
    wait: bool,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let (format, at) = (args.format, &args.known.at);
    let node = at.find()?;
    let look = |job: &Prefix<kind::Job>| node.client()?.job(job);
    let mut job = look(&args.known.job).map_err(reach::problem)?;
    if args.wait && job.summary.state != JobState::Ended {
        let (id, signals) = (job.summary.job, Signals::interrupt()?);
        match follow::follow(&node, (id, ""), Show::of(format), &signals)? {
            Followed::Left(then) => return Ok(left(id, &then, format, at)),
            // What the ledger holds for it is another than before.
            Followed::Ended(_) => job = look(&id.into()).map_err(reach::problem)?,
        }
    }
    match format {
        Format::Json => term::json_to_stdout(&serde_json::to_value(&job)?)?,
        Format::Text => term::to_stdout(&text(&job))?,
    }
    let kind = job.summary.ending.as_ref().map(|ending| ending.kind);
    let commands: &[_] = match kind {
        Some(EndingKind::Result(_)) => &[("output", "result"), ("receipt", "receipt")],
        Some(_) => &[("why", "why")],
        None => &[
            ("wait", "show --wait"),
            ("why", "why"),
            ("end it", "cancel"),
        ],
    };
    hint::of_job(format, at, job.summary.job, commands);
    Ok(Exit::Success)
}

/// What is set aside for it, or came back.
fn held(job: &Job, now: Time) -> (&'static str, String) {
    let Some(held) = &job.held else {
        return ("set aside", job.summary.escrow.to_string());
    };
    if held.amount == Amount(0) {
        return ("came back", held.returned.to_string());
    }
    let Some(back) = held.back else {
        return ("set aside", held.amount.to_string());
    };
    let (amount, when) = (held.amount, moment::from_now(back, now));
    let why = match held.claimed {
        0 => "until then providers can claim".into(),
        units => format!(
            "at the latest: {} claimed by evidence",
            term::count(units.into(), "unit")
        ),
    };
    ("comes back", format!("{amount}, {when}{DIM}: {why}{PLAIN}"))
}

fn text(job: &Job) -> String {
    let now = moment::now();
    let summary = &job.summary;
    let state = match &summary.ending {
        Some(ending) => ending::sentence(ending, None),
        None => ending::state(summary),
    };
    let mut rows = vec![
        ("job", format!("{NOTE}{}{PLAIN}", summary.job)),
        ("state", state),
    ];
    let name = summary.name.as_deref();
    let name = name.map(|name| format!("{} ", foreign::name(name)));
    let failed = summary.ending.as_ref();
    rows.extend(failed.and_then(|ending| ending::place(summary, ending)));
    rows.extend([
        (
            "program",
            format!(
                "{}{} {DIM}{}{PLAIN}",
                name.unwrap_or_default(),
                summary.program,
                world_text(job.spec.world)
            ),
        ),
        (
            "units",
            format!("{} of {} agreed", summary.units_done, summary.units),
        ),
        ("submitted", moment::from_now(summary.submitted, now)),
    ]);
    let readers = "only who runs it can read what it is about, and whoever has its key";
    rows.extend(summary.encrypted.then(|| ("encrypted", readers.into())));
    match summary.ended {
        Some(ended) => rows.push(("ended", moment::from_now(ended, now))),
        None => rows.push(("deadline", moment::from_now(summary.deadline, now))),
    }
    rows.extend([
        ("fuel", group(summary.fuel.0)),
        ("price", summary.price.to_string()),
        held(job, now),
    ]);
    rows.extend(summary.verified.map(|agreed| {
        let of = summary.verified_of.unwrap_or(agreed);
        let agree = format!("{agreed}/{of} agree on the result that fewest agree on");
        ("verified", agree)
    }));
    let wrong = summary.wrong.as_ref();
    rows.extend(wrong.map(|wrong| ("wrong", ending::wrong_results(wrong))));
    term::columns(rows)
}
