//! `executor [--quick]`: what one unit costs in the sandbox. Prints tables, then one `name: value`
//! line for each figure.

use std::process::ExitCode;

use opensky_benches::{Effort, Error, executor};
use opensky_executor::worker::{self, Kind, Launcher};

/// What comes before a worker's kind on its command line.
const WORKER: &str = "worker";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let effort = match arguments[..] {
        [WORKER, "compile"] => worker::main(Kind::Compile),
        [WORKER, "run"] => worker::main(Kind::Run),
        [] => Effort::Full,
        ["--quick"] => Effort::Quick,
        _ => {
            eprintln!("usage: executor [--quick]");
            return ExitCode::from(2);
        }
    };
    match measure(effort) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

fn measure(effort: Effort) -> Result<(), Error> {
    let launcher = Launcher {
        program: std::env::current_exe()?,
        args: vec![WORKER.into()],
    };
    println!("\n{}", executor(effort, &launcher)?);
    Ok(())
}
