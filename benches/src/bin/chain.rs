//! `chain [--quick]`: what settling and asking on a chain cost. Prints one `name: value` line for each figure. Started with
//! anything else it is `opensky`: so it is the nodes of its own devnet, and their workers.

use std::process::ExitCode;

use opensky_benches::{chain, program};

fn main() -> ExitCode {
    let otherwise = |_: &[String]| opensky_cli::main(std::env::args_os(), "opensky");
    program::main(otherwise, chain)
}
