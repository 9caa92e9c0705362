//! How much of a worker each requester has: nobody gets more than is left for the others.

use std::collections::BTreeMap;

use opensky_protocol::NodeKey;

/// Turns of one requester.
#[derive(Clone, Copy, Default)]
struct Share {
    /// All that are not settled.
    turns: usize,
    /// Those that wait for a core or run on one.
    busy: usize,
    /// Those that nobody has seen the money for.
    unseen: usize,
}

/// What all requesters have together, and each of them.
#[derive(Default)]
pub(crate) struct Shares {
    each: BTreeMap<NodeKey, Share>,
    all: Share,
}

impl Shares {
    /// Whether a requester may have one turn more, when there may be so many of all: not if it has as
    /// many as are left. Whoever is alone gets half, one of two a third, and the next one who comes
    /// always finds room.
    pub(crate) fn allow(&self, requester: &NodeKey, turns: usize, busy: usize) -> bool {
        let own = self.each.get(requester).copied().unwrap_or_default();
        own.turns < turns.saturating_sub(self.all.turns)
            && own.busy < busy.saturating_sub(self.all.busy)
    }

    /// The same of a turn that nobody has seen the money for: whoever makes up jobs takes nothing from
    /// those who pay.
    pub(crate) fn allow_unseen(&self, requester: &NodeKey, unseen: usize) -> bool {
        let own = self.each.get(requester).copied().unwrap_or_default();
        own.unseen < unseen.saturating_sub(self.all.unseen)
    }

    /// A turn of it that was taken on waits until the money is seen.
    pub(crate) fn look(&mut self, requester: &NodeKey) {
        if let Some(share) = self.each.get_mut(requester) {
            self.all.unseen += 1;
            share.unseen += 1;
        }
    }

    /// It does not wait for that any more.
    pub(crate) fn looked(&mut self, requester: &NodeKey) {
        if let Some(share) = self.each.get_mut(requester) {
            self.all.unseen -= 1;
            share.unseen -= 1;
        }
    }

    /// A turn of it was taken on.
    pub(crate) fn take(&mut self, requester: NodeKey) {
        self.all.turns += 1;
        self.each.entry(requester).or_default().turns += 1;
    }

    /// Nothing is to be done about a turn of it any more.
    pub(crate) fn settle(&mut self, requester: &NodeKey) {
        let Some(share) = self.each.get_mut(requester) else {
            return;
        };
        self.all.turns -= 1;
        share.turns -= 1;
        if share.turns == 0 {
            self.each.remove(requester);
        }
    }

    /// A turn of it waits for a core.
    pub(crate) fn begin(&mut self, requester: &NodeKey) {
        if let Some(share) = self.each.get_mut(requester) {
            self.all.busy += 1;
            share.busy += 1;
        }
    }

    /// It neither waits nor runs any more.
    pub(crate) fn end(&mut self, requester: &NodeKey) {
        if let Some(share) = self.each.get_mut(requester) {
            self.all.busy -= 1;
            share.busy -= 1;
        }
    }

    /// Turns of all that wait for a core or run on one.
    pub(crate) fn busy(&self) -> usize {
        self.all.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: NodeKey = NodeKey([1; 32]);
    const SECOND: NodeKey = NodeKey([2; 32]);

    fn fill(shares: &mut Shares, who: NodeKey) -> usize {
        let mut count = 0;
        while shares.allow(&who, 1_000, 120) {
            shares.take(who);
            shares.begin(&who);
            count += 1;
        }
        count
    }

    #[test]
    fn whoever_comes_finds_room() {
        let mut shares = Shares::default();
        assert_eq!(fill(&mut shares, FIRST), 60);
        assert_eq!(fill(&mut shares, SECOND), 30);
        for _ in 0..60 {
            shares.end(&FIRST);
            shares.settle(&FIRST);
        }
        assert_eq!(fill(&mut shares, SECOND), 30);
        assert_eq!((shares.busy(), shares.each.len()), (60, 1));
    }

    #[test]
    fn results_that_wait_for_their_end_count_too() {
        let mut shares = Shares::default();
        while shares.allow(&FIRST, 100, 120) {
            shares.take(FIRST);
        }
        assert_eq!(shares.all.turns, 50);
        assert!(shares.allow(&SECOND, 100, 120));
    }
}
