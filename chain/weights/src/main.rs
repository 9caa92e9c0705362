//! Measures what a runtime's calls cost: runs the benchmarks inside of its WebAssembly, and writes Rust that says what
//! they took.
//!
//! It knows no runtime: what there is to measure, the runtime says itself, if it was built with `runtime-benchmarks`.

mod measure;
mod source;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;

use crate::measure::Bench;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The runtime's WebAssembly
    #[arg(long)]
    runtime: PathBuf,
    /// The pallet, by the name of its package, with underscores
    #[arg(long)]
    pallet: String,
    /// What to type to do this again: it is written down
    #[arg(long)]
    command: String,
    /// How many lengths of each list are tried
    #[arg(long, default_value_t = 12)]
    steps: u32,
    /// How often each is timed
    #[arg(long, default_value_t = 10)]
    repeat: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done where standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(fs::read(&arguments.runtime)?);
    let costs = bench.measure(&arguments.pallet, arguments.steps, arguments.repeat)?;
    let text = source::of(&costs, &arguments.command);
    Ok(io::stdout().write_all(text.as_bytes())?)
}
