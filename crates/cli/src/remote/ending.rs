//! How a job ended: in a word, in lines for people, as JSON, and as an exit code.

use std::path::Path;

use opensky_api::{
    Class, Ending, EndingKind, JobId, JobResult, JobState, JobSummary, ReceiptId, Replicas, Wrong,
};
use serde_json::{Value, json};

use super::{
    board::{class_text, state_text},
    hint,
    reach::At,
};
use crate::{
    Exit, foreign,
    report::{self, group},
    term::{self, BAD, DIM, GOOD, NOTE, PLAIN, WARN},
};

/// The exit code that goes with an ending: a guest's result is as it is for `opensky run`.
pub fn exit(ending: &Ending) -> Exit {
    match ending.kind {
        EndingKind::Result(Class::Ok) => Exit::Success,
        EndingKind::Result(_) => Exit::Failure,
        _ => Exit::NoResult,
    }
}

/// How far a job is, or how it ended, in a few words.
pub fn state(job: &JobSummary) -> String {
    match (&job.ending, job.state) {
        (None, state) => state_text(state).into(),
        (Some(ending), JobState::Ended) => word(ending),
        (Some(ending), state) => format!("{}, {}", word(ending), state_text(state)),
    }
}

fn word(ending: &Ending) -> String {
    let style = match exit(ending) {
        Exit::Success => GOOD,
        _ => BAD,
    };
    format!("{style}{}{PLAIN}", name(ending.kind))
}

fn name(kind: EndingKind) -> &'static str {
    match kind {
        EndingKind::Result(class) => class_text(class),
        EndingKind::Unrunnable => "cannot be run",
        EndingKind::Undecided => "undecided",
        EndingKind::Stuck => "cannot go on",
        EndingKind::Tainted => "made of wrong results",
        EndingKind::Cancelled => "cancelled",
        EndingKind::Expired => "too late",
        EndingKind::Unfunded => "no money",
        EndingKind::OverBudget => "too expensive",
    }
}

/// How a job ended, with the reason; of a program's result also in its own words, or of those who ran it, if
/// there are some.
pub fn sentence(ending: &Ending, result: Option<&JobResult>) -> String {
    match (ending.kind, &ending.detail) {
        (EndingKind::Result(class), _) => {
            let error = result.and_then(|result| result.error.clone());
            let why = result.and_then(|result| result.why.as_deref());
            report::outcome(class.into(), error.map(Into::into).as_ref(), why)
        }
        (kind, Some(detail)) if detail != name(kind) => {
            format!("{}: {}", word(ending), foreign::message(detail))
        }
        _ => word(ending),
    }
}

/// Whether a program came to a result that is its failure.
pub fn has_failed(ending: &Ending) -> bool {
    exit(ending) == Exit::Failure
}

