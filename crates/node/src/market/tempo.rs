//! How many announcements are looked into: of one author, of one who passes them on, and in all.

use std::collections::BTreeMap;

use opensky_protocol::NodeKey;

/// An author may announce so often in a second: an offer and, when that turns out to be far from true,
/// the next.
const OF_AUTHOR: u64 = 2;
/// One node may pass on so many in a second, and all together so many. What is looked into is passed on to
/// others, who cut off whoever sends them more than 100 for long: nobody may bring this node to do so.
const OF_ONE: u64 = 30;
const OF_ALL: u64 = 90;
/// Seconds' worth that may come at once.
const BURST: u64 = 2;
/// One announcement, as it is counted.
const ONE: u64 = 1_000;
/// Entries of a table before those that say nothing any more are removed.
const MANY: usize = 1_024;

/// What may be looked into now.
pub(super) struct Tempo {
    all: Bucket,
    ones: BTreeMap<NodeKey, Bucket>,
    authors: BTreeMap<NodeKey, Bucket>,
}

/// Thousandths of announcements, that become more by the millisecond.
struct Bucket {
    rate: u64,
    left: u64,
    at: u64,
}

impl Bucket {
    fn full(rate: u64, now: u64) -> Self {
        let left = rate * BURST * ONE;
        Self {
            rate,
            left,
            at: now,
        }
    }

    /// Whether there is one now.
    fn has_one(&mut self, now: u64) -> bool {
        let earned = now.saturating_sub(self.at).saturating_mul(self.rate);
        let most = self.rate * BURST * ONE;
        self.left = self.left.saturating_add(earned).min(most);
        self.at = now;
        self.left >= ONE
    }

    fn is_full(&self, now: u64) -> bool {
        let earned = now.saturating_sub(self.at).saturating_mul(self.rate);
        self.left.saturating_add(earned) >= self.rate * BURST * ONE
    }
}

impl Tempo {
    pub fn new(now: u64) -> Self {
        Self {
            all: Bucket::full(OF_ALL, now),
            ones: BTreeMap::new(),
            authors: BTreeMap::new(),
        }
    }

    /// Whether to look into one more announcement of `author` that `via` passes on; counts it if so.
    pub fn admits(&mut self, via: NodeKey, author: NodeKey, now: u64) -> bool {
        for table in [&mut self.ones, &mut self.authors] {
            if table.len() >= MANY {
                table.retain(|_, bucket| !bucket.is_full(now));
            }
        }
        let fresh = |rate| move || Bucket::full(rate, now);
        let one = self.ones.entry(via).or_insert_with(fresh(OF_ONE));
        let author = self.authors.entry(author).or_insert_with(fresh(OF_AUTHOR));
        let mut three = [author, one, &mut self.all];
        let admits = three.iter_mut().all(|bucket| bucket.has_one(now));
        if admits {
            three.into_iter().for_each(|bucket| bucket.left -= ONE);
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> NodeKey {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        NodeKey(key)
    }

    #[test]
    fn author_is_heard_at_its_rate_whoever_passes_it_on() {
        let mut tempo = Tempo::new(0);
        let heard = (0..100).filter(|via| tempo.admits(key(1_000 + via), key(1), 0));
        assert_eq!(heard.count() as u64, OF_AUTHOR * BURST);
        assert!(tempo.admits(key(5), key(2), 0), "another is heard");
        assert!(tempo.admits(key(5), key(1), 500), "and so is it, later");
        assert!(!tempo.admits(key(5), key(1), 500));
    }

    #[test]
    fn flood_leaves_room_for_others_and_is_never_more_than_neighbours_bear() {
        let mut tempo = Tempo::new(0);
        let (mut passed, mut honest) = (0u64, 0u64);
        // For ten seconds: each author is another one.
        for step in 0..10_000u32 {
            let now = u64::from(step);
            passed += u64::from(tempo.admits(key(1), key(100 + step), now));
            passed += u64::from(tempo.admits(key(2), key(20_000 + step), now));
            if step % 100 == 0 {
                honest += u64::from(tempo.admits(key(3), key(40_000 + step), now));
            }
        }
        assert_eq!(honest, 100, "ten in a second are all heard");
        assert!(passed <= 2 * OF_ONE * (10 + BURST), "{passed}");
        assert!(tempo.ones.len() <= MANY && tempo.authors.len() <= MANY + 1);

        let mut tempo = Tempo::new(0);
        let all = (0..100_000u32).filter(|number| {
            let via = key(number % 100);
            tempo.admits(via, key(1_000 + number), u64::from(number / 10))
        });
        let all = all.count() as u64;
        assert!(all <= OF_ALL * (10 + BURST), "{all}");
        assert!(all >= OF_ALL * 10, "{all}");
    }
}
