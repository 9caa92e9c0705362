//! Jobs: listed, looked at, explained, ended, and what came of them.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use opensky_api::{Code, Cursor, Job, JobId, NodeId, Page, UnitLog, Why};
use opensky_core::{Ending, JobState, JobView, Submission, UnitView};
use opensky_node::{LedgerAway, Log};
use opensky_protocol::Digest;
use tokio::time::timeout;

use crate::{
    answer::{Answer, Fault, Named, Paged, fill, json, no_place},
    desk::Desk,
    names::{self, Names},
    refusal, show,
};

/// How long the ledger may take to say what it holds for a job.
const LEDGER: Duration = Duration::from_secs(1);

/// `GET /v1/jobs`.
pub(crate) async fn list(State(desk): State<Desk>, page: Paged) -> Answer {
    let mut jobs = names::jobs(&desk).await?;
    // The newest first; ids tell those of one moment apart.
    jobs.sort_by_key(place);
    let start = match &page.after {
        None => 0,
        Some(after) => {
            let after = read_place(after).ok_or_else(no_place)?;
            jobs.partition_point(|job| place(job) <= after)
        }
    };
    let called = Names::now(&desk);
    let mut items = Vec::new();
    let mut last = None;
    for job in &jobs[start..] {
        if items.len() == page.entries {
            break;
        }
        last = Some(place(job));
        // A job that is forgotten between two looks is left out.
        if let Some(order) = desk.node.submission(job.id).await {
            items.push(show::summary(job, &order, &called));
        }
    }
    let is_end = start + page.entries >= jobs.len();
    let next = last.filter(|_| !is_end).and_then(write_place);
    Ok(json(&Page { items, next }))
}

type Place = (Reverse<u64>, Digest);

fn place(job: &JobView) -> Place {
    (Reverse(job.created.0), job.id)
}

fn write_place((Reverse(created), id): Place) -> Option<Cursor> {
    Cursor::new(format!("{created}-{id}"))
}

fn read_place(text: &str) -> Option<Place> {
    let (created, id) = text.split_once('-')?;
    Some((Reverse(created.parse().ok()?), id.parse().ok()?))
}

/// The job whose id begins so, and what was asked for.
pub(crate) async fn find(desk: &Desk, text: &str) -> Result<(JobView, Submission), Fault> {
    let job = names::job(desk, text).await?;
    let order = desk.node.submission(job.id).await;
    Ok((job, order.ok_or_else(refusal::ended)?))
}

/// `GET /v1/jobs/{job}`.
pub(crate) async fn one(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, order) = find(&desk, &job).await?;
    // A ledger that is away keeps nobody from looking at the job.
    let held = timeout(LEDGER, desk.node.held(job.id)).await;
    let held = held.ok().and_then(Result::ok).flatten();
    Ok(json(&Job {
        summary: show::summary(&job, &order, &Names::now(&desk)),
        spec: show::spec(&order),
        held: held.as_ref().map(show::held),
    }))
}

/// `POST /v1/jobs/{job}/cancel`.
pub(crate) async fn cancel(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, _) = find(&desk, &job).await?;
    if let JobState::Over(ending) = &job.state {
        let short = JobId::new(job.id).short();
        return Err(Fault::new(
            Code::TooLate,
            format!("the job {short} has ended already: {ending}"),
        ));
    }
    desk.node.cancel(job.id).await;
    let (job, order) = find(&desk, &JobId::new(job.id).to_string()).await?;
    Ok(json(&show::summary(&job, &order, &Names::now(&desk))))
}

