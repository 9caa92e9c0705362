//! Which crate may know which, and who may name which technology.

use std::fs;

use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::workspace::{folder, member, members, none_broken, root, shipped};

/// A crate of ours, the crates of ours that it may use, and why no others.
const ROOMS: &[(&str, &[&str], &str)] = &[
    (
        "opensky-protocol",
        &[],
        "the nouns stand below everything: a chain's runtime uses them without the rest",
    ),
    (
        "opensky-core",
        &["opensky-protocol"],
        "decisions know the nouns and nothing that acts: the simulator drives them as a node does",
    ),
    (
        "opensky-meter",
        &[],
        "a pass from wasm to wasm stands alone: others use it without the rest",
    ),
    (
        "opensky-executor",
        &["opensky-meter", "opensky-protocol"],
        "an adapter knows the nouns, never another adapter: each can be replaced alone",
    ),
    (
        "opensky-storage",
        &["opensky-protocol"],
        "an adapter knows the nouns, never another adapter: each can be replaced alone",
    ),
    (
        "opensky-ledger",
        &["opensky-protocol"],
        "an adapter knows the nouns, never another adapter: each can be replaced alone",
    ),
    (
        "opensky-network",
        &["opensky-protocol"],
        "an adapter knows the nouns, never another adapter: each can be replaced alone",
    ),
    (
        "opensky-api",
        &["opensky-protocol"],
        "a contract knows the nouns; who serves it and who uses it know it, not it them",
    ),
    (
        "opensky-node",
        &[
            "opensky-core",
            "opensky-executor",
            "opensky-ledger",
            "opensky-network",
            "opensky-protocol",
            "opensky-storage",
        ],
        "a shell connects the core and the adapters, and knows nothing of who uses it",
    ),
    (
        "opensky-gateway",
        &[
            "opensky-api",
            "opensky-core",
            "opensky-executor",
            "opensky-network",
            "opensky-node",
            "opensky-protocol",
            "opensky-storage",
        ],
        "a shell serves a node with the words of the contract; it keeps no state of its own",
    ),
    (
        "opensky-cli",
        &[
            "opensky-api",
            "opensky-executor",
            "opensky-gateway",
            "opensky-meter",
            "opensky-node",
            "opensky-protocol",
            "opensky-storage",
        ],
        "the shell at the top connects the crates below it; guests' crates are no part of the host",
    ),
    (
        "opensky-chain-pallet-providers",
        &["opensky-protocol"],
        "a pallet keeps the rule book's state; the rules are below it",
    ),
    (
        "opensky-chain-pallet-jobs",
        &["opensky-chain-pallet-providers", "opensky-protocol"],
        "settlement asks who the operators are",
    ),
    (
        "opensky-chain-runtime",
        &[
            "opensky-chain-pallet-jobs",
            "opensky-chain-pallet-providers",
            "opensky-protocol",
        ],
        "a runtime is made of pallets, and has contracts talk to them in the nouns",
    ),
    (
        "opensky-chain-node",
        &[],
        "a generic node knows no runtime, so it is built once",
    ),
    (
        "opensky-chain-weights",
        &[],
        "a runtime says itself what there is to measure",
    ),
    (
        "opensky-sdk",
        &["opensky-sdk-macros"],
        "guests see the contract in wit/ and nothing of the host",
    ),
    (
        "opensky-sdk-macros",
        &[],
        "macros run in the compiler and need nothing of ours",
    ),
    (
        "opensky-kernels",
        &["opensky-sdk"],
        "a guest like any other, that is measured natively too",
    ),
    (
        "opensky-xtask",
        &[],
        "the first command of a newcomer must compile in seconds; it starts the other binaries",
    ),
];

/// May use every crate of ours; nothing uses them.
const TOPS: &[&str] = &[
    "opensky-testkit",
    "opensky-benches",
    "opensky-cli",
    "opensky-simulator",
];

