//! Nodes that sell work to each other over TCP: one process, several nodes, real workers.
//!
//! This binary is the tests' driver and, started again, the worker.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod deploying;
mod jobs;
mod ledgers;
mod nodes;
mod private;
mod saying;
mod stopping;
mod strangers;

use std::env;

use libtest_mimic::Arguments;
use opensky_executor::worker::{self, Kind, Launcher};

fn main() {
    let args: Vec<String> = env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("worker") if args[2] == Kind::Compile.name() => worker::main(Kind::Compile),
        Some("worker") => worker::main(Kind::Run),
        _ => {
            let trials = [
                jobs::trials(),
                deploying::trials(),
                ledgers::trials(),
                private::trials(),
                saying::trials(),
                stopping::trials(),
                strangers::trials(),
            ];
            libtest_mimic::run(
                &Arguments::from_args(),
                trials.into_iter().flatten().collect(),
            )
            .exit()
        }
    }
}

fn launcher() -> Launcher {
    Launcher {
        program: env::current_exe().expect("this program has a file"),
        args: vec!["worker".into()],
    }
}
