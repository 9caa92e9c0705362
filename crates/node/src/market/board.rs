//! The offers of others, as many as there is room for. Whoever has said its own offer itself keeps its
//! place before those of whom others tell, and of these nobody tells of so many that there is no room
//! for what others tell.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Digest, NodeKey, Offer, Signed, Verified};

use super::digest;

/// The offers of others.
pub(super) struct Board {
    most: usize,
    offers: BTreeMap<NodeKey, Listed>,
    /// All of them, by when they came.
    order: BTreeMap<u64, NodeKey>,
    /// When those came of which others told, by who told.
    told: BTreeMap<NodeKey, BTreeSet<u64>>,
    /// Counts what comes.
    count: u64,
}

struct Listed {
    offer: Verified<Offer>,
    digest: Digest,
    at: u64,
    /// Who told of it, if the node never did itself.
    teller: Option<NodeKey>,
}

/// An offer, beside what is known of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// This very one is known.
    Same,
    /// One that is newer, or another one of its number.
    Other,
    /// None that is as new.
    Nothing,
}

impl Board {
    /// An empty one for so many offers.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            offers: BTreeMap::new(),
            order: BTreeMap::new(),
            told: BTreeMap::new(),
            count: 0,
        }
    }

    /// How an offer of that number and digest compares with what is known of the node.
    pub fn compare(&self, node: &NodeKey, sequence: u64, digest: &Digest) -> Seen {
        match self.offers.get(node) {
            Some(known) if known.digest == *digest => Seen::Same,
            Some(known) if known.offer.sequence >= sequence => Seen::Other,
            _ => Seen::Nothing,
        }
    }

    /// Takes an offer that `from` has told, if it is newer than the one that is known of its node. The
    /// one that had its place for longest makes room: of those that whoever tells of most has told,
    /// or, if everybody spoke for itself, of all. Whether it was taken.
    pub fn learn(&mut self, from: NodeKey, offer: Verified<Offer>) -> bool {
        let node = offer.node;
        let digest = digest(offer.as_signed());
        if self.compare(&node, offer.sequence, &digest) != Seen::Nothing {
            return false;
        }
        let before = self.remove(&node);
        if self.offers.len() >= self.most {
            self.make_room();
        }
        // Whoever was there itself once need not say everything itself.
        let was_there = before.is_some_and(|before| before.teller.is_none());
        let teller = (from != node && !was_there).then_some(from);
        self.count += 1;
        let listed = Listed {
            offer,
            digest,
            at: self.count,
            teller,
        };
        self.put(node, listed);
        true
    }

    /// Takes note that a node says itself what is known of it from others.
    pub fn confirm(&mut self, from: NodeKey, offer: &Signed<Offer>) {
        let known = self.offers.get(&from);
        let is_known = known.is_some_and(|known| known.offer.as_signed() == offer);
        if is_known && let Some(mut known) = self.remove(&from) {
            known.teller = None;
            self.put(from, known);
        }
    }

    /// The offer of a node.
    pub fn find(&self, node: &NodeKey) -> Option<&Verified<Offer>> {
        self.offers.get(node).map(|listed| &listed.offer)
    }

    /// All offers, the one that came last first.
    pub fn newest(&self) -> impl Iterator<Item = &Verified<Offer>> {
        let nodes = self.order.values().rev();
        nodes.filter_map(|node| self.find(node))
    }

    /// All offers, by the keys of their nodes.
    pub fn all(&self) -> impl Iterator<Item = &Verified<Offer>> {
        self.offers.values().map(|listed| &listed.offer)
    }

    /// Removes what has ended.
    pub fn forget(&mut self, now: u64) {
        let over = self.all().filter(|offer| offer.expires <= now);
        let over: Vec<NodeKey> = over.map(|offer| offer.node).collect();
        for node in &over {
            self.remove(node);
        }
    }

    pub fn len(&self) -> usize {
        self.offers.len()
    }

    fn make_room(&mut self) {
        let most = self.told.values().max_by_key(|told| told.len());
        let oldest = match most {
            Some(told) => told.first().copied(),
            None => self.order.keys().next().copied(),
        };
        let node = oldest.and_then(|at| self.order.get(&at).copied());
        node.and_then(|node| self.remove(&node));
    }

    fn put(&mut self, node: NodeKey, listed: Listed) {
        self.order.insert(listed.at, node);
        if let Some(teller) = listed.teller {
            self.told.entry(teller).or_default().insert(listed.at);
        }
        self.offers.insert(node, listed);
    }

    fn remove(&mut self, node: &NodeKey) -> Option<Listed> {
        let listed = self.offers.remove(node)?;
        self.order.remove(&listed.at);
        if let Some(teller) = listed.teller {
            let told = self.told.entry(teller).or_default();
            told.remove(&listed.at);
            if told.is_empty() {
                self.told.remove(&teller);
            }
        }
        Some(listed)
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Capacity, PriceTerms, SecretKey};

    use super::*;

    fn secret(number: u16) -> SecretKey {
        let mut seed = [3; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        SecretKey::from_seed(&seed)
    }

    fn key(number: u16) -> NodeKey {
        secret(number).node()
    }

    fn offer(number: u16, sequence: u64) -> Verified<Offer> {
        let secret = secret(number);
        let offer = Offer {
            node: secret.node(),
            operator: secret.node().into(),
            ledger: Digest([1; 32]),
            sequence,
            expires: 1_000,
            ask: PriceTerms {
                dispatch: 1,
                per_gfuel: 1,
                per_gib: 1,
            },
            credit: 0,
            capacity: Capacity {
                cores: 1,
                memory: 1,
                disk: 1,
                uplink: 1,
            },
            free: 1,
            speed: 1,
            profiles: Vec::new(),
            labels: BTreeMap::new(),
        };
        Verified::sign(&secret, offer)
    }

    fn has(board: &Board, number: u16) -> bool {
        board.find(&key(number)).is_some()
    }

    #[test]
    fn only_what_is_newer_is_taken() {
        let mut board = Board::new(10);
        assert!(board.learn(key(0), offer(1, 5)));
        assert!(!board.learn(key(0), offer(1, 5)));
        assert!(!board.learn(key(0), offer(1, 4)));
        assert!(board.learn(key(0), offer(1, 6)));
        let known = offer(1, 6);
        let same = digest(known.as_signed());
        assert_eq!(board.compare(&key(1), 6, &same), Seen::Same);
        assert_eq!(board.compare(&key(1), 6, &Digest([0; 32])), Seen::Other);
        assert_eq!(board.compare(&key(1), 7, &Digest([0; 32])), Seen::Nothing);
        assert_eq!(board.len(), 1);
        board.forget(1_000);
        assert_eq!(
            (board.len(), board.order.len(), board.told.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn flood_that_one_tells_of_takes_no_place_of_others() {
        let mut board = Board::new(20);
        board.learn(key(1), offer(1, 1));
        // The second speaks for itself after others did, the third never does.
        board.learn(key(1), offer(2, 1));
        board.confirm(key(2), offer(2, 1).as_signed());
        board.learn(key(1), offer(3, 1));
        for number in 100..200 {
            assert!(board.learn(key(9), offer(number, 1)), "there is room");
        }
        assert!((1..=3).all(|number| has(&board, number)));
        assert!(has(&board, 199) && !has(&board, 100), "the oldest goes");
        assert_eq!(board.len(), 20);

        // Many that speak for themselves take the place of those that nobody has met.
        for number in 200..220 {
            board.learn(key(number), offer(number, 1));
        }
        assert!(!has(&board, 3) && !has(&board, 199) && !has(&board, 1));
        assert_eq!((board.len(), board.told.len()), (20, 0));
    }

    #[test]
    fn whoever_speaks_again_is_not_the_oldest() {
        let mut board = Board::new(3);
        for number in 1..=3 {
            board.learn(key(number), offer(number, 1));
        }
        // Somebody else passes it on: it has been here itself.
        board.learn(key(2), offer(1, 2));
        assert!(board.told.is_empty());
        board.learn(key(4), offer(4, 1));
        assert!(has(&board, 1) && !has(&board, 2));
        let newest: Vec<NodeKey> = board.newest().map(|offer| offer.node).collect();
        assert_eq!(newest, [key(4), key(1), key(3)]);
    }
}
