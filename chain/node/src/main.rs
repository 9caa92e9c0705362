//! A node of a Substrate chain for development and tests: real blocks, real finality, any runtime that is given to it.
//!
//! It seals its blocks itself and has no peers. It is built once and knows no runtime: what the chain does is in the
//! WebAssembly of its genesis and of later upgrades.

mod clock;
mod service;
mod shape;
mod spec;

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::service::{Options, Sealing};

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the raw specification of a chain that begins with a runtime and one of its presets
    Spec {
        /// The runtime's WebAssembly
        #[arg(long)]
        runtime: PathBuf,
        /// The name of a genesis preset of the runtime
        #[arg(long, default_value = "development")]
        preset: String,
    },
    /// Run a chain until it is told to end. One that is killed may lose its last blocks, finalized ones among them:
    /// they are written a moment after they are sealed
    Run {
        /// A raw specification, as `spec` prints it
        #[arg(long)]
        spec: PathBuf,
        /// The folder of the chain's blocks and state
        #[arg(long)]
        data: PathBuf,
        /// A folder that keeps the runtime's native code from one start to the next
        #[arg(long)]
        cache: Option<PathBuf>,
        /// The port of the JSON-RPC server, on loopback
        #[arg(long, default_value_t = 9944)]
        port: u16,
        /// When blocks are made: `instant` (for each transaction), `manual` (when asked for over RPC, which needs `--control`), or each so many milliseconds
        #[arg(long, default_value = "instant")]
        seal: Sealing,
        /// Let whoever asks over RPC make and finalize blocks, forks too (`engine_createBlock`, `engine_finalizeBlock`), move
        /// the clock on by so many milliseconds (`clock_pass`), and all that the SDK calls unsafe: for tests, as any web page
        /// of this machine's browsers can ask
        #[arg(long)]
        control: bool,
    },
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done where standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Spec { runtime, preset } => {
            let spec = spec::raw(&runtime, &preset)?;
            Ok(io::stdout().write_all(spec.as_bytes())?)
        }
        Command::Run {
            spec,
            data,
            cache,
            port,
            seal,
            control,
        } => {
            if matches!(seal, Sealing::Manual) && !control {
                return Err(
                    "no block is ever made with `--seal manual` but without `--control`".into(),
                );
            }
            let options = Options {
                spec: spec::read(&spec)?,
                data,
                cache,
                port,
                sealing: seal,
                is_controlled: control,
            };
            Ok(service::run(options)?)
        }
    }
}
