//! Diagnostics for people who look inside: tracing to stderr.

use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;

use crate::term;

/// The environment variable that takes a full filter.
const VARIABLE: &str = "OPENSKY_LOG";

/// Starts logging for this process. `OPENSKY_LOG` wins over `-v`; a second call changes nothing.
///
/// `is_service` is whether it runs for days: then what it does is logged without being asked for, and
/// when.
pub fn start(verbose: u8, is_service: bool) {
    // The libraries below have much to say that is of no use to whoever runs a job.
    let filter = match verbose {
        0 if is_service => "warn,opensky=info",
        0 => "warn",
        1 => "warn,opensky=info",
        2 => "warn,opensky=debug",
        _ => "debug,opensky=trace",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(asked().unwrap_or_else(|| EnvFilter::new(filter)))
        .with_writer(io::stderr)
        .with_ansi(AutoStream::choice(&io::stderr()) != ColorChoice::Never);
    let started = match is_service {
        true => started.try_init(),
        false => started.without_time().try_init(),
    };
    drop(started);
}

/// The filter that the environment asks for. One that makes no sense is pointed out: whoever set it
/// is waiting for lines that would never come.
fn asked() -> Option<EnvFilter> {
    let text = std::env::var_os(VARIABLE).filter(|text| !text.is_empty())?;
    let text = text.to_string_lossy();
    EnvFilter::try_new(&*text)
        .inspect_err(|error| term::warn(&format!("{VARIABLE} is ignored, `{text}`: {error}")))
        .ok()
}
