//! `opensky worker`: hidden; how this binary starts processes for strangers' code.

use opensky_executor::worker::{self, Kind};

/// Serve as a worker process. Started by `opensky` itself, never by hand.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What kind of worker.
    #[arg(value_enum)]
    kind: Name,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    Compile,
    Run,
}

/// Never comes back.
pub fn run(args: Args) -> ! {
    worker::main(match args.kind {
        Name::Compile => Kind::Compile,
        Name::Run => Kind::Run,
    })
}
