//! What will happen, in order: by time, and what was planned first comes first.

use std::{cmp::Ordering, collections::BinaryHeap};

use opensky_core::Time;

struct Entry<T> {
    at: Time,
    number: u64,
    what: T,
}

impl<T> Entry<T> {
    fn order(&self) -> (Time, u64) {
        (self.at, self.number)
    }
}

// The heap has the greatest on top, so the first is the greatest.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<T> Eq for Entry<T> {}

/// One queue for everything that happens anywhere.
pub(crate) struct Calendar<T> {
    heap: BinaryHeap<Entry<T>>,
    planned: u64,
}

impl<T> Calendar<T> {
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            planned: 0,
        }
    }

    pub fn plan(&mut self, at: Time, what: T) {
        self.planned += 1;
        let number = self.planned;
        self.heap.push(Entry { at, number, what });
    }

    pub fn next(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// What is due.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|entry| entry.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_comes_first_and_at_one_time_what_was_planned_first() {
        let mut calendar = Calendar::new();
        for (at, what) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            calendar.plan(Time(at), what);
        }
        let mut due = |now| -> String { std::iter::from_fn(|| calendar.pop(Time(now))).collect() };
        assert_eq!([due(2), due(4), due(9)], ["", "ab", "cd"]);
    }
}
