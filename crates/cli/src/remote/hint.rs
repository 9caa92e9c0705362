//! What can be typed next: commands that talk to the same node, told to people only.

use opensky_api::JobId;

use super::reach::At;
use crate::term::{self, Format, NOTE, PLAIN};

/// A command as it is typed: `opensky job list --node DIR`.
pub fn command(at: &At, command: &str) -> String {
    format!("opensky {command}{}", at.typed())
}

/// Says what can be typed next, each with a label.
pub fn next<C: AsRef<str>>(format: Format, at: &At, commands: &[(&str, C)]) {
    if format == Format::Text {
        let rows = commands.iter().map(|(label, typed)| {
            let typed = command(at, typed.as_ref());
            (*label, format!("{NOTE}{typed}{PLAIN}"))
        });
        term::to_stderr(&term::columns(rows));
    }
}

/// The same with commands about a job: `opensky job show j-… --node DIR`.
pub fn of_job(format: Format, at: &At, job: JobId, commands: &[(&'static str, &str)]) {
    let of_it = |(label, command): &(&'static str, &str)| {
        (*label, format!("job {command} {}", job.short()))
    };
    let commands: Vec<_> = commands.iter().map(of_it).collect();
    next(format, at, &commands);
}
