//! Counting words: short strings on the heap, in an ordered map.

use std::collections::BTreeMap;

use crate::seeded::{Seeded, checksum};

/// The checksum of how often each of `count` drawn words was drawn.
pub fn words(count: u32) -> u64 {
    let mut seeded = Seeded::new(count);
    let mut counts = BTreeMap::<String, u64>::new();
    for _ in 0..count {
        // Squared, so that some words are frequent.
        let rank = u64::from(seeded.below(1 << 10)).pow(2) >> 8;
        *counts.entry(word(rank)).or_default() += 1;
    }
    checksum(counts.iter().flat_map(|(word, count)| {
        let letters = word.bytes().map(u64::from);
        letters.chain([*count])
    }))
}

fn word(mut rank: u64) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + (rank % 7) as u8));
        word.push(char::from(b"aeiou"[(rank % 5) as usize]));
        rank /= 7;
        if rank == 0 {
            return word;
        }
    }
}
