//! `opensky dev`: rebuild and rerun on every save.

use std::path::Path;

use crate::{
    Exit, Problem,
    command::run,
    problem,
    term::{self, DIM, PLAIN},
    watch::Watch,
};

/// Build and run again on every save.
///
/// Takes the arguments of `opensky run`. Every run reports its fuel and time. A build that fails is
/// reported, and the next save tries again. Inputs given as files are watched too. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(after_long_help = "\
Examples:
  opensky dev --input sample.txt          the project in this folder
  opensky dev hello.wat --input name.txt  a file")]
pub struct Args {
    #[command(flatten)]
    run: run::Args,
}

/// Runs until it is interrupted; returns only if files can no longer be watched.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let args = args.run;
    refuse_stdin(&args)?;
    let mut watch = Watch::start(args.sources(), written(&args))?;
    loop {
        if let Err(error) = run::run(args.clone()) {
            problem::report(&error);
        }
        term::to_stderr(&format!("{DIM}waiting for a save; Ctrl-C ends{PLAIN}\n"));
        let saved = watch.wait()?;
        term::status("Saved", &saved.display().to_string());
    }
}

fn refuse_stdin(args: &run::Args) -> Result<(), Problem> {
    match args.stdin_uses() {
        0 => Ok(()),
        _ => Err(Problem::usage("standard input can be read only once")
            .help("give a file: it is read again for every run")),
    }
}

/// What the runs themselves write: no save of a person.
fn written(args: &run::Args) -> impl Iterator<Item = &Path> {
    [&args.output, &args.receipt, &args.out]
        .into_iter()
        .filter_map(|path| path.as_deref())
}
