//! Diagnostics for people who look inside: tracing to stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// The environment variable that takes a full filter.
const VARIABLE: &str = "OPENSKY_LOG";

/// Starts logging for this process. `OPENSKY_LOG` wins over `-v`; a second call changes nothing.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .without_time()
        .try_init();
    drop(started);
}
