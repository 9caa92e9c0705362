//! `executor [--quick]`: what one unit costs in the sandbox. Prints tables, then one `name: value`
//! line for each figure.

use std::process::ExitCode;

use opensky_benches::{executor, program};
use opensky_executor::worker::{self, Kind, Launcher};

/// What comes before a worker's kind on its command line.
const WORKER: &str = "worker";

fn main() -> ExitCode {
    program::main(otherwise, |effort| {
        let launcher = Launcher {
            program: std::env::current_exe()?,
            args: vec![WORKER.into()],
        };
        executor(effort, &launcher)
    })
}

fn otherwise(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [WORKER, "compile"] => worker::main(Kind::Compile),
        [WORKER, "run"] => worker::main(Kind::Run),
        _ => {
            eprintln!("usage: executor [--quick]");
            ExitCode::from(2)
        }
    }
}