/// Families of dependencies, the members that may name them, and why only those.
const TECHNOLOGIES: &[(&str, &[&str], &str)] = &[
    (
        "wasmtime",
        &["opensky-executor", "opensky-benches", "opensky-meter"],
        "an engine's upgrade must touch one crate (benches compare that crate with the engine itself, \
         and meter's tests run what it makes)",
    ),
    (
        "redb",
        &["opensky-storage", "opensky-ledger"],
        "rows have one home, and the embedded ledger is the other one",
    ),
    (
        "libp2p",
        &["opensky-network", "opensky-benches"],
        "one task in one crate owns the swarm (benches compare that crate with a plain stream)",
    ),
    (
        "subxt",
        &["opensky-ledger"],
        "the chain is known by its metadata, in one crate",
    ),
    (
        "axum",
        &["opensky-gateway"],
        "HTTP is one way in, not what the rest is built on",
    ),
    (
        "anyhow",
        &["opensky-cli", "opensky-xtask"],
        "a library's errors are types that its caller can match on",
    ),
];

/// Who may print: tools for people. Everybody else returns values or logs with tracing.
const PRINTERS: &[&str] = &[
    "opensky-cli",
    "opensky-xtask",
    "opensky-benches",
    "opensky-simulator",
];

fn is_example(package: &Package) -> bool {
    folder(package).starts_with(root().join("examples"))
}

fn ours(package: &Package) -> impl Iterator<Item = &Dependency> {
    let dependencies = package.dependencies.iter();
    dependencies.filter(|dependency| dependency.path.is_some())
}

#[test]
fn every_crate_has_a_place_and_knows_only_what_is_below_it() {
    let mut broken = Vec::new();
    for package in members() {
        let name = package.name.as_str();
        let (allowed, why) = match ROOMS.iter().find(|(room, ..)| *room == name) {
            Some((_, allowed, why)) => (*allowed, *why),
            None if is_example(package) => (
                &["opensky-sdk"][..],
                "an example shows what an author writes, and an author has the SDK alone",
            ),
            None if TOPS.contains(&name) => continue,
            None => {
                broken.push(format!(
                    "`{name}` has no place: a new crate is a change of the design, made here"
                ));
                continue;
            }
        };
        // The macros' documentation shows them in use.
        let is_shown = |dependency: &Dependency| {
            name == "opensky-sdk-macros"
                && dependency.name == "opensky-sdk"
                && dependency.kind == DependencyKind::Development
        };
        // Its tests play the same calls on both.
        let is_compared = |dependency: &Dependency| {
            name == "opensky-chain-pallet-jobs"
                && dependency.name == "opensky-ledger"
                && dependency.kind == DependencyKind::Development
        };
        // Its tests sign what the pallets take.
        let is_signed = |dependency: &Dependency| {
            name == "opensky-chain-runtime"
                && dependency.name == "opensky-protocol"
                && dependency.kind == DependencyKind::Development
        };
        let others = ours(package).filter(|dependency| {
            !is_shown(dependency) && !is_compared(dependency) && !is_signed(dependency)
        });
        for dependency in others {
            if !allowed.contains(&dependency.name.as_str()) {
                broken.push(format!("`{name}` uses `{}`: {why}", dependency.name));
            }
        }
    }
    none_broken(broken, "The crates no longer keep to their rooms:");
}

#[test]
fn code_map_says_who_may_know_whom() {
    let map = fs::read_to_string(root().join("crates/README.md")).expect("the code map is there");
    let part = map
        .split("\n## ")
        .find(|part| part.starts_with("Who may know whom"));
    let part = part.expect("the code map says who may know whom");
    let named = |name: &str| format!("`{}`", name.trim_start_matches("opensky-"));
    let expected = ROOMS.iter().map(|(room, allowed, _)| {
        let allowed: Vec<_> = allowed.iter().map(|name| named(name)).collect();
        let allowed = match allowed.is_empty() {
            true => "nothing".to_owned(),
            false => allowed.join(", "),
        };
        format!("| {} | {allowed} |", named(room))
    });
    let expected: Vec<_> = expected.collect();
    let rows = || part.lines().filter(|line| line.starts_with("| `"));
    let missing = expected
        .iter()
        .filter(|row| !rows().any(|line| line.starts_with(row.as_str())));
    let mut broken: Vec<_> = missing.map(|row| format!("it lacks: {row}")).collect();
    let surplus = rows().filter(|line| !expected.iter().any(|row| line.starts_with(row.as_str())));
    broken.extend(surplus.map(|line| format!("nobody keeps to: {line}")));
    none_broken(
        broken,
        "crates/README.md says otherwise than this test who may know whom:",
    );
}

