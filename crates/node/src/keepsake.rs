//! Which blobs are kept for what: what a job's turns took and gave until it is settled, programs for
//! as long as they are pinned. What nothing keeps any more is removed; what nothing ever kept, when
//! there is little room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use opensky_protocol::{Digest, codec};
use opensky_storage::{Collected, Keep, Row, Rows, RowsError, Store, StoreError, Table};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

/// Why a blob is kept, and which: a row without a value for each.
const KEPT: Table = Table::new("kept-1");

/// What nothing keeps and nobody has used for so long goes, though there is room.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Of so many parts of the disk that is given, one is free for what comes next.
const PARTS: u64 = 4;

/// What blobs are kept for.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking,
)]
pub(crate) enum For {
    /// Somebody's job: inputs of its turns here, and their outputs, until all of it is settled.
    Turns(Digest),
    /// An own job: its program, inputs and outputs.
    Job(Digest),
    /// Somebody's deployed program.
    Program(Digest),
}

/// A handle of the list. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keepsakes(Arc<List>);

struct List {
    store: Arc<Store>,
    rows: Arc<Rows>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    reasons: BTreeMap<For, BTreeSet<Digest>>,
    /// By the blob's name on disk, for whoever looks for what nothing keeps.
    count: BTreeMap<Digest, usize>,
}

impl Keepsakes {
    /// Reads the list.
    pub fn load(store: Arc<Store>, rows: Arc<Rows>) -> Result<Self, RowsError> {
        let mut kept = Kept::default();
        for row in rows.load_all(KEPT)? {
            let (key, _) = row?;
            // A row of another form was written by another version: what it keeps stays where it is.
            if let Ok((reason, blob)) = codec::decode(&key) {
                kept.add(&store, reason, vec![blob]);
            }
        }
        let kept = Mutex::new(kept);
        Ok(Self(Arc::new(List { store, rows, kept })))
    }

    /// Keeps blobs for a reason, beside those that it has kept already.
    pub fn keep_for(&self, reason: For, blobs: Vec<Digest>) -> Result<(), RowsError> {
        let new = self.lock().add(&self.0.store, reason, blobs);
        if new.is_empty() {
            return Ok(());
        }
        let rows = new.iter().map(|blob| row(&reason, blob, Some(Vec::new())));
        let rows = rows.collect();
        match reason {
            // Whoever asked for it is told that it is kept, and writes no row that this could go with.
            For::Program(_) => self.0.rows.submit(rows).map(drop),
            // With the job's or the turn's own row, which is handed in after it. If it is lost in a crash
            // the blob is kept for nothing, or brought again.
            For::Turns(_) | For::Job(_) => self.0.rows.submit_later(rows),
        }
    }

    /// No longer keeps what was kept for this reason. What nothing else keeps is removed: blocks.
    pub fn drop_for(&self, reason: &For) -> Result<(), RowsError> {
        let mut kept = self.lock();
        let all = kept.remove(&self.0.store, reason);
        for (blob, others) in &all {
            if *others == 0
                && let Err(error) = self.0.store.remove(blob)
            {
                tracing::warn!(%blob, %error, "a blob that nothing keeps was not removed");
            }
        }
        // Until here, so that nobody keeps one of them again before it is gone.
        drop(kept);
        let rows = all.iter().map(|(blob, _)| row(reason, blob, None));
        self.0.rows.submit_later(rows.collect())
    }

    /// Removes what nothing keeps, what was used last at the end, until a quarter of the disk that is
    /// given is free; and what nobody has used for a week. Blocks.
    pub fn make_room(&self) -> Result<Collected, StoreError> {
        let keep = Keep {
            unused: UNUSED,
            most: self.full(),
        };
        self.0
            .store
            .collect(SystemTime::now(), &keep, |name, remove| {
                let kept = self.lock();
                if !kept.count.contains_key(name) {
                    remove();
                }
            })
    }

    /// Whether room is to be made.
    pub fn is_full(&self) -> bool {
        self.0.store.used().0 > self.full()
    }

    fn full(&self) -> u64 {
        let (_, quota) = self.0.store.used();
        quota - quota / PARTS
    }

