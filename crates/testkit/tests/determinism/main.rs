//! Same work, same result: every guest of the corpus, run in every way that there is to run it.
//!
//! This binary is the tests' driver and, started again, the worker.

mod compiled;
mod corpus;
mod golden;
mod ways;

use std::env;

use libtest_mimic::{Arguments, Failed, Trial};
use opensky_executor::{
    Rules,
    worker::{self, Kind, Launcher},
};

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
    let of_profiles = Rules::ALL.into_iter().flat_map(trials_of);
    let of_limits = corpus::guests().into_iter().map(|guest| {
        let name = format!("{} is out of fuel only where it must be", guest.name);
        trial(name, move || ways::limit_is_exact(&guest))
    });
    let of_binaries = compiled::binaries().into_iter().map(trial_of);
    of_profiles
        .chain(of_limits)
        .chain(of_binaries)
        .chain(of_the_corpus())
        .collect()
}

/// What has to hold of one file that a compiler made.
fn trial_of(binary: compiled::Binary) -> Trial {
    if binary.is_component() {
        let name = format!("{} gives one result in every way", binary.name);
        return trial(name, move || compiled::gives_one_result(&binary));
    }
    let name = format!("{} is adapted to what it was", binary.name);
    trial(name, move || compiled::adapts_to_the_same(&binary))
}

/// What has to hold of all of them together, and of those that are not kept.
fn of_the_corpus() -> Vec<Trial> {
    let all: [(&str, fn()); 3] = [
        (
            "results of what compilers made are those of every other machine",
            compiled::results_are_golden,
        ),
        (
            "what compilers made ends in every way",
            compiled::every_class_is_there,
        ),
        (
            "golden files of frozen profiles only grow",
            golden::only_what_is_frozen_stays,
        ),
    ];
    let interpreters = ["js", "python"].into_iter().map(|language| {
        let name = format!("words in {language} give one result on both back ends");
        trial(name, move || {
            compiled::interpreter_gives_one_result(language)
        })
    });
    all.map(|(name, check)| trial(name.to_owned(), check))
        .into_iter()
        .chain(interpreters)
        .collect()
}

/// What has to hold under each profile.
fn trials_of(rules: &'static Rules) -> Vec<Trial> {
    type Check = fn(&Rules);
    let named = |name: &str| format!("{name} (profile {})", rules.id);
    let each = corpus::guests().into_iter().map(|guest| {
        let name = format!("{} gives one result in every way", guest.name);
        trial(named(&name), move || ways::check(&guest, rules))
    });
    let all: [(&str, Check); 3] = [
        (
            "every class of outcome is in the corpus",
            corpus::has_every_class,
        ),
        ("the seed decides what is random", ways::seed_decides),
        (
            "results are those of every other machine",
            ways::results_are_golden,
        ),
    ];
    let all = all.map(|(name, check)| trial(named(name), move || check(rules)));
    each.chain(all).collect()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        test();
        Ok::<_, Failed>(())
    })
}
