//! `cargo xtask setup`: what this machine lacks to build jobs, and nothing else.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    process::Command,
};

use anyhow::bail;

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

/// What something is built with that is in Debian's packages.
#[derive(Debug)]
pub struct Tool {
    /// A command that succeeds where it is there.
    pub test: &'static [&'static str],
    /// The packages that have it.
    pub packages: &'static [&'static str],
}

/// Gets from Debian's packages what `what` built with, where it is not there.
pub fn tools(what: &str, tools: &[Tool], consent: Consent) -> anyhow::Result<()> {
    let is_missing = |tool: &&Tool| {
        let mut test = Command::new(tool.test[0]);
        !run::succeeds(test.args(&tool.test[1..]))
    };
    let missing = tools.iter().filter(is_missing);
    let missing: Vec<_> = missing.flat_map(|tool| tool.packages).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]);
    install.args(&missing);
    let typed = run::shown(&install);
    let question = format!("{what} built with more than this machine has. Run `{typed}`?");
    if !consent.yes && !confirmed(&question)? {
        bail!("{what} built with what this machine lacks; install it with: {typed}");
    }
    if run::run(&mut install).is_ok() {
        return Ok(());
    }
    run::run(Command::new("apt-get").arg("update"))?;
    run::run(&mut install)
}
