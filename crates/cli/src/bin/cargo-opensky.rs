//! The same commands as a cargo subcommand: `cargo opensky …`.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let args = without_subcommand_name(std::env::args_os().collect());
    opensky_cli::main(args, "cargo opensky")
}

/// Cargo starts `cargo-opensky opensky build` for `cargo opensky build`.
fn without_subcommand_name(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.get(1).is_some_and(|arg| arg == "opensky") {
        args.remove(1);
    }
    args
}
