//! Same work, same result: every guest of the corpus, run in every way that there is to run it.
//!
//! This binary is the tests' driver and, started again, the worker.

mod corpus;
mod ways;

use std::env;

use libtest_mimic::{Arguments, Failed, Trial};
use opensky_executor::worker::{self, Kind, Launcher};

fn main() {
    let args: Vec<String> = env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("worker") if args[2] == Kind::Compile.name() => worker::main(Kind::Compile),
        Some("worker") => worker::main(Kind::Run),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit(),
    }
}

fn launcher() -> Launcher {
    Launcher {
        program: env::current_exe().expect("this program has a file"),
        args: vec!["worker".into()],
    }
}

fn trials() -> Vec<Trial> {
    let each = corpus::guests().into_iter().map(|guest| {
        let name = format!("{} gives one result in every way", guest.name);
        Trial::test(name, move || {
            ways::check(&guest);
            Ok::<_, Failed>(())
        })
    });
    let named = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok::<_, Failed>(())
        })
    };
    each.chain([
        named(
            "every class of outcome is in the corpus",
            corpus::has_every_class,
        ),
        named("the seed decides what is random", ways::seed_decides),
        named(
            "results are those of every other machine",
            ways::results_are_golden,
        ),
    ])
    .collect()
}
