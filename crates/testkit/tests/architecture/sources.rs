//! What every file of Rust keeps to.

use crate::workspace::{members, none_broken, shipped, tests};

/// Past this many lines that are not tests, a file has a second idea in it.
const MOST_LINES: usize = 500;

#[test]
fn every_file_says_what_it_is_for() {
    let files = members().into_iter().flat_map(|package| {
        let mut files = shipped(package);
        files.extend(tests(package));
        files
    });
    let silent: Vec<_> = files
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.name())
        .collect();
    none_broken(
        silent,
        "A file's first line is `//! ` and what it is for; these have none:",
    );
}

#[test]
fn nothing_is_left_for_later() {
    // In two halves, so that this file does not find itself.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["todo", "!("],
        ["unimplemented", "!("],
    ];
    let words = words.map(|halves| halves.concat());
    let mut broken = Vec::new();
    for package in members() {
        for source in shipped(package).iter().chain(&tests(package)) {
            for (at, line) in source.text.lines().enumerate() {
                if words.iter().any(|word| line.contains(word.as_str())) {
                    broken.push(format!("{}:{}: {}", source.name(), at + 1, line.trim()));
                }
            }
        }
    }
    none_broken(
        broken,
        "What is not done is not in the code: do it, or open an issue.",
    );
}

#[test]
fn nothing_shipped_unwraps() {
    let mut broken = Vec::new();
    for source in members().into_iter().flat_map(shipped) {
        for (at, line) in source.shipped_code() {
            if line.contains(".unwrap()") || line.contains(".unwrap_err()") {
                broken.push(format!("{}:{at}: {}", source.name(), line.trim()));
            }
        }
    }
    none_broken(
        broken,
        "Return an error, or `expect(\"why it cannot fail\")`:",
    );
}

#[test]
fn no_file_is_named_after_nothing() {
    const EMPTY: [&str; 6] = ["utils", "util", "common", "helper", "helpers", "manager"];
    let files = members().into_iter().flat_map(shipped);
    let broken: Vec<_> = files
        .filter(|source| {
            let parts = source.path.with_extension("");
            parts
                .iter()
                .any(|part| EMPTY.iter().any(|name| part == *name))
        })
        .map(|source| source.name())
        .collect();
    none_broken(broken, "A name says what is inside; these say nothing:");
}

#[test]
fn long_files_are_pointed_out() {
    for source in members().into_iter().flat_map(shipped) {
        let lines = source.shipped_lines().len();
        if lines > MOST_LINES {
            println!(
                "warning: {} has {lines} lines: look for the second idea",
                source.name()
            );
        }
        // Judgement may stretch the budget; twice the budget is no judgement.
        assert!(
            lines <= 2 * MOST_LINES,
            "{} has {lines} lines",
            source.name()
        );
    }
}
