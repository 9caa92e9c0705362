//! The API of real nodes: who gets in, what comes back, and a job from its submission to its receipt.
//!
//! This binary is the tests' driver and, started again, the worker.

#[path = "../../../api/tests/api/arbitrary.rs"]
mod arbitrary;
mod away;
mod bent;
mod blobs;
mod crowd;
mod door;
mod fuzz;
mod jobs;
#[path = "../../../node/tests/world/nodes.rs"]
#[allow(dead_code, clippy::unwrap_used)] // the node's own tests need more kinds, and fail by it
mod nodes;
mod schema;
mod served;

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
                door::trials(),
                crowd::trials(),
                blobs::trials(),
                fuzz::trials(),
                away::trials(),
                bent::trials(),
                jobs::trials(),
            ];
            let trials = trials.into_iter().flatten().collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit()
        }
    }
}

fn launcher() -> Launcher {
    Launcher {
        program: env::current_exe().expect("this program has a file"),
        args: vec!["worker".into()],
    }
}
