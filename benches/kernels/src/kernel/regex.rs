//! A regular expression over a log: table-driven automata.

use std::fmt::Write;

use regex::Regex;

use crate::seeded::{Seeded, checksum};

const PATTERN: &str =
    r"(?-u)([a-z]+)@([a-z]+)\.(org|net) took ([0-9]+)ms|(error|warning): [a-z ]+([0-9]{3})";

/// The checksum of where the matches and their groups are in `len` bytes of log.
pub fn regex(len: u32) -> u64 {
    let log = log(len as usize);
    let regex = Regex::new(PATTERN).expect("the pattern is valid");
    let ends = regex.captures_iter(&log).flat_map(|captures| {
        let groups = captures.iter().flatten();
        groups.map(|group| group.end() as u64).collect::<Vec<_>>()
    });
    checksum(ends.chain([log.len() as u64]))
}

fn log(len: usize) -> String {
    const WORDS: [&str; 8] = [
        "alice", "bob", "carol", "disk", "queue", "shard", "timeout", "index",
    ];
    let mut seeded = Seeded::new(3);
    let mut log = String::new();
    while log.len() < len {
        let mut word = || WORDS[seeded.below(8) as usize];
        let (a, b, c) = (word(), word(), word());
        let number = 100 + seeded.below(900);
        let written = match seeded.below(6) {
            0 => writeln!(log, "{a}@{b}.org took {number}ms"),
            1 => writeln!(log, "error: {a} {b} {c} {number}"),
            2 => writeln!(log, "{a}@{b} took {number} ms"),
            _ => writeln!(log, "info: {a} {b} {c} at line {number}"),
        };
        written.expect("a string can be written to");
    }
    log.truncate(len);
    log
}
