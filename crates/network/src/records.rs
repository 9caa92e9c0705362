//! What this node keeps of the distributed table: its own records, and a bounded number for others.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use libp2p::{
    PeerId,
    kad::{
        KBucketDistance, KBucketKey, ProviderRecord, Record, RecordKey,
        store::{Error, RecordStore, Result},
    },
};

use crate::config::Limits;

/// Bytes of one record: what fits a packet with room for what is around it.
pub const RECORD_BYTES: usize = 8 << 10;
/// Records and keys of our own.
const MOST_OWN: usize = 4096;
/// Providers of one key: as many as are asked for one.
const PROVIDERS_PER_KEY: usize = 20;
/// What is kept of a provider's addresses. They are hints: whoever needs the provider looks it up.
const ADDRESSES: usize = 4;
const ADDRESS_BYTES: usize = 128;

/// The records that this node keeps.
pub struct Records {
    me: PeerId,
    most: usize,
    most_per_peer: usize,
    own: HashMap<RecordKey, Record>,
    kept: HashMap<RecordKey, Kept>,
    provided: HashMap<RecordKey, ProviderRecord>,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// How many records and provider records are kept for each peer. No zeros.
    counts: HashMap<PeerId, usize>,
}

struct Kept {
    record: Record,
    from: PeerId,
}

