//! `cargo xtask fuzz`: made-up input for what reads strangers' bytes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use cargo_metadata::{MetadataCommand, TargetKind};

use crate::{
    run,
    setup::{Consent, confirmed},
    stages::Stages,
};

/// Feed made-up bytes to what reads strangers' bytes.
///
/// Builds the targets of fuzz/ and runs each for a minute, or only the named one. Needs cargo-fuzz,
/// which it offers to install. Fails if a target does; the input that did it is under
/// fuzz/artifacts/.
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
    let chosen = Chosen::of(targets()?, args.target.as_deref())?;
    cargo_fuzz(args.consent)?;
    let mut stages = Stages::start();
    stages.run("make seeds", &mut seeds())?;
    stages.run("build", &mut chosen.build())?;
    for target in &chosen.targets {
        let name: &'static str = target.name.clone().leak();
        let known = artifacts(name);
        let ran = stages.run(name, &mut chosen.fuzz(name, args.seconds));
        ran.with_context(|| verdict(name, &artifacts(name), &known))?;
    }
    stages.summary();
    Ok(())
}

/// Checks that the targets that need no engine compile, and what makes the seeds of all. Nothing is
/// linked: it takes neither cargo-fuzz nor a C++ compiler, with which libFuzzer would be built. It has a
/// folder of its own in the target folder, because it is another workspace, with other features; so the
/// engine would be checked once more, which takes minutes.
pub fn check() -> Command {
    let mut command = run::cargo();
    command.env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libfuzzer.a");
    command.args(["check", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    command.args(["--no-default-features", "--bins", "--examples"]);
    command.arg("--target-dir");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    command.arg(Path::new(&target).join("fuzz"));
    command
}

/// A binary of the fuzz package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    name: String,
    /// Without these it is not built.
    features: Vec<String>,
}

/// Every binary of the fuzz package is a target.
fn targets() -> anyhow::Result<Vec<Target>> {
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
        .map(|target| Target {
            name: target.name.clone(),
            features: target.required_features.clone(),
        })
        .collect())
}

/// The targets that are run. All of them are built with the same features, or the engine would be
/// built more than once.
#[derive(Debug)]
struct Chosen {
    targets: Vec<Target>,
    features: BTreeSet<String>,
}

impl Chosen {
    fn of(mut targets: Vec<Target>, wanted: Option<&str>) -> anyhow::Result<Self> {
        if let Some(wanted) = wanted {
            let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
            targets.retain(|target| target.name == wanted);
            if targets.is_empty() {
                bail!("no target `{wanted}`; there are: {}", names.join(", "));
            }
        }
        let features = targets.iter().flat_map(|target| target.features.clone());
        Ok(Self {
            features: features.collect(),
            targets,
        })
    }

    fn build(&self) -> Command {
        let mut command = self.cargo_fuzz("build");
        if let [only] = &self.targets[..] {
            command.arg(&only.name);
        }
        command
    }

    fn fuzz(&self, target: &str, seconds: u32) -> Command {
        let mut command = self.cargo_fuzz("run");
        command.args([target, "--", "-print_final_stats=1"]);
        command.arg(format!("-timeout={MOST_SECONDS}"));
        command.arg(format!("-max_total_time={seconds}"));
        command
    }

    /// No sanitizer: what is fuzzed has no unsafe code of its own, and without one a stable compiler
    /// will do. The wrapper keeps the counting of coverage out of the engine.
    fn cargo_fuzz(&self, verb: &str) -> Command {
        let mut command = run::cargo();
        command.env("RUSTC_WRAPPER", run::root().join("fuzz/only-ours.sh"));
        command.args(["fuzz", verb, "--sanitizer", "none", "--no-default-features"]);
        let features: Vec<_> = self.features.iter().map(String::as_str).collect();
        command.arg(format!("--features={}", features.join(",")));
        command
    }
}

/// An input that takes longer is a failure. Most take milliseconds.
const MOST_SECONDS: u32 = 30;

/// The inputs with which a target has failed.
fn artifacts(target: &str) -> BTreeSet<PathBuf> {
    let folder = Path::new("fuzz/artifacts").join(target);
    let entries = std::fs::read_dir(run::root().join(&folder));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .map(|entry| folder.join(entry.file_name()))
        .collect()
}

fn verdict(target: &str, artifacts: &BTreeSet<PathBuf>, known: &BTreeSet<PathBuf>) -> String {
    let new: Vec<_> = artifacts
        .difference(known)
        .map(|path| path.display().to_string())
        .collect();
    match new.is_empty() {
        true => format!("`{target}` has not run to its end"),
        false => format!("`{target}` fails on {}", new.join(", ")),
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

/// What each target's corpus starts from. No features: making them takes no engine.
fn seeds() -> Command {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml"]);
    command.args(["--no-default-features", "--example", "seeds"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Target> {
        let target = |name: &str, features: &[&str]| Target {
            name: name.into(),
            features: features.iter().map(|&feature| feature.into()).collect(),
        };
        vec![
            target("receipt", &[]),
            target("admission", &["engine"]),
            target("meter", &["engine", "meter"]),
        ]
    }

    #[test]
    fn unknown_target_is_answered_with_the_known_ones() {
        assert_eq!(Chosen::of(known(), None).expect("all").targets, known());
        let one = Chosen::of(known(), Some("receipt")).expect("one");
        assert_eq!(one.targets, known()[..1]);
        let error = Chosen::of(known(), Some("x"))
            .expect_err("unknown")
            .to_string();
        assert_eq!(error, "no target `x`; there are: receipt, admission, meter");
    }

    #[test]
    fn target_is_built_with_what_it_needs_and_all_of_them_with_what_any_needs() {
        let shown = |wanted| run::shown(&Chosen::of(known(), wanted).expect("known").build());
        let all = shown(None);
        assert!(
            all.ends_with(" --no-default-features --features=engine,meter"),
            "{all}"
        );
        let one = shown(Some("receipt"));
        assert!(
            one.ends_with(" --no-default-features --features= receipt"),
            "{one}"
        );
    }

    #[test]
    fn verdict_names_the_input_that_fails() {
        let known = BTreeSet::from([PathBuf::from("fuzz/artifacts/meter/crash-1")]);
        let mut all = known.clone();
        assert_eq!(
            verdict("meter", &all, &known),
            "`meter` has not run to its end"
        );
        all.insert("fuzz/artifacts/meter/crash-2".into());
        assert_eq!(
            verdict("meter", &all, &known),
            "`meter` fails on fuzz/artifacts/meter/crash-2"
        );
    }
}