    /// Whether anything is kept for this reason.
    pub fn has(&self, reason: &For) -> bool {
        self.lock().reasons.contains_key(reason)
    }

    /// The own jobs for which something is kept.
    pub fn jobs(&self) -> Vec<Digest> {
        let reasons = &self.lock().reasons;
        let job = |reason: &For| match reason {
            For::Job(job) => Some(*job),
            For::Turns(_) | For::Program(_) => None,
        };
        reasons.keys().filter_map(job).collect()
    }

    /// The programs that are pinned here.
    pub fn pinned(&self) -> BTreeSet<Digest> {
        let reasons = &self.lock().reasons;
        let program = |reason: &For| match reason {
            For::Program(program) => Some(*program),
            For::Turns(_) | For::Job(_) => None,
        };
        reasons.keys().filter_map(program).collect()
    }

    /// How many programs are kept for others.
    pub fn programs(&self) -> usize {
        let reasons = &self.lock().reasons;
        let is_program = |reason: &&For| matches!(reason, For::Program(_));
        reasons.keys().filter(is_program).count()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(reason: &For, blob: &Digest, value: Option<Vec<u8>>) -> Row {
    Row {
        table: KEPT,
        key: codec::encode(&(reason, blob)),
        value,
    }
}

impl Kept {
    /// Those that were not kept for this reason before.
    fn add(&mut self, store: &Store, reason: For, blobs: Vec<Digest>) -> Vec<Digest> {
        let all = self.reasons.entry(reason).or_default();
        let new: Vec<_> = blobs.into_iter().filter(|blob| all.insert(*blob)).collect();
        for blob in &new {
            *self.count.entry(store.name_of(blob)).or_default() += 1;
        }
        new
    }

    /// The blobs, and how many other reasons there are to keep each.
    fn remove(&mut self, store: &Store, reason: &For) -> Vec<(Digest, usize)> {
        let blobs = self.reasons.remove(reason).unwrap_or_default();
        let less = |blob: Digest| {
            let name = store.name_of(&blob);
            let others = self.count.get(&name).map_or(0, |count| count - 1);
            match others {
                0 => self.count.remove(&name),
                _ => self.count.insert(name, others),
            };
            (blob, others)
        };
        blobs.into_iter().map(less).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_keeps_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let key = opensky_storage::SealKey::from_bytes([1; 32]);
        let store = Store::open_sealed(&folder.path().join("blobs"), &key).unwrap();
        let store = Arc::new(store.with_quota(100_000).unwrap());
        let rows = Arc::new(Rows::open(&folder.path().join("rows")).unwrap());
        let kept = Keepsakes::load(store.clone(), rows).unwrap();
        let blob = |byte: u8| store.put(&[byte; 30_000]).unwrap();
        let (first, second) = (blob(1), blob(2));
        kept.keep_for(For::Job(Digest([1; 32])), vec![first])
            .unwrap();
        assert!(!kept.is_full());
        kept.make_room().unwrap();
        assert!(store.has(&first) && store.has(&second));
        let third = blob(3);
        kept.keep_for(For::Program(third), vec![third]).unwrap();
        assert!(kept.is_full());
        let made = kept.make_room().unwrap();
        assert_eq!(made.blobs, 1);
        assert!(store.has(&first) && !store.has(&second) && store.has(&third));
        assert!(!kept.is_full());
    }

    #[test]
    fn blob_goes_with_the_last_reason_to_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("blobs")).unwrap());
        let rows = || Arc::new(Rows::open(&folder.path().join("rows")).unwrap());
        let blob = store.put(b"blob").unwrap();
        let (one, other) = (For::Job(Digest([1; 32])), For::Program(Digest([2; 32])));
        let first = rows();
        let kept = Keepsakes::load(store.clone(), first.clone()).unwrap();
        kept.keep_for(one, vec![blob, blob]).unwrap();
        kept.keep_for(other, vec![blob]).unwrap();
        kept.drop_for(&one).unwrap();
        assert!(store.has(&blob));
        drop((kept, first));

        let kept = Keepsakes::load(store.clone(), rows()).unwrap();
        assert!(kept.has(&other) && !kept.has(&one));
        kept.drop_for(&other).unwrap();
        assert!(!store.has(&blob));
    }
}
