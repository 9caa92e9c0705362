//! `network [--quick]`: what the network costs. Prints tables, then one `name: value` line for each
//! figure. Started with anything else it is `opensky`: so it is its own workers, and the nodes of its
//! own devnet.

use std::process::ExitCode;

use opensky_benches::{network, program};
use opensky_executor::worker::Launcher;

fn main() -> ExitCode {
    let otherwise = |_: &[String]| opensky_cli::main(std::env::args_os(), "opensky");
    program::main(otherwise, |effort| {
        let launcher = Launcher {
            program: std::env::current_exe()?,
            args: vec!["worker".into()],
        };
        network(effort, &launcher)
    })
}
