//! `cargo xtask sim`: whole networks in one thread, with every kind of fault.

use std::process::Command;

use crate::run;

/// Run simulated networks: small ones by seed, or a large one from a file.
///
/// Each seed is a world of its own, with loss, crashes, partitions and adversaries; it is run twice,
/// and both runs have to be the same. A scenario is one large world, and gives figures.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For the simulator, as they are: `--seeds N`, `--seed S`, `--scenario FILE`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds with optimisation and runs.
pub fn run(args: Args) -> anyhow::Result<()> {
    run::run(command().args(&args.args))
}

/// The simulator, to which arguments can be added.
pub fn command() -> Command {
    let mut command = run::cargo();
    command.args(["run", "--locked", "--release", "--package"]);
    command.args(["opensky-simulator", "--"]);
    command
}
