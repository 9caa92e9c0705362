//! `network [--quick]`: what the network costs. Prints tables, then one `name: value` line for each
//! figure. Started with anything else it is `opensky`: so it is its own workers, and the nodes of its
//! own devnet.

use std::process::ExitCode;

use opensky_benches::{Effort, Error, network};
use opensky_executor::worker::Launcher;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let effort = match arguments[..] {
        [] => Effort::Full,
        ["--quick"] => Effort::Quick,
        _ => return opensky_cli::main(std::env::args_os(), "opensky"),
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
        args: vec!["worker".into()],
    };
    println!("\n{}", network(effort, &launcher)?);
    Ok(())
}
