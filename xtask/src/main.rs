//! The commands behind the README: set-up, demo, test, bench, fuzz, sim, runtime, contracts, weights.

mod bench;
mod binary;
mod chain;
mod contracts;
mod demo;
mod devnet;
mod fuzz;
mod report;
mod run;
mod setup;
mod sim;
mod sources;
mod stages;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// Everything that is done with this repository, one command each. Each does its own set-up.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    max_term_width = 100,
    after_help = "\
Exit codes: 0 all is well, 1 something failed (the command to repeat it is printed), 2 usage.
Builds go to CARGO_TARGET_DIR where it is set, else to target/."
)]
enum Xtask {
    Demo(demo::Args),
    Test(test::Args),
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    Sim(sim::Args),
    Runtime(chain::Args),
    Weights(chain::WeightsArgs),
    Contracts(contracts::Args),
    Setup(setup::Args),
}

fn main() -> ExitCode {
    let done = match Xtask::parse() {
        Xtask::Demo(args) => demo::run(args),
        Xtask::Test(args) => test::run(args),
        Xtask::Bench(args) => bench::run(args),
        Xtask::Fuzz(args) => fuzz::run(args),
        Xtask::Sim(args) => sim::run(args),
        Xtask::Runtime(args) => chain::run(args),
        Xtask::Weights(args) => chain::weights(args),
        Xtask::Contracts(args) => contracts::run(args),
        Xtask::Setup(args) => setup::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_tree_is_well_formed() {
        Xtask::command().debug_assert();
    }
}
