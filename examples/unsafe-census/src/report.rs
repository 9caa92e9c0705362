//! What is counted, and the report made of it.
use std::{iter::Sum, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// What was found in some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// `.rs` files.
    pub files: u64,
    /// Lines that are neither empty nor comments.
    pub lines: u64,
    /// `unsafe { … }`.
    pub unsafe_blocks: u64,
    /// `unsafe fn`, in traits and impls too.
    pub unsafe_fns: u64,
    /// `unsafe impl`.
    pub unsafe_impls: u64,
    /// `unsafe trait`.
    pub unsafe_traits: u64,
    /// Files in which nothing was counted but lines: they are no Rust of today's grammar, or nested so
    /// deeply that parsing them is not safe.
    pub unparsed_files: u64,
    /// `.crate` files that break off; what came before was counted.
    pub broken_archives: u64,
}

impl Counts {
    fn all_unsafe(&self) -> u64 {
        self.unsafe_blocks + self.unsafe_fns + self.unsafe_impls + self.unsafe_traits
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.unsafe_blocks += other.unsafe_blocks;
        self.unsafe_fns += other.unsafe_fns;
        self.unsafe_impls += other.unsafe_impls;
        self.unsafe_traits += other.unsafe_traits;
        self.unparsed_files += other.unparsed_files;
        self.broken_archives += other.broken_archives;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// One crate's counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrateCounts {
    /// Name and version, as in `serde-1.0.229`.
    pub name: String,
    /// What was found in it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The census.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Crates in all.
    pub crates: u64,
    /// Crates with anything unsafe in them.
    pub crates_with_unsafe: u64,
    /// All crates together.
    pub total: Counts,
    /// Every crate, those with the most that is unsafe first, then by name.
    pub by_crate: Vec<CrateCounts>,
}

impl Report {
    /// Sums up and sorts.
    pub(crate) fn new(crates: Vec<(String, Counts)>) -> Self {
        let total = crates.iter().map(|(_, counts)| *counts).sum();
        let with_unsafe = crates
            .iter()
            .filter(|(_, counts)| counts.all_unsafe() > 0)
            .count();
        let named = |(name, counts)| CrateCounts { name, counts };
        let mut by_crate: Vec<_> = crates.into_iter().map(named).collect();
        by_crate.sort_by(|a, b| {
            let by_unsafe = b.counts.all_unsafe().cmp(&a.counts.all_unsafe());
            by_unsafe.then_with(|| a.name.cmp(&b.name))
        });
        Self {
            crates: by_crate.len() as u64,
            crates_with_unsafe: with_unsafe as u64,
            total,
            by_crate,
        }
    }
}
