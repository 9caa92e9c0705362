//! `cargo xtask setup`: what this machine lacks to build jobs, and nothing else.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    process::Command,
};

use crate::{binary, run, stages::Stages};

/// Get what is missing on this machine to build jobs.
///
/// Builds `opensky`, then has it look for a Rust compiler for wasm32-wasip2 and get one where there
/// is none. All other commands do this by themselves.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// Whether system packages may be installed without asking.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Consent {
    /// Install what is missing without asking.
    #[arg(long)]
    pub yes: bool,
}

/// Does the set-up.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    let opensky = stages.step("build opensky", binary::build)?;
    stages.run("set up", &mut doctor(&opensky, args.consent))?;
    stages.summary();
    Ok(())
}

/// The command that mends this machine; on one that lacks nothing it only looks.
pub fn doctor(opensky: &Path, consent: Consent) -> Command {
    let mut command = Command::new(opensky);
    command.args(["doctor", "--fix"]).current_dir(run::root());
    if consent.yes {
        command.arg("--yes");
    }
    command
}

/// Asks where there is a terminal; elsewhere the answer is yes.
pub fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    write!(std::io::stderr(), "{question} [Y/n] ")?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(read > 0 && matches!(answer.as_str(), "" | "y" | "yes"))
}
