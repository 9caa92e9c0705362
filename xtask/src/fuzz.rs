//! `cargo xtask fuzz`: made-up input for what reads strangers' bytes.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::Command,
};

use anyhow::{Context as _, bail};
use cargo_metadata::{MetadataCommand, TargetKind};

use crate::{run, setup::Consent, stages::Stages};

/// Feed made-up bytes to what reads strangers' bytes.
///
/// Runs each target of fuzz/ for a minute, or the named one. Needs cargo-fuzz, which it offers to
/// install. A crash leaves its input under fuzz/artifacts/.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this target.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    #[command(flatten)]
    consent: Consent,
}

/// Fuzzes.
pub fn run(args: Args) -> anyhow::Result<()> {
    let targets = chosen(targets()?, args.target.as_deref())?;
    cargo_fuzz(args.consent)?;
    let mut stages = Stages::start();
    stages.run("make seeds", &mut seeds())?;
    for target in targets {
        let name: &'static str = target.leak();
        stages.run(name, &mut fuzz(name, args.seconds))?;
    }
    stages.summary();
    Ok(())
}

/// Every binary of the fuzz package is a target.
fn targets() -> anyhow::Result<Vec<String>> {
    let manifest = run::root().join("fuzz/Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let targets = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    Ok(targets
        .filter(|target| target.kind.contains(&TargetKind::Bin))
        .map(|target| target.name.clone())
        .collect())
}

fn chosen(targets: Vec<String>, wanted: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(wanted) = wanted else {
        return Ok(targets);
    };
    match targets.iter().any(|target| target == wanted) {
        true => Ok(vec![wanted.to_owned()]),
        false => bail!("no target `{wanted}`; there are: {}", targets.join(", ")),
    }
}

fn cargo_fuzz(consent: Consent) -> anyhow::Result<()> {
    if run::succeeds(run::cargo().args(["fuzz", "--version"])) {
        return Ok(());
    }
    let mut install = run::cargo();
    install.args(["install", "--locked", "cargo-fuzz"]);
    let line = run::shown(&install);
    if !consent.yes && !confirmed(&format!("cargo-fuzz is missing. Run `{line}`?"))? {
        bail!("cargo-fuzz is missing; install it with: {line}");
    }
    run::run(&mut install)
}

/// What each target's corpus starts from.
fn seeds() -> Command {
    let mut command = run::cargo();
    command.args([
        "run",
        "--quiet",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--example",
        "seeds",
    ]);
    command
}

/// The variable lets a stable compiler take the flags that count coverage. No sanitizer: what is
/// fuzzed has no unsafe code of its own, and the engine beside it builds in a third of the time.
fn fuzz(target: &str, seconds: u32) -> Command {
    let mut command = run::cargo();
    command.env("RUSTC_BOOTSTRAP", "1");
    command.args(["fuzz", "run", "--sanitizer", "none", target, "--"]);
    command.arg(format!("-max_total_time={seconds}"));
    command
}

/// Asks where there is a terminal; elsewhere the answer is yes.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    write!(std::io::stderr(), "{question} [Y/n] ")?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(read > 0 && matches!(answer.as_str(), "" | "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_target_is_answered_with_the_known_ones() {
        let known = || vec!["receipt".to_owned(), "admission".to_owned()];
        assert_eq!(chosen(known(), None).expect("all"), known());
        assert_eq!(chosen(known(), Some("receipt")).expect("one"), ["receipt"]);
        let error = chosen(known(), Some("x")).expect_err("unknown").to_string();
        assert_eq!(error, "no target `x`; there are: receipt, admission");
    }
}
