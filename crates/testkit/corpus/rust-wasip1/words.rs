//! Counts the words of standard input in maps of hashes, sorts them, and draws a random number.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, RandomState},
    io::{self, Read, Write},
};

/// Hashes without a seed: with one, what the program costs would depend on its unit, and so on its
/// own limit.
type Fixed = BuildHasherDefault<DefaultHasher>;

fn main() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let text = String::from_utf8_lossy(&input);
    let mut counts: HashMap<String, u64, Fixed> = HashMap::default();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let first: Vec<_> = counts.keys().take(3).collect();
    eprintln!("{first:?}");
    io::stderr().write_all(&RandomState::new().hash_one("a").to_le_bytes())?;

    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by(|(a, many), (b, more)| more.cmp(many).then(a.cmp(b)));
    let mut out = io::stdout().lock();
    for (word, count) in ranked.iter().take(12) {
        writeln!(out, "{count:>5} {word:?}")?;
    }
    let by_length: BTreeMap<usize, HashSet<&str, Fixed>> =
        ranked.iter().fold(BTreeMap::new(), |mut map, (word, _)| {
            map.entry(word.chars().count())
                .or_insert_with(HashSet::default)
                .insert(word.as_str());
            map
        });
    for (length, words) in &by_length {
        writeln!(out, "{length} letters: {}", words.len())?;
    }
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    writeln!(out, "{numbers:?} {:e}", numbers.iter().sum::<f64>())?;

    // Each turn needs twice the memory of the one before.
    let mut grown = input;
    while !grown.is_empty() && grown.len() < 1 << 20 {
        grown.extend_from_within(..);
    }
    let sum = grown
        .iter()
        .fold(0u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
    writeln!(out, "{} bytes {sum:08x}", grown.len())
}
