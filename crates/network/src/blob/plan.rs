//! Which pieces are still wanted, and who is getting which.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// A piece that one source has not brought for this long may be got from another source too.
pub const LATE: Duration = Duration::from_millis(500);

/// Which pieces are still wanted. Each is given to one source, until that one is late or fails.
#[derive(Debug, Default)]
pub struct Plan {
    queue: VecDeque<u64>,
    given: BTreeMap<u64, Given>,
}

#[derive(Debug)]
struct Given {
    since: Instant,
    to: Vec<usize>,
}

impl Plan {
    pub fn new(wanted: impl Iterator<Item = u64>) -> Self {
        Self {
            queue: wanted.collect(),
            given: BTreeMap::new(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.queue.is_empty() && self.given.is_empty()
    }

    /// A piece for `source` to get next: one that nobody gets, else one that is late.
    pub fn take(&mut self, source: usize, now: Instant) -> Option<u64> {
        if let Some(piece) = self.queue.pop_front() {
            let (since, to) = (now, vec![source]);
            self.given.insert(piece, Given { since, to });
            return Some(piece);
        }
        let late = |given: &Given| now.saturating_duration_since(given.since) >= LATE;
        let mut late = self
            .given
            .iter_mut()
            .filter(|(_, given)| late(given) && !given.to.contains(&source));
        let (piece, given) = late.next()?;
        given.since = now;
        given.to.push(source);
        Some(*piece)
    }

    /// A piece is there. Whether it was still wanted.
    pub fn finish(&mut self, piece: u64) -> bool {
        if self.given.remove(&piece).is_some() {
            return true;
        }
        // The last piece comes before there is a plan, and late ones after they were released.
        let at = self.queue.iter().rposition(|queued| *queued == piece);
        at.and_then(|at| self.queue.remove(at)).is_some()
    }

    /// What `source` was to get and nobody else gets is for others again.
    pub fn release(&mut self, source: usize) {
        for given in self.given.values_mut() {
            given.to.retain(|to| *to != source);
        }
        let orphans = self.given.iter().filter(|(_, given)| given.to.is_empty());
        let orphans: Vec<u64> = orphans.map(|(piece, _)| *piece).collect();
        for piece in orphans.into_iter().rev() {
            self.given.remove(&piece);
            self.queue.push_front(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_of_a_source_that_fails_is_given_to_another() {
        let now = Instant::now();
        let mut plan = Plan::new(0..3);
        assert_eq!(plan.take(0, now), Some(0));
        assert_eq!(plan.take(1, now), Some(1));
        plan.release(0);
        assert_eq!(plan.take(1, now), Some(0));
        assert!(plan.finish(0) && plan.finish(1));
        assert_eq!(plan.take(1, now), Some(2));
        assert!(!plan.is_done());
        assert!(plan.finish(2));
        assert!(plan.is_done());
    }

    #[test]
    fn piece_that_came_before_it_was_given_is_not_got_again() {
        let mut plan = Plan::new(0..2);
        assert!(plan.finish(1));
        assert!(!plan.finish(1));
        assert_eq!(plan.take(0, Instant::now()), Some(0));
        assert!(plan.finish(0));
        assert!(plan.is_done());
    }

    #[test]
    fn late_piece_is_got_twice_and_counts_once() {
        let now = Instant::now();
        let mut plan = Plan::new(0..1);
        assert_eq!(plan.take(0, now), Some(0));
        assert_eq!(plan.take(1, now), None, "it is not late yet");
        assert_eq!(plan.take(1, now + LATE), Some(0));
        assert_eq!(plan.take(1, now + 2 * LATE), None, "nobody gets it twice");
        assert!(plan.finish(0));
        assert!(!plan.finish(0));
        plan.release(0);
        assert!(plan.is_done());
    }
}
