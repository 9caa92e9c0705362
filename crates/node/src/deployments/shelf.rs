//! Records in memory: those that stay, and a bounded number of others, of which each who tells them
//! has a share.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Deployment, Digest, NodeKey, Signed, codec};

/// Records that are remembered for others.
const CACHED: usize = 4_096;
/// Of these, as many as one node has told: what the table of peers keeps for one.
const OF_TELLER: usize = 64;
/// Records of one program that is pinned here. Anyone may give it a name.
const OF_PROGRAM: usize = 8;
/// Bytes of a record. The table of peers takes twice as many.
const MOST_BYTES: usize = 4 << 10;

/// What a record is to this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// It is the newest that is known, and may have been before.
    Newest,
    /// A newer one is known, or another one of the same number.
    Old,
    /// It is out of bounds, or not signed by its publisher.
    Unsound,
}

/// How long a record is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stay {
    /// For good: it is this node's own.
    Own,
    /// For good, if there are not too many of its program.
    Pinned,
    /// Until others take its place.
    Cached,
}

/// All records.
#[derive(Default)]
pub(super) struct Shelf {
    known: BTreeMap<Digest, Kept>,
    /// Records that stay and are pinned, by their program.
    pinned: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Records that are cached, by who told them and when.
    told: BTreeMap<NodeKey, BTreeSet<(u64, Digest)>>,
    cached: usize,
    /// Counts what was told.
    count: u64,
}

struct Kept {
    record: Signed<Deployment>,
    place: Place,
}

/// What became of a record that was told.
pub(super) struct Learned {
    pub heard: Heard,
    /// Whether what is kept for good under its id is something else than before.
    pub is_changed: bool,
}

/// Why it is kept.
#[derive(Clone, Copy)]
enum Place {
    Own,
    Pinned,
    Cached { teller: NodeKey, at: u64 },
}

impl Shelf {
    /// Takes a record on that `from` has told, if it is sound and newer than the one that is known.
    pub fn learn(&mut self, from: NodeKey, record: Signed<Deployment>, stay: Stay) -> Learned {
        let id = record.value.id();
        let unchanged = |heard| Learned {
            heard,
            is_changed: false,
        };
        let stayed = self.staying(&id).is_some();
        if let Some(known) = self.known.get(&id) {
            let is_same = known.record == record;
            if !is_same && known.record.value.sequence >= record.value.sequence {
                return unchanged(Heard::Old);
            }
            // Its program may be pinned meanwhile.
            if is_same && (stayed || stay == Stay::Cached) {
                return unchanged(Heard::Newest);
            }
        }
        if !is_sound(&record) {
            return unchanged(Heard::Unsound);
        }
        self.remove(&id);
        self.put(from, id, record, stay);
        Learned {
            heard: Heard::Newest,
            is_changed: stayed || self.staying(&id).is_some(),
        }
    }

    /// The record of that id, if it is kept for good.
    pub fn staying(&self, id: &Digest) -> Option<&Signed<Deployment>> {
        let kept = self.known.get(id)?;
        let stays = !matches!(kept.place, Place::Cached { .. });
        stays.then_some(&kept.record)
    }

    pub fn find(&self, id: &Digest) -> Option<&Signed<Deployment>> {
        self.known.get(id).map(|kept| &kept.record)
    }

    pub fn all(&self) -> impl Iterator<Item = &Signed<Deployment>> {
        self.known.values().map(|kept| &kept.record)
    }

    fn put(&mut self, from: NodeKey, id: Digest, record: Signed<Deployment>, stay: Stay) {
        let of_program = self.pinned.get(&record.value.program);
        let has_place = of_program.is_none_or(|of_program| of_program.len() < OF_PROGRAM);
        let place = match stay {
            Stay::Own => Place::Own,
            Stay::Pinned if has_place => {
                let of_program = self.pinned.entry(record.value.program).or_default();
                of_program.insert(id);
                Place::Pinned
            }
            Stay::Pinned | Stay::Cached => self.cache(from, id),
        };
        self.known.insert(id, Kept { record, place });
    }

    /// Makes room, and takes a place that is one of `teller`'s.
    fn cache(&mut self, teller: NodeKey, id: Digest) -> Place {
        let own = self.told.get(&teller).map_or(0, BTreeSet::len);
        if own >= OF_TELLER {
            self.forget_oldest(&teller);
        } else if self.cached >= CACHED {
            let most = self.told.iter().max_by_key(|(_, told)| told.len());
            if let Some(most) = most.map(|(teller, _)| *teller) {
                self.forget_oldest(&most);
            }
        }
        self.count += 1;
        let at = self.count;
        self.told.entry(teller).or_default().insert((at, id));
        self.cached += 1;
        Place::Cached { teller, at }
    }

    fn forget_oldest(&mut self, teller: &NodeKey) {
        let told = self.told.get(teller);
        if let Some((_, oldest)) = told.and_then(BTreeSet::first).copied() {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, id: &Digest) {
        let Some(kept) = self.known.remove(id) else {
            return;
        };
        match kept.place {
            Place::Own => {}
            Place::Pinned => {
                let program = kept.record.value.program;
                let of_program = self.pinned.entry(program).or_default();
                of_program.remove(id);
                if of_program.is_empty() {
                    self.pinned.remove(&program);
                }
            }
            Place::Cached { teller, at } => {
                let told = self.told.entry(teller).or_default();
                told.remove(&(at, *id));
                if told.is_empty() {
                    self.told.remove(&teller);
                }
                self.cached -= 1;
            }
        }
    }
}

/// Whether a record is within bounds and signed by its publisher.
pub(super) fn is_sound(record: &Signed<Deployment>) -> bool {
    record.value.is_bounded() && codec::encode(record).len() <= MOST_BYTES && record.holds()
}

#[cfg(test)]
pub(super) mod tests {
    use opensky_protocol::{Limits, Manifest, Profile, SecretKey, Verified};

