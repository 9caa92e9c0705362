//! `opensky meter`: what the sandbox makes of a program before it compiles it.

use std::path::PathBuf;

use opensky_executor::inspect::Kind;
use opensky_meter::{Context, Metered};

use crate::{Exit, Problem, deliver, source, term};

/// Write the metered form of a program, as profile 1 compiles it
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
A component counts its fuel, bounds its depth of calls and makes its NaNs canonical by itself
afterwards, on any engine. It imports `opensky-fuel-limit` and `opensky-fuel-report`, and exports
`opensky-fuel-left`. A core module stays one, and imports its meter from `opensky:meter`. A
preview-1 module that is run is adapted to be a component first, and metered then.

What comes out is to be read, and for other engines. `opensky run` takes the program as it was:
it meters by itself, and refuses what is metered already.

Examples:
  opensky meter hello.wasm -o metered.wasm
  opensky meter hello.wat -o - | wasm-tools print

Exit codes: 3 if the program cannot be metered.")]
pub struct Args {
    /// A component, a core module, or WebAssembly text.
    pub file: PathBuf,
    /// Where the metered program goes, `-` for stdout.
    #[arg(short, long, value_name = "FILE|-")]
    pub output: PathBuf,
}

/// Meters it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    deliver::check(Some(&args.output), None, None)?;
    let (bytes, inspection) = source::look(&args.file)?;
    let metered = match inspection.kind {
        Kind::Component => {
            opensky_meter::component(&bytes).map(|bytes| Metered { bytes, startup: 0 })
        }
        Kind::Preview1Command | Kind::CoreModule => {
            opensky_meter::module(&bytes, &Context::default())
        }
    };
    let metered = metered.map_err(|error| {
        Problem::refused(format!("`{}` cannot be metered", args.file.display())).because(error)
    })?;
    deliver::output(Some(&args.output), &metered.bytes)?;
    term::status("Metered", &told(bytes.len(), &metered));
    Ok(Exit::Success)
}

fn told(before: usize, metered: &Metered) -> String {
    let [before, after] = [before, metered.bytes.len()].map(|bytes| term::size(bytes as u64));
    let profile = opensky_meter::VERSION;
    let text = format!("{before} to {after} for profile {profile}");
    match metered.startup {
        0 => text,
        startup => format!("{text}; its host takes {startup} fuel for each instance"),
    }
}
