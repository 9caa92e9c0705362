//! What is said of a run: lines for people, one JSON object for programs.

use std::{path::Path, time::Duration};

use opensky_executor::Run;
use opensky_protocol::{Class, GuestError, JobReceipt, Receipt, Statement};
use serde_json::{Value, json};

use crate::{
    Exit,
    drive::Done,
    foreign,
    term::{self, BAD, DIM, GOOD, NOTE, PLAIN},
};

/// A wasm page, in bytes.
const PAGE: u64 = 65536;

/// The exit code that goes with a class of outcome.
pub fn exit(class: Class) -> Exit {
    match class {
        Class::Ok => Exit::Success,
        _ => Exit::Failure,
    }
}

/// The report of one unit. The fields are documented in the README and never change their meaning.
pub fn unit_json(run: &Run, receipt: &Receipt, path: &Path) -> Value {
    let said = &receipt.statement;
    json!({
        "kind": "unit",
        "outcome": run.class.name(),
        "exit_code": exit_code(run),
        "error": run.error.as_ref().map(ToString::to_string),
        "detail": run.detail.as_deref().map(without_meter),
        "fuel": said.fuel,
        "unit": said.unit.to_string(),
        "output_digest": said.output.to_string(),
        "output_bytes": said.output_len,
        "transcript": said.transcript.to_string(),
        "calls": said.calls,
        "compare_key": said.compare_key.to_string(),
        "profile": said.profile.id(),
        "memory_pages": run.memory / PAGE,
        "wall_us": micros(run.wall),
        "log": String::from_utf8_lossy(&run.log),
        "receipt": term::path(path),
    })
}

/// The report of a job of many units.
pub fn job_json(job: Option<&JobReceipt>, done: &[Done], wall: Duration, path: &Path) -> Value {
    let class = class(done);
    let failed = done.last().filter(|unit| unit.run.class != Class::Ok);
    json!({
        "kind": "job",
        "outcome": class.name(),
        "error": failed.and_then(|unit| unit.run.error.as_ref()).map(ToString::to_string),
        "detail": failed.and_then(|unit| unit.run.detail.as_deref()).map(without_meter),
        "fuel": fuel(done),
        "job": job.map(|job| job.spec.id().to_string()),
        "units": done.len(),
        "output_digest": job.map(|job| job.output.to_string()),
        "profile": done.last().map(|unit| unit.receipt.statement.profile.id().to_owned()),
        "memory_pages": peak(done) / PAGE,
        "wall_us": micros(wall),
        "log": done.iter().map(|unit| String::from_utf8_lossy(&unit.run.log)).collect::<String>(),
        "receipt": term::path(path),
    })
}

/// The report of one unit for people.
pub fn unit_text(run: &Run, receipt: &Receipt, path: &Path) -> String {
    let said = &receipt.statement;
    let mut rows = vec![
        ("outcome", outcome_text(run)),
        ("fuel", fuel_text(said, said.fuel, run.wall)),
        (
            "output",
            format!(
                "{} {DIM}{}{PLAIN}",
                term::size(said.output_len),
                said.output
            ),
        ),
        ("memory", term::size(run.memory)),
        ("host calls", said.calls.to_string()),
    ];
    rows.extend(receipt_rows(path));
    term::columns(rows)
}

/// The report of a job of many units for people.
pub fn job_text(done: &[Done], output: Option<usize>, wall: Duration, path: &Path) -> String {
    let last = done.last().expect("a job has a unit");
    let mut rows = vec![
        ("outcome", outcome_text(&last.run)),
        ("units", done.len().to_string()),
        ("fuel", fuel_text(&last.receipt.statement, fuel(done), wall)),
    ];
    if let Some(len) = output {
        rows.push(("output", term::size(len as u64)));
    }
    rows.push((
        "memory",
        format!("{} at most in one unit", term::size(peak(done))),
    ));
    rows.extend(receipt_rows(path));
    term::columns(rows)
}