/// `GET /v1/jobs/{job}/why`.
pub(crate) async fn why(State(desk): State<Desk>, Named(job): Named, page: Paged) -> Answer {
    let (job, order) = find(&desk, &job).await?;
    let why = desk.node.why(job.id).await.ok_or_else(refusal::ended)?;
    let units = desk.node.units(job.id).await.ok_or_else(refusal::ended)?;
    let start = match &page.after {
        None => 0,
        Some(after) => after.parse().map_err(|_| no_place())?,
    };
    let over = show::Over::from(&job);
    let away = match over {
        show::Over::Yes => None,
        show::Over::No => ledger_away(&desk, job.id).await,
    };
    let mut sentence = sentence(&job, &why, &units);
    if let Some(away) = away {
        sentence = format!("{away}; {sentence}");
    }
    let wanted = units.iter().filter(|unit| unit.index >= start);
    let shown = wanted.map(|unit| {
        let mut shown = show::unit(unit, &order, over);
        show::silence(&mut shown, &why);
        (unit.index, shown)
    });
    let after = |last: u32| Cursor::new((u64::from(last) + 1).to_string());
    Ok(json(&Why {
        job: JobId::new(job.id),
        sentence,
        waiting: show::count(why.waiting),
        left: opensky_api::Amount(why.money.0),
        turn_price: opensky_api::Amount(why.money.1),
        fit: show::count(fit(&why)),
        needs: show::needs(&why.nodes),
        nodes: show::passed(&why),
        units: fill(page.entries, shown, after),
    }))
}

/// What keeps the ledger from answering, if something does: nothing of a job is paid then.
async fn ledger_away(desk: &Desk, job: Digest) -> Option<String> {
    match timeout(LEDGER, desk.node.held(job)).await {
        Ok(answer) => answer.err().map(|away| away.to_string()),
        Err(_) => Some(LedgerAway::Slow(LEDGER.as_secs()).to_string()),
    }
}

/// Nodes that nothing keeps from taking a unit.
fn fit(why: &opensky_core::Why) -> usize {
    let fit = why.nodes.iter().filter(|node| node.unfit.is_none());
    fit.count()
}

/// Of a unit that waits for one more operator, or has waited in vain: how far it has come, if it has.
fn short_of(unit: Option<&UnitView>) -> Option<String> {
    let unit = unit.filter(|unit| unit.promised > 0)?;
    let (index, has, wanted) = (unit.index, unit.promised, unit.wanted);
    (has < wanted.into()).then(|| format!("unit {index} has {has} of {wanted} results"))
}

/// That turns are with nodes that do not answer.
fn silent(job: &JobView, why: &opensky_core::Why) -> String {
    let longest = why.silent.iter().map(|turn| turn.seconds).max();
    let longest = longest.unwrap_or_default();
    match &why.silent[..] {
        [one] => {
            let (index, node) = (one.index, NodeId::from(one.node).short());
            format!("unit {index} is with {node}, which has not answered for {longest} s")
        }
        all => format!(
            "{} of {} turns are with nodes that do not answer, one of them for {longest} s",
            all.len(),
            job.running
        ),
    }
}

/// How many machines failed at that unit in that way: each is another operator's.
fn failed_alike(units: &[UnitView], index: u32, reason: &str) -> usize {
    let unit = units.iter().find(|unit| unit.index == index);
    let states = unit.into_iter().flat_map(|unit| &unit.seats);
    let failed = states.filter_map(|seat| seat.state.strip_prefix("failed: "));
    failed.filter(|why| *why == reason).count()
}

