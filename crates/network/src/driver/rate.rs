//! How many announcements a peer passes on, and which peers are cut off for passing on too many.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use libp2p::PeerId;

/// How long a peer stays cut off.
const CUT_OFF: Duration = Duration::from_secs(10 * 60);
/// Peers that are cut off at once. The one that was cut off first comes back early.
const MOST_CUT_OFF: usize = 1024;
/// A peer may pass on this many seconds' worth at once.
const BURST: f64 = 4.0;
/// And is cut off when it is this many seconds' worth over its rate.
const PATIENCE: f64 = 10.0;

/// What each connected peer passes on.
#[derive(Debug)]
pub struct Rates {
    per_second: f64,
    peers: HashMap<PeerId, Rate>,
    cut_off: VecDeque<(PeerId, Instant)>,
}

/// What may be passed on at once. Below zero while a peer is over its rate.
#[derive(Debug)]
struct Rate {
    left: f64,
    at: Instant,
}

/// What becomes of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    Free,
    TooMany,
    CutOff,
}

impl Rates {
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            peers: HashMap::new(),
            cut_off: VecDeque::new(),
        }
    }

    pub fn pass(&mut self, peer: PeerId, now: Instant) -> Passage {
        let burst = BURST * self.per_second;
        let rate = self.peers.entry(peer).or_insert(Rate {
            left: burst,
            at: now,
        });
        let earned = now.saturating_duration_since(rate.at).as_secs_f64() * self.per_second;
        rate.left = (rate.left + earned).min(burst) - 1.0;
        rate.at = now;
        match rate.left {
            left if left >= 0.0 => Passage::Free,
            left if left > -PATIENCE * self.per_second => Passage::TooMany,
            _ => Passage::CutOff,
        }
    }

    pub fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Notes that `peer` is cut off. Who comes back instead, if there are too many.
    pub fn cut_off(&mut self, peer: PeerId, now: Instant) -> Option<PeerId> {
        self.cut_off.push_back((peer, now));
        let is_full = self.cut_off.len() > MOST_CUT_OFF;
        is_full
            .then(|| self.cut_off.pop_front())
            .flatten()
            .map(|(peer, _)| peer)
    }

    /// A peer whose time is over.
    pub fn pardon(&mut self, now: Instant) -> Option<PeerId> {
        let (peer, since) = self.cut_off.front()?;
        let peer = *peer;
        let is_over = now.saturating_duration_since(*since) >= CUT_OFF;
        is_over.then(|| self.cut_off.pop_front())?;
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_at_its_rate_is_free_and_a_flood_is_cut_off() {
        let mut rates = Rates::new(100);
        let (calm, wild) = (PeerId::random(), PeerId::random());
        let start = Instant::now();
        for step in 0..2000u32 {
            let now = start + step * Duration::from_millis(10);
            assert_eq!(rates.pass(calm, now), Passage::Free, "{step}");
        }
        let passages: Vec<_> = (0..2000).map(|_| rates.pass(wild, start)).collect();
        assert!(
            passages[..400]
                .iter()
                .all(|passage| *passage == Passage::Free)
        );
        assert_eq!(passages[400], Passage::TooMany);
        assert_eq!(passages[1400], Passage::CutOff);
    }

    #[test]
    fn cut_off_ends_and_is_bounded() {
        let mut rates = Rates::new(1);
        let start = Instant::now();
        let first = PeerId::random();
        assert_eq!(rates.cut_off(first, start), None);
        assert_eq!(rates.pardon(start), None);
        assert_eq!(rates.pardon(start + CUT_OFF), Some(first));
        for _ in 0..MOST_CUT_OFF {
            assert_eq!(rates.cut_off(PeerId::random(), start), None);
        }
        assert!(rates.cut_off(PeerId::random(), start).is_some());
    }
}
