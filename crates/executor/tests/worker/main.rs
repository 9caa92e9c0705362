//! Worker processes for real: this binary is the test's driver and, started again, the worker.
#![allow(
    clippy::unwrap_used,
    reason = "a test without the test harness's attribute"
)]

mod cache;
mod compile;
mod figures;
#[path = "../fixture/mod.rs"]
mod fixture;
mod programs;
mod rogue;
mod run;
mod worlds;

use std::env;

use libtest_mimic::{Arguments, Failed, Trial};
use opensky_executor::worker::{self, Kind, Launcher};

fn main() {
    let args: Vec<String> = env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("worker") => worker::main(kind(&args[2])),
        Some("figures") => figures::print(),
        Some(mode) if mode.starts_with("rogue-") => rogue::main(&mode[6..], kind(&args[2])),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit(),
    }
}

fn kind(name: &str) -> Kind {
    [Kind::Compile, Kind::Run]
        .into_iter()
        .find(|kind| kind.name() == name)
        .expect("the launcher passes a kind")
}

fn trials() -> Vec<Trial> {
    let tests = [
        cache::TESTS,
        compile::TESTS,
        run::TESTS,
        rogue::TESTS,
        worlds::TESTS,
    ];
    let tests = tests.into_iter().flatten();
    tests
        .map(|&(name, test)| {
            Trial::test(name, move || {
                test();
                Ok::<_, Failed>(())
            })
        })
        .collect()
}

/// A named test.
type Test = (&'static str, fn());

/// Lists functions as tests under their own names.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub const TESTS: &[crate::Test] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use tests;

/// Starts this binary again, as `mode`.
fn launcher(mode: &str) -> Launcher {
    Launcher {
        program: env::current_exe().unwrap(),
        args: vec![mode.into()],
    }
}