/// Why a job is where it is, in one sentence.
fn sentence(job: &JobView, why: &opensky_core::Why, units: &[UnitView]) -> String {
    let (fit, all) = (fit(why), why.nodes.len());
    let waiting = units.iter().find(|unit| why.unit == Some(unit.index));
    match &job.state {
        JobState::Over(ending @ Ending::Deadline) => {
            match units.iter().find_map(|unit| short_of(Some(unit))) {
                Some(short) => format!("the job has ended: {ending}; {short}"),
                None => format!("the job has ended: {ending}"),
            }
        }
        JobState::Over(ending @ Ending::Unrunnable { index, reason }) => {
            match failed_alike(units, *index, reason) {
                0 => format!("the job has ended: {ending}"),
                hosts => format!("the job has ended: {ending}, on machines of {hosts} operators"),
            }
        }
        JobState::Over(ending) => format!("the job has ended: {ending}"),
        JobState::Winding(ending) => {
            format!(
                "the job ends ({ending}) as soon as what providers have promised is shown and paid"
            )
        }
        JobState::Collecting => "all units have a result, and the outputs are on their way".into(),
        JobState::Funding => "the ledger has not yet set the money aside".into(),
        JobState::Running if why.waiting == 0 && !why.silent.is_empty() => silent(job, why),
        JobState::Running if why.waiting == 0 => {
            format!(
                "{} turns are being run, and no unit waits for a provider",
                job.running
            )
        }
        JobState::Running if all == 0 => "no provider is known".into(),
        JobState::Running if why.money.0 < why.money.1 => {
            "what is left of the money does not pay for one more provider".into()
        }
        JobState::Running if fit == 0 => {
            let need = match show::needs(&why.nodes).first() {
                Some(need) => show::need_text(need),
                None => "no provider is free".into(),
            };
            let need = match short_of(waiting) {
                Some(short) => format!("{short}, and waits for another operator; {need}"),
                None => need,
            };
            match why.silent.is_empty() {
                true => need,
                false => format!("{}; {need}", silent(job, why)),
            }
        }
        JobState::Running => {
            format!(
                "{} units wait, and {fit} of {all} nodes can take one",
                why.waiting
            )
        }
    }
}

/// `GET /v1/jobs/{job}/logs`.
pub(crate) async fn logs(State(desk): State<Desk>, Named(job): Named, page: Paged) -> Answer {
    let (job, order) = find(&desk, &job).await?;
    let units = desk.node.units(job.id).await.ok_or_else(refusal::ended)?;
    let logs = desk.node.logs(job.id).await.map_err(refusal::of_receipt)?;
    // Only what those say who had that turn.
    let places: BTreeMap<_, _> = units.iter().map(|unit| (unit.unit, unit)).collect();
    let mut placed: Vec<((u32, u32), Log)> = logs
        .into_iter()
        .filter(|log| !log.text.is_empty())
        .filter_map(|log| {
            let unit = places.get(&log.turn.unit)?;
            let seat = unit.seats.get(log.turn.attempt as usize)?;
            (seat.node == log.provider).then_some(((unit.index, log.turn.attempt), log))
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    let start = match &page.after {
        None => 0,
        Some(after) => {
            let after = read_turn(after).ok_or_else(no_place)?;
            placed.partition_point(|(place, _)| *place <= after)
        }
    };
    let shown = placed[start..].iter().map(|((index, attempt), log)| {
        let text = UnitLog {
            index: *index,
            stage: show::stage(&order.plan, *index),
            provider: log.provider.into(),
            text: String::from_utf8_lossy(&log.text).into_owned(),
            cut: log.logged > log.text.len() as u64,
        };
        ((index, attempt), text)
    });
    let after = |(index, attempt)| Cursor::new(format!("{index}-{attempt}"));
    Ok(json(&fill(page.entries, shown, after)))
}

fn read_turn(text: &str) -> Option<(u32, u32)> {
    let (index, attempt) = text.split_once('-')?;
    Some((index.parse().ok()?, attempt.parse().ok()?))
}

/// That a job has not ended.
pub(crate) fn not_yet(job: &JobView) -> Fault {
    let short = JobId::new(job.id).short();
    Fault::new(Code::NotYet, format!("the job {short} has not ended")).help(format!(
        "wait for it, or see why with `opensky job why {short}`"
    ))
}

/// `GET /v1/jobs/{job}/receipt`.
pub(crate) async fn receipt(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, _) = find(&desk, &job).await?;
    if !matches!(job.state, JobState::Over(_)) {
        return Err(not_yet(&job));
    }
    let bytes = desk
        .node
        .receipt(job.id)
        .await
        .map_err(refusal::of_receipt)?;
    let media = HeaderValue::from_static("application/vnd.opensky.receipt");
    Ok(([(header::CONTENT_TYPE, media)], bytes).into_response())
}
