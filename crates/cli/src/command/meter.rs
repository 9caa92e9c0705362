//! `opensky meter`: what the sandbox makes of a program before it compiles it.

use std::path::{Path, PathBuf};

use opensky_executor::inspect::{Kind, Refusal};
use opensky_meter::{Context, Metered};

use crate::{Exit, Problem, deliver, report, source, term};

/// Write the metered form of a program, as profile 1 compiles it
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
A metered component counts its fuel, bounds its depth of calls and makes its
NaNs canonical by itself, on any engine. It imports `opensky-fuel-limit` and
`opensky-fuel-report`, and exports `opensky-fuel-left`. A core module stays one,
and imports its meter from `opensky:meter`; `opensky run` adapts a preview-1
module to be a component first, and meters that.

What comes out is to be read, and for other engines. `opensky run` takes the
program as it was: it meters by itself, and refuses what is metered already.

Examples:
  opensky meter hello.wasm -o metered.wasm
  opensky meter hello.wat -o - | wasm-tools print

Exit codes: 3 if the program cannot be metered, or the sandbox would refuse it.")]
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
    let (bytes, inspection) = source::look(&args.file, unfit)?;
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
    deliver::output(Some(&args.output), metered.bytes.as_slice())?;
    term::status("Metered", &told(bytes.len(), &metered));
    Ok(Exit::Success)
}

/// What the sandbox would not run is not metered, though the meter by itself may have a form for it.
fn unfit(file: &Path, refusal: &Refusal) -> Problem {
    let advice = refusal.advice();
    let help = match refusal {
        Refusal::Limit { .. } => format!(
            "{advice}; the limit is the sandbox's, and the library `opensky-meter` has it not"
        ),
        _ => advice.into(),
    };
    Problem::refused(format!(
        "`{}` is not metered: the sandbox of `opensky run` would refuse it",
        file.display()
    ))
    .because(refusal.to_string())
    .help(help)
}

fn told(before: usize, metered: &Metered) -> String {
    let [before, after] = [before, metered.bytes.len()].map(|bytes| term::size(bytes as u64));
    let profile = opensky_meter::VERSION;
    let text = format!("{before} to {after} for profile {profile}");
    match metered.startup {
        0 => text,
        startup => {
            let startup = report::group(startup);
            format!("{text}; whoever runs it counts {startup} fuel more for each instance")
        }
    }
}