    use super::*;

    fn secret(number: u16) -> SecretKey {
        let mut seed = [7; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        SecretKey::from_seed(&seed)
    }

    fn key(number: u16) -> NodeKey {
        secret(number).node()
    }

    /// What publisher `number` says of the program of that number.
    pub(in crate::deployments) fn record(
        number: u16,
        program: u8,
        sequence: u64,
    ) -> Signed<Deployment> {
        let secret = secret(number);
        let record = Deployment {
            publisher: secret.node(),
            name: "name".into(),
            program: Digest([program; 32]),
            program_len: 1,
            sequence,
            manifest: Manifest {
                profile: Profile::new("1"),
                limits: Limits {
                    fuel: 1,
                    memory: 1,
                    output: 1,
                    log: 1,
                },
                replicas: None,
                price: None,
                about: String::new(),
            },
        };
        Verified::sign(&secret, record).into_signed()
    }

    #[test]
    fn what_is_old_or_forged_takes_no_place() {
        let teller = key(0);
        let mut shelf = Shelf::default();
        let good = record(1, 1, 5);
        let id = good.value.id();
        let mut learn = |record: &Signed<Deployment>| {
            let learned = shelf.learn(teller, record.clone(), Stay::Cached);
            assert_eq!(shelf.find(&id), Some(&good));
            assert!(!learned.is_changed);
            learned.heard
        };
        assert_eq!(learn(&good), Heard::Newest);
        assert_eq!(learn(&good), Heard::Newest, "said again");
        assert_eq!(learn(&record(1, 2, 4)), Heard::Old, "an older one");
        assert_eq!(learn(&record(1, 2, 5)), Heard::Old, "another of its number");
        let mut forged = good.clone();
        forged.value.program = Digest([9; 32]);
        assert_eq!(learn(&forged), Heard::Old);
        forged.value.sequence = 6;
        assert_eq!(learn(&forged), Heard::Unsound);
        let mut long = record(1, 1, 7).value;
        long.manifest.profile = Profile::new("1".repeat(MOST_BYTES));
        let long = Verified::sign(&secret(1), long).into_signed();
        assert_eq!(learn(&long), Heard::Unsound, "it is long");
        let newer = record(1, 2, 6);
        let learned = shelf.learn(teller, newer.clone(), Stay::Cached);
        assert_eq!(learned.heard, Heard::Newest);
        assert_eq!(shelf.find(&id), Some(&newer));
    }

    #[test]
    fn a_flood_fills_its_tellers_share_and_what_stays_stays() {
        let mut shelf = Shelf::default();
        let (own, pinned, modest) = (record(1, 1, 1), record(2, 2, 1), record(3, 3, 1));
        shelf.learn(key(0), own.clone(), Stay::Own);
        shelf.learn(key(0), pinned.clone(), Stay::Pinned);
        shelf.learn(key(3), modest.clone(), Stay::Cached);
        for number in 100..300 {
            let junk = record(number, 4, 1);
            let learned = shelf.learn(key(100), junk, Stay::Cached);
            assert_eq!(learned.heard, Heard::Newest, "what is new has room");
        }
        assert_eq!(shelf.known.len(), 3 + OF_TELLER);
        assert!(shelf.find(&record(299, 4, 1).value.id()).is_some());
        // As many names for the pinned program.
        for number in 300..400 {
            shelf.learn(key(100), record(number, 2, 1), Stay::Pinned);
        }
        assert_eq!(
            shelf.known.len(),
            3 + OF_TELLER + OF_PROGRAM - 1,
            "names of a pinned program are bounded too"
        );
        for kept in [&own, &pinned, &modest] {
            assert_eq!(shelf.find(&kept.value.id()), Some(kept));
        }
        assert_eq!(shelf.cached, 1 + OF_TELLER);
    }

    #[test]
    fn full_cache_takes_from_whoever_has_told_most() {
        let mut shelf = Shelf::default();
        let modest = record(1, 1, 1);
        shelf.learn(key(1), modest.clone(), Stay::Cached);
        let tellers = CACHED / OF_TELLER + 1;
        for number in 0..(OF_TELLER * tellers) as u16 {
            let teller = key(60_000 + number % tellers as u16);
            shelf.learn(teller, record(1_000 + number, 2, 1), Stay::Cached);
        }
        assert_eq!((shelf.known.len(), shelf.cached), (CACHED, CACHED));
        assert_eq!(shelf.find(&modest.value.id()), Some(&modest));
        let told: usize = shelf.told.values().map(BTreeSet::len).sum();
        assert_eq!(told, CACHED);
    }

    #[test]
    fn what_is_written_down_follows_what_is_pinned() {
        let mut shelf = Shelf::default();
        let first = record(1, 1, 1);
        let id = first.value.id();
        let mut learn = |record: &Signed<Deployment>, stay| {
            let learned = shelf.learn(key(0), record.clone(), stay);
            (learned.is_changed, shelf.staying(&id).cloned())
        };
        assert_eq!(learn(&first, Stay::Cached), (false, None));
        let stays = Some(first.clone());
        assert_eq!(learn(&first, Stay::Pinned), (true, stays.clone()));
        assert_eq!(learn(&first, Stay::Pinned), (false, stays));
        assert_eq!(learn(&record(1, 2, 2), Stay::Cached), (true, None));
        assert_eq!(shelf.pinned.len(), 0);
        assert_eq!(shelf.cached, 1);
    }
}
