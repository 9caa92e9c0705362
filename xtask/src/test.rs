//! `cargo xtask test`: everything that must hold before a change is merged.
//!
//! That the benchmarks run, that each example runs and that the README is true are tests, too.

use std::{path::Path, process::Command};

use crate::{
    binary,
    chain::{self, Purpose},
    contracts, fuzz, run,
    setup::{self, Consent},
    sim,
    stages::Stages,
};

/// Set up, then check formatting, lints, fuzz targets and documentation, run all tests, build and test the chain, have a contract ask on it, and
/// simulate 200 networks.
///
/// What is quick to fail comes first. Stops at the first failure and prints the command that repeats
/// it. Uses cargo-nextest where it is installed, else `cargo test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// Runs the stages in order.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    stages.run("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    stages.run("chain: formatting", &mut chain::format())?;
    let opensky = stages.step("build opensky", binary::build)?;
    stages.run("set up", &mut setup::doctor(&opensky, args.consent))?;
    stages.run("lints", &mut clippy("--all-targets"))?;
    stages.run("lints of tests on the chain", &mut clippy("--test=chain"))?;
    stages.run("fuzz targets", &mut fuzz::check())?;
    stages.run("documentation", &mut doc())?;
    stages.run_tests("documentation's examples", &mut doctests())?;
    stages.run_tests("tests", &mut tests())?;
    chain_tests(&mut stages, &opensky, args.consent)?;
    stages.run("simulation", sim::command().args(["--seeds", "200"]))?;
    stages.summary();
    Ok(())
}

/// The node and the tool that measures are not linted: that would compile the whole Polkadot SDK twice.
fn chain_tests(stages: &mut Stages, opensky: &Path, consent: Consent) -> anyhow::Result<()> {
    let on_chain = [
        "--package=opensky-chain-pallet-jobs",
        "--package=opensky-chain-pallet-providers",
        "--package=opensky-chain-runtime",
        "--features=opensky-chain-pallet-jobs/runtime-benchmarks",
        "--features=opensky-chain-runtime/try-runtime",
    ];
    let mut lints = chain::cargo("clippy", &on_chain);
    lints.args(["--all-targets", "--", "-D", "warnings"]);
    stages.run("chain: lints", &mut lints)?;
    let contracts = stages.step("chain: contracts", || contracts::build(consent))?;
    let mut pallets = chain::cargo("test", &on_chain);
    pallets.env("OPENSKY_CONTRACTS", &contracts);
    stages.run_tests("chain: pallets and runtime", &mut pallets)?;
    let upgrade = || chain::build_runtime(Purpose::Upgrade);
    let upgrade = stages.step("chain: runtime's upgrade", upgrade)?;
    let runtime = || chain::build_runtime(Purpose::Chain);
    let runtime = stages.step("chain: runtime", runtime)?;
    let node = stages.step("chain: node", || chain::build_node(consent))?;
    let mut own = chain::node("test");
    own.env("OPENSKY_RUNTIME", &runtime);
    stages.run_tests("chain: node's tests", &mut own)?;
    let mut on_it = tests_on_the_chain();
    on_it.env("OPENSKY_RUNTIME", runtime);
    on_it.env("OPENSKY_RUNTIME_UPGRADE", upgrade);
    on_it.env("OPENSKY_CHAIN_NODE", node);
    stages.run_tests("tests on the chain", &mut on_it)?;
    contracts::play(stages, opensky, &contracts)
}

fn clippy(targets: &str) -> Command {
    let mut command = cargo(&["clippy", "--locked", "--workspace", targets]);
    command.args(["--", "-D", "warnings"]);
    command
}

/// No binaries: the SDK's library and a binary are both called `opensky`, and one would overwrite the
/// other's pages. Examples, of which there are none, make cargo choose each dependency's features as
/// for clippy; with fewer the engine would be checked a second time.
fn doc() -> Command {
    let mut command = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
    command.args(["--lib", "--examples"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn doctests() -> Command {
    cargo(&["test", "--locked", "--workspace", "--doc"])
}

fn tests() -> Command {
    match has_nextest() {
        true => nextest(),
        false => cargo(&["test", "--locked", "--workspace", "--all-targets"]),
    }
}

/// Half as many more at the same time as there are cores, unless somebody says how many: each third waits for others, or
/// for time to pass.
fn nextest() -> Command {
    const THREADS: &str = "NEXTEST_TEST_THREADS";
    let mut command = cargo(&["nextest", "run", "--locked", "--workspace"]);
    let cores = std::thread::available_parallelism().map(usize::from);
    if let (None, Ok(cores)) = (std::env::var_os(THREADS), cores) {
        command.env(THREADS, (cores + cores / 2).to_string());
    }
    command
}

/// Those that take a chain: without their name they are not run.
fn tests_on_the_chain() -> Command {
    let mut command = match has_nextest() {
        true => nextest(),
        false => cargo(&["test", "--locked", "--workspace"]),
    };
    command.arg("--test=chain");
    command
}

fn has_nextest() -> bool {
    run::succeeds(run::cargo().args(["nextest", "--version"]))
}

fn cargo(args: &[&str]) -> Command {
    let mut command = run::cargo();
    command.args(args);
    command
}