impl Records {
    pub fn new(me: PeerId, limits: &Limits) -> Self {
        Self {
            me,
            most: limits.records,
            most_per_peer: limits.records_per_peer,
            own: HashMap::new(),
            kept: HashMap::new(),
            provided: HashMap::new(),
            providers: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// Keeps a record for `from`. If there is no room, the record whose key is farthest from this
    /// node makes room: others are nearer to it, and keep it.
    pub fn keep(&mut self, from: PeerId, mut record: Record) -> Result<()> {
        if record.value.len() > RECORD_BYTES || self.own.contains_key(&record.key) {
            return Err(Error::ValueTooLarge);
        }
        let replaced = self.kept.get(&record.key);
        if replaced.map(|kept| kept.from) != Some(from) && self.count(&from) >= self.most_per_peer {
            return Err(Error::MaxRecords);
        }
        // Whoever says it again may make it live longer, and not shorter. One without an end has none.
        if let Some(replaced) = replaced {
            let ends = record.expires.zip(replaced.record.expires);
            record.expires = ends.map(|(new, old)| new.max(old));
        }
        self.forget(&record.key);
        if self.kept.len() >= self.most {
            let farthest = self.kept.keys().max_by_key(|key| self.distance(key));
            let farthest = farthest.cloned().ok_or(Error::MaxRecords)?;
            if self.distance(&farthest) < self.distance(&record.key) {
                return Err(Error::MaxRecords);
            }
            self.forget(&farthest);
        }
        *self.counts.entry(from).or_default() += 1;
        self.kept.insert(record.key.clone(), Kept { record, from });
        Ok(())
    }

    fn distance(&self, key: &RecordKey) -> KBucketDistance {
        KBucketKey::from(self.me).distance(&KBucketKey::new(key.clone()))
    }

    fn count(&self, peer: &PeerId) -> usize {
        self.counts.get(peer).copied().unwrap_or(0)
    }

    fn uncount(&mut self, peer: &PeerId) {
        if let Entry::Occupied(mut count) = self.counts.entry(*peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn forget(&mut self, key: &RecordKey) {
        if let Some(kept) = self.kept.remove(key) {
            self.uncount(&kept.from);
        }
    }

    fn keep_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        record
            .addresses
            .retain(|address| address.as_ref().len() <= ADDRESS_BYTES);
        record.addresses.truncate(ADDRESSES);
        let keys = self.providers.len();
        let listed = self.providers.get_mut(&record.key);
        let known = listed.and_then(|list| {
            let mut list = list.iter_mut();
            list.find(|known| known.provider == record.provider)
        });
        if let Some(known) = known {
            *known = record;
            return Ok(());
        }
        let is_full = self.count(&record.provider) >= self.most_per_peer
            || (keys >= self.most && !self.providers.contains_key(&record.key));
        if is_full {
            return Err(Error::MaxProvidedKeys);
        }
        let list = self.providers.entry(record.key.clone()).or_default();
        if list.len() >= PROVIDERS_PER_KEY {
            return Err(Error::MaxProvidedKeys);
        }
        *self.counts.entry(record.provider).or_default() += 1;
        list.push(record);
        Ok(())
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = Box<dyn Iterator<Item = Cow<'a, Record>> + 'a>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let own = self.own.get(key);
        let kept = || self.kept.get(key).map(|kept| &kept.record);
        own.or_else(kept).map(Cow::Borrowed)
    }

    /// Stores a record of our own: others' come through [`Records::keep`].
    fn put(&mut self, record: Record) -> Result<()> {
        if record.value.len() > RECORD_BYTES {
            return Err(Error::ValueTooLarge);
        }
        if self.own.len() >= MOST_OWN && !self.own.contains_key(&record.key) {
            return Err(Error::MaxRecords);
        }
        self.forget(&record.key);
        self.own.insert(record.key.clone(), record);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        self.own.remove(key);
        self.forget(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        let kept = self.kept.values().map(|kept| &kept.record);
        Box::new(self.own.values().chain(kept).map(Cow::Borrowed))
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        if record.provider != self.me {
            return self.keep_provider(record);
        }
        if self.provided.len() >= MOST_OWN && !self.provided.contains_key(&record.key) {
            return Err(Error::MaxProvidedKeys);
        }
        self.provided.insert(record.key.clone(), record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let others = self.providers.get(key).into_iter().flatten();
        self.provided
            .get(key)
            .into_iter()
            .chain(others)
            .cloned()
            .collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        Box::new(self.provided.values().map(Cow::Borrowed))
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.me {
            self.provided.remove(key);
            return;
        }
        let Entry::Occupied(mut list) = self.providers.entry(key.clone()) else {
            return;
        };
        let before = list.get().len();
        list.get_mut().retain(|record| record.provider != *provider);
        let is_gone = list.get().len() < before;
        if list.get().is_empty() {
            list.remove();
        }
        if is_gone {
            self.uncount(provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        let limits = Limits {
            records: 100,
            records_per_peer: 10,
            ..Limits::default()
        };
        Records::new(PeerId::random(), &limits)
    }

    fn key(number: u32) -> RecordKey {
        RecordKey::new(&number.to_be_bytes())
    }

    fn record(number: u32) -> Record {
        Record::new(key(number), vec![1; 100])
    }

    #[test]
    fn one_peer_fills_its_part_and_many_fill_what_there_is() {
        let mut store = records();
        let greedy = PeerId::random();
        for number in 0..1000 {
            let _ = store.keep(greedy, record(number));
        }
        assert_eq!(store.records().count(), 10);
        for number in 0..1000 {
            let _ = store.keep(PeerId::random(), record(number));
        }
        assert_eq!(store.records().count(), 100);
        let counted: usize = store.counts.values().sum();
        assert_eq!(counted, 100);
    }

    #[test]
    fn full_store_keeps_what_is_nearest() {
        let mut store = records();
        for number in 0..1000 {
            let _ = store.keep(PeerId::random(), record(number));
        }
        let mut all: Vec<u32> = (0..1000).collect();
        all.sort_by_key(|number| store.distance(&key(*number)));
        assert!(
            all[..100]
                .iter()
                .all(|number| store.get(&key(*number)).is_some())
        );
    }

    #[test]
    fn record_that_is_said_again_lives_no_shorter() {
        let mut store = records();
        let now = std::time::Instant::now();
        let until = |seconds| Some(now + std::time::Duration::from_secs(seconds));
        let mut keep = |ends| {
            let mut record = record(1);
            record.expires = ends;
            store.keep(PeerId::random(), record).unwrap();
            store.get(&key(1)).unwrap().expires
        };
        assert_eq!(keep(until(100)), until(100));
        assert_eq!(keep(until(1)), until(100));
        assert_eq!(keep(until(200)), until(200));
    }

    #[test]
    fn strangers_do_not_replace_our_own_record_nor_send_large_ones() {
        let mut store = records();
        store.put(record(1)).unwrap();
        let mut other = record(1);
        other.value = vec![2];
        assert!(store.keep(PeerId::random(), other).is_err());
        assert_eq!(store.get(&key(1)).unwrap().value, vec![1; 100]);
        let large = Record::new(key(2), vec![0; RECORD_BYTES + 1]);
        assert!(store.keep(PeerId::random(), large).is_err());
    }

    #[test]
    fn providers_are_bounded_by_peer_and_key_and_their_addresses_too() {
        let mut store = records();
        let greedy = PeerId::random();
        let address: libp2p::Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        for number in 0..1000 {
            let addresses = vec![address.clone(); 50];
            let _ = store.add_provider(ProviderRecord::new(key(number), greedy, addresses));
        }
        assert_eq!(store.providers.len(), 10);
        assert_eq!(store.providers(&key(0))[0].addresses.len(), ADDRESSES);
        for _ in 0..1000 {
            let record = ProviderRecord::new(key(0), PeerId::random(), Vec::new());
            let _ = store.add_provider(record);
        }
        assert_eq!(store.providers(&key(0)).len(), PROVIDERS_PER_KEY);
        store.remove_provider(&key(0), &greedy);
        assert_eq!(store.count(&greedy), 9);
    }
}