/// What is said after a job: how it ended, what to type next, and the line with the figures.
/// `check` says how to check the receipt, if that was saved.
pub fn text(
    job: &JobSummary,
    result: Option<&JobResult>,
    check: Vec<(&'static str, String)>,
    at: &At,
) -> String {
    let mut rows = Vec::new();
    if let Some(ending) = &job.ending {
        rows.push(("outcome", sentence(ending, result)));
        rows.extend(place(job, ending));
    }
    rows.extend(wrong(job, at));
    let parts = result.map_or(&[][..], |result| &result.parts);
    if !parts.is_empty() {
        let len = parts.iter().map(|part| part.len.value()).sum();
        let shown = match parts {
            [one] => one.digest.to_string(),
            all => format!("in {} parts", all.len()),
        };
        rows.push(("output", format!("{} {DIM}{shown}{PLAIN}", term::size(len))));
    }
    let id = result.and_then(|result| result.receipt);
    if job.ending.as_ref().is_some_and(has_failed) {
        rows.push(("logs", of_job(job, "logs", at)));
    }
    match check.is_empty() {
        true => rows.push(next(job, id, at)),
        false => rows.extend(check),
    }
    format!("{}  {}\n", term::columns(rows), figures(job, id))
}

/// Where a program failed of which many units were run.
pub fn place(job: &JobSummary, ending: &Ending) -> Option<(&'static str, String)> {
    let detail = ending.detail.as_ref();
    let detail = detail.filter(|_| has_failed(ending) && job.units > 1);
    detail.map(|detail| ("where", foreign::message(detail)))
}

/// The results that were wrong, whose they were, and how to know more.
fn wrong(job: &JobSummary, at: &At) -> Option<(&'static str, String)> {
    let results = wrong_results(job.wrong.as_ref()?);
    Some(("wrong", format!("{results}: {}", of_job(job, "why", at))))
}

/// As in `1 of 3 results, from p-040g208104`.
pub fn wrong_results(wrong: &Wrong) -> String {
    let providers: Vec<_> = wrong.providers.iter().map(|node| node.short()).collect();
    let (results, of) = (wrong.results, term::count(wrong.of.into(), "result"));
    format!(
        "{WARN}{results} of {of}{PLAIN}, from {}",
        providers.join(" ")
    )
}

fn of_job(job: &JobSummary, command: &str, at: &At) -> String {
    let command = format!("job {command} {}", job.job.short());
    format!("{NOTE}{}{PLAIN}", hint::command(at, &command))
}

/// The command that makes sense now.
fn next(job: &JobSummary, receipt: Option<ReceiptId>, at: &At) -> (&'static str, String) {
    match receipt {
        Some(_) => ("check it", of_job(job, "receipt", at)),
        None => ("why", of_job(job, "why", at)),
    }
}

/// The line with the figures: fuel, price, how many agree of how many that were asked, and the receipt. Of
/// a job that ended without a result nothing is verified, whatever became of its units.
pub fn figures(job: &JobSummary, receipt: Option<ReceiptId>) -> String {
    let mut parts = vec![
        format!("fuel {}", group(job.fuel.0)),
        format!("Gfuel {:.3}", job.fuel.0 as f64 / 1e9),
        format!("price {}", job.price.rounded()),
    ];
    let has_result = |ending: &Ending| exit(ending) != Exit::NoResult;
    let verified = job
        .verified
        .filter(|_| job.ending.as_ref().is_none_or(has_result));
    let by_choice = match job.replicas {
        Replicas::Auto => " (auto)",
        Replicas::Exactly(_) => "",
    };
    parts.extend(verified.map(|agreed| {
        let of = job.verified_of.unwrap_or(agreed);
        format!("verified {agreed}/{of}{by_choice}")
    }));
    parts.extend(receipt.map(|receipt| format!("receipt {}", receipt.short())));
    parts.join(" · ")
}

/// The same for programs.
pub fn json(job: &JobSummary, result: Option<&JobResult>, receipt: Option<&Path>) -> Value {
    json!({
        "kind": "network-job",
        "job": job,
        "result": result,
        "receipt": receipt.map(term::path),
    })
}

/// The same of a job that nobody waits for any longer: as it was then, if that is known.
pub fn left(job: JobId, then: Option<&JobSummary>) -> Value {
    match then {
        Some(then) => json(then, None, None),
        None => json!({
            "kind": "network-job",
            "job": { "job": job },
            "result": null,
            "receipt": null,
        }),
    }
}

/// The same where it is not known whether there is a job.
pub fn unknown() -> Value {
    json!({
        "kind": "network-job",
        "job": null,
        "result": null,
        "receipt": null,
    })
}

#[cfg(test)]
mod tests {
    use opensky_protocol::Digest;

    use super::*;
    use crate::remote::samples;

    fn ended(kind: EndingKind, detail: Option<&str>) -> JobSummary {
        let mut job = samples::job(JobState::Ended);
        job.ending = Some(Ending {
            kind,
            detail: detail.map(str::to_owned),
        });
        job
    }

    #[test]
    fn last_line_has_the_figures() {
        let mut job = ended(EndingKind::Result(Class::Ok), None);
        (job.verified, job.verified_of) = (Some(2), Some(2));
        let result = JobResult {
            job: job.job,
            ending: job.ending.clone().expect("it has ended"),
            error: None,
            why: None,
            parts: Vec::new(),
            others: Vec::new(),
            receipt: Some(ReceiptId::new(Digest([9; 32]))),
        };
        expect_test::expect![[r#"
            |   outcome   ok
            |   check it  opensky job receipt j-040g208104
            |   fuel 123 456 789 · Gfuel 0.123 · price 1.5 µSKY · verified 2/2 · receipt r-144gj28914
        "#]]
        .assert_eq(&samples::screen(&text(&job, Some(&result), Vec::new(), &At::default())));
        let check = vec![("check it", "opensky verify a.receipt".into())];
        let shown = samples::plain(&text(&job, Some(&result), check, &At::default()));
        assert!(
            shown.contains("check it  opensky verify a.receipt\n"),
            "{shown}"
        );
        assert!(!shown.contains("job receipt"), "{shown}");
        (job.verified, job.verified_of) = (Some(1), Some(1));
        job.replicas = Replicas::Auto;
        let shown = figures(&job, None);
        assert!(shown.ends_with("verified 1/1 (auto)"), "{shown}");
    }

    #[test]
    fn who_did_not_agree_is_counted_and_whoever_was_wrong_is_named() {
        let mut job = ended(EndingKind::Result(Class::Ok), None);
        (job.verified, job.verified_of) = (Some(2), Some(3));
        job.wrong = Some(Wrong {
            results: 1,
            of: 3,
            providers: vec![samples::node(2)],
        });
        expect_test::expect![[r#"
            |   outcome  ok
            |   wrong    1 of 3 results, from p-081040g208: opensky job why j-040g208104
            |   why      opensky job why j-040g208104
            |   fuel 123 456 789 · Gfuel 0.123 · price 1.5 µSKY · verified 2/3
        "#]]
        .assert_eq(&samples::screen(&text(
            &job,
            None,
            Vec::new(),
            &At::default(),
        )));
    }

    #[test]
    fn nothing_is_verified_of_a_job_without_a_result() {
        let mut job = ended(EndingKind::Expired, Some("the deadline came first"));
        (job.verified, job.verified_of) = (Some(3), Some(3));
        let shown = figures(&job, None);
        assert!(!shown.contains("verified"), "{shown}");
        job.ending = None;
        assert!(figures(&job, None).ends_with("verified 3/3"));
    }

    #[test]
    fn program_that_failed_is_quoted_as_it_is_by_a_run_here() {
        let mut job = ended(
            EndingKind::Result(Class::Err),
            Some("unit 0 ended with err"),
        );
        job.units = 1;
        let result = JobResult {
            job: job.job,
            ending: job.ending.clone().expect("it has ended"),
            error: Some(opensky_api::GuestError::InvalidInput(
                "no name\u{1b}[2J".into(),
            )),
            why: None,
            parts: Vec::new(),
            others: Vec::new(),
            receipt: None,
        };
        let shown = samples::screen(&text(&job, Some(&result), Vec::new(), &At::default()));
        expect_test::expect![[r#"
            |   outcome  err: invalid input: no name\u{1b}[2J
            |   logs     opensky job logs j-040g208104
            |   why      opensky job why j-040g208104
            |   fuel 123 456 789 · Gfuel 0.123 · price 1.5 µSKY
        "#]]
        .assert_eq(&shown);
        // Where it was is told of those of which there are many.
        job.units = 2;
        let shown = samples::plain(&text(&job, Some(&result), Vec::new(), &At::default()));
        assert!(shown.contains("unit 0 ended with err\n"), "{shown}");
    }

    #[test]
    fn job_without_a_result_says_why_and_how_to_know_more() {
        let at = At {
            node: Some("x".into()),
        };
        let job = ended(
            EndingKind::Unrunnable,
            Some("two machines ran out of memory"),
        );
        expect_test::expect![[r#"
            |   outcome  cannot be run: two machines ran out of memory
            |   why      opensky job why j-040g208104 --node x
            |   fuel 123 456 789 · Gfuel 0.123 · price 1.5 µSKY
        "#]]
        .assert_eq(&samples::screen(&text(&job, None, Vec::new(), &at)));
    }

    #[test]
    fn every_ending_has_its_exit_code() {
        let exit = |kind| exit(&Ending { kind, detail: None });
        assert_eq!(exit(EndingKind::Result(Class::Ok)), Exit::Success);
        for class in [
            Class::Err,
            Class::OutOfFuel,
            Class::Panic,
            Class::Trap,
            Class::Limit,
        ] {
            assert_eq!(exit(EndingKind::Result(class)), Exit::Failure);
        }
        for kind in [
            EndingKind::Unrunnable,
            EndingKind::Undecided,
            EndingKind::Stuck,
            EndingKind::Tainted,
            EndingKind::Cancelled,
            EndingKind::Expired,
            EndingKind::Unfunded,
            EndingKind::OverBudget,
        ] {
            assert_eq!(exit(kind), Exit::NoResult);
        }
    }
}
