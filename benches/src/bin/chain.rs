//! `chain [--quick]`: what settling on a chain costs. Prints one `name: value` line for each figure.

use std::process::ExitCode;

use opensky_benches::{Effort, Error, chain};

fn main() -> ExitCode {
    let effort = match std::env::args().nth(1).as_deref() {
        None => Effort::Full,
        Some("--quick") => Effort::Quick,
        Some(_) => {
            eprintln!("error: the only option is --quick");
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
    println!("\n{}", chain(effort)?);
    Ok(())
}