fn receipt_rows(path: &Path) -> [(&'static str, String); 2] {
    let typed = term::typed(path);
    [
        ("receipt", path.display().to_string()),
        ("check it", format!("{NOTE}opensky verify {typed}{PLAIN}")),
    ]
}

/// One unit's log, where it is one of many: without what it says for debugging, unless the person
/// asked for detail (`-vv`). The JSON report has all of it.
pub fn log_of_many(log: &[u8]) -> String {
    let detail = tracing::enabled!(tracing::Level::DEBUG);
    let log = String::from_utf8_lossy(log);
    let lines = log.split_inclusive('\n');
    let kept: String = lines
        .filter(|line| detail || !line.starts_with("debug: "))
        .collect();
    foreign::lines(&kept)
}

/// The class of a job's outcome: that of its last unit.
pub fn class(done: &[Done]) -> Class {
    done.last().map_or(Class::Ok, |unit| unit.run.class)
}

fn fuel(done: &[Done]) -> u64 {
    done.iter().fold(0, |sum, unit| {
        sum.saturating_add(unit.receipt.statement.fuel)
    })
}

fn peak(done: &[Done]) -> u64 {
    done.iter().map(|unit| unit.run.memory).max().unwrap_or(0)
}

fn micros(wall: Duration) -> u64 {
    u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
}

/// The whole exit code of a command; a job that failed by its own word has none.
fn exit_code(run: &Run) -> Option<u8> {
    match (run.class, &run.error) {
        (Class::Ok, _) => Some(0),
        (_, Some(GuestError::Exit(code))) => Some(*code),
        _ => None,
    }
}

fn outcome_text(run: &Run) -> String {
    outcome(run.class, run.error.as_ref(), run.detail.as_deref())
}

/// What a program did, and its own words or what the engine says of that.
pub fn outcome(class: Class, error: Option<&GuestError>, detail: Option<&str>) -> String {
    let name = class.name();
    let why = match (error, detail) {
        (Some(error), _) => format!(": {}", first_paragraph(&error.to_string())),
        (None, Some(detail)) => format!(": {}", first_paragraph(&without_meter(detail))),
        (None, None) => String::new(),
    };
    match class {
        Class::Ok => format!("{GOOD}{name}{PLAIN}"),
        Class::OutOfFuel => {
            format!(
                "{BAD}{name}{PLAIN}: the unit needs more than its limit; give it more with --fuel"
            )
        }
        _ => format!("{BAD}{name}{PLAIN}{why}"),
    }
}

/// What the engine says of a trap, without the functions of the meter: they were put into the program,
/// and nobody would look for a fault there. The others are numbered anew.
fn without_meter(detail: &str) -> String {
    let (trace, rest) = detail.split_once("\n\n").unwrap_or((detail, ""));
    let mut number = 0;
    let mut text = String::with_capacity(detail.len());
    for line in trace.lines() {
        let Some(function) = frame(line) else {
            text.push_str(&format!("{line}\n"));
            continue;
        };
        let module = function.split_once('!').map(|(module, _)| module);
        if module != Some(opensky_meter::METER) {
            text.push_str(&format!("  {number:>3}: {function}\n"));
            number += 1;
        }
    }
    text.push_str(&format!("\n{rest}"));
    text.trim_end().to_owned()
}

/// The function in a line of a backtrace: `    0: module!function`.
fn frame(line: &str) -> Option<&str> {
    let (number, function) = line.strip_prefix("  ")?.trim_start().split_once(": ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(function)
}

fn first_paragraph(detail: &str) -> String {
    const LINES: usize = 14;
    foreign::message(detail)
        .trim_end()
        .lines()
        .take(LINES)
        .collect::<Vec<_>>()
        .join("\n              ")
}

/// What it cost and how long it took. Where the last unit was charged its whole limit, a rate would
/// mean nothing.
fn fuel_text(last: &Statement, fuel: u64, wall: Duration) -> String {
    let note = match last.profile.counts(last.class) {
        true => {
            let rate = fuel as f64 / wall.as_secs_f64().max(1e-9);
            format!("{:.0} Mfuel/s", rate / 1e6)
        }
        false => format!("after `{}` a unit costs its whole limit", last.class),
    };
    format!("{} in {wall:.2?} {DIM}({note}){PLAIN}", group(fuel))
}

/// Digits in groups of three, for reading.
pub fn group(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_lines_of_many_units_are_left_out() {
        let log = b"debug: 1\ninfo: 2\n  debug: 3\nlast";
        assert_eq!(log_of_many(log), "info: 2\n  debug: 3\nlast");
    }

    #[test]
    fn frames_of_the_meter_are_left_out() {
        let trace = "error while executing at wasm backtrace:\n    0: opensky:meter!panic\n    \
                     1: app!f\n    2: <unknown>!run\n\nCaused by:\n    0: opensky:meter!panic";
        let shown = "error while executing at wasm backtrace:\n    0: app!f\n    \
                     1: <unknown>!run\n\nCaused by:\n    0: opensky:meter!panic";
        assert_eq!(without_meter(trace), shown);
        let other = "the depth of calls: over a limit";
        assert_eq!(without_meter(other), other);
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(group(0), "0");
        assert_eq!(group(1234567), "1 234 567");
        assert_eq!(group(123456), "123 456");
    }
}
