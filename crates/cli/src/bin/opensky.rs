//! The `opensky` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    opensky_cli::main(std::env::args_os(), "opensky")
}