#[test]
fn nothing_depends_on_what_is_at_the_top() {
    let mut broken = Vec::new();
    for package in members() {
        for dependency in ours(package) {
            let is_top = TOPS.contains(&dependency.name.as_str());
            if is_top && !TOPS.contains(&package.name.as_str()) {
                broken.push(format!("`{}` uses `{}`", package.name, dependency.name));
            }
        }
    }
    none_broken(
        broken,
        "Shells and proofs are used by nobody, so they can change freely:",
    );
}

#[test]
fn each_technology_is_named_by_its_own_crate_alone() {
    let mut broken = Vec::new();
    for package in members() {
        for dependency in &package.dependencies {
            for (technology, allowed, why) in TECHNOLOGIES {
                let is_of_it = dependency.name.split('-').next() == Some(technology);
                if is_of_it && !allowed.contains(&package.name.as_str()) {
                    broken.push(format!(
                        "`{}` uses `{}`: {why}",
                        package.name, dependency.name
                    ));
                }
            }
        }
    }
    none_broken(broken, "A technology has left its crate:");
}

#[test]
fn only_tools_for_people_print() {
    const PRINTS: [&str; 4] = ["println!(", "eprintln!(", "print!(", "eprint!("];
    let silent = members()
        .into_iter()
        .filter(|package| !PRINTERS.contains(&package.name.as_str()) && !is_example(package));
    let mut broken = Vec::new();
    for source in silent.flat_map(shipped) {
        let prints = |line: &str| PRINTS.iter().any(|word| line.contains(word));
        for (at, _) in source.shipped_code().filter(|(_, line)| prints(line)) {
            broken.push(format!("{}:{at}", source.name()));
        }
    }
    none_broken(
        broken,
        "Libraries return values or log with tracing; these lines print:",
    );
}

/// What `protocol` and `core` may not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("async ", "it waits for nothing"),
    (".await", "it waits for nothing"),
    ("std::fs", "it does nothing itself"),
    ("std::net", "it does nothing itself"),
    ("std::process", "it does nothing itself"),
    ("std::thread", "it does nothing itself"),
    ("HashMap", "its order differs from run to run"),
    ("HashSet", "its order differs from run to run"),
    ("SystemTime", "the time is an argument"),
    ("Instant", "the time is an argument"),
    ("getrandom", "randomness is an argument"),
    ("OsRng", "randomness is an argument"),
    (
        "f32",
        "floating point does not give the same bits everywhere",
    ),
    (
        "f64",
        "floating point does not give the same bits everywhere",
    ),
];

/// What `protocol` may not name either.
const STD: &[(&str, &str)] = &[
    ("extern crate std", "a chain's runtime has no std"),
    ("std::", "a chain's runtime has no std: use core and alloc"),
];

/// The lines of a member that name one of these.
fn naming(package: &Package, words: &[(&str, &str)]) -> Vec<String> {
    let sources = shipped(package);
    assert!(!sources.is_empty(), "`{}` has sources", package.name);
    let mut broken = Vec::new();
    for source in &sources {
        for (at, line) in source.shipped_code() {
            let found = words.iter().filter(|(word, _)| has_word(line, word));
            broken
                .extend(found.map(|(word, why)| {
                    format!("{}:{at}: `{}`: {why}", source.name(), word.trim())
                }));
        }
    }
    broken
}

#[test]
fn decisions_are_pure() {
    none_broken(
        naming(member("opensky-core"), IMPURE),
        "`core` gets events and the time, and gives effects:",
    );
}

#[test]
fn protocol_is_pure() {
    let protocol = member("opensky-protocol");
    let sources = shipped(protocol);
    let broken = [naming(protocol, IMPURE), naming(protocol, STD)].concat();
    none_broken(
        broken,
        "`protocol` holds values and rules, no IO and no clock:",
    );
    let lib = sources
        .iter()
        .find(|source| source.name().ends_with("src/lib.rs"));
    let is_no_std = lib.is_some_and(|lib| lib.text.lines().any(|line| line == "#![no_std]"));
    assert!(
        is_no_std,
        "`protocol` is no_std: a chain's runtime uses it as it is"
    );
}

/// Whether `word` is in `line` and does not merely end a longer name: `Instant` is not in `anInstant`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn words_are_found_whole() {
    assert!(has_word("use std::fs;", "std::"));
    assert!(!has_word("use not_std::fs;", "std::"));
    assert!(!has_word("let dyn_async = 1;", "async "));
}
