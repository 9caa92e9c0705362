//! Which blobs are kept for what: what a job's turns took and gave until it is settled, programs for
//! as long as they are pinned or deployed. What nothing keeps any more is removed; what nothing ever kept, when
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
/// Blobs that are removed before others get a turn at the list.
const SLICE: usize = 16;

/// What blobs are kept for.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking,
)]
pub(crate) enum For {
    /// Somebody's job: inputs of its turns here, and their outputs, until all of it is settled.
    Turns(Digest),
    /// An own job: its program, inputs and outputs.
    Job(Digest),
    /// An own deployed program.
    Program(Digest),
    /// A program that others have had pinned.
    Pin(Digest),
    /// A request on a chain: what its run takes.
    Request(Digest),
    /// The same: what its run gave, which may be fetched when it is over.
    Result(Digest),
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
        // Nobody is told of it before a row is durable that is handed in after these: that of the job,
        // of the result, of the pin. A turn whose order is durable already keeps its inputs again.
        self.0.rows.submit_later(rows.collect())
    }

    /// No longer keeps what was kept for this reason. What nothing else keeps is removed, and what has
    /// come of it so far: blocks.
    pub fn drop_for(&self, reason: &For) -> Result<(), RowsError> {
        let blobs = self.lock().reasons.remove(reason).unwrap_or_default();
        let blobs: Vec<Digest> = blobs.into_iter().collect();
        for slice in blobs.chunks(SLICE) {
            self.drop_some(reason, slice)?;
        }
        Ok(())
    }

    fn drop_some(&self, reason: &For, blobs: &[Digest]) -> Result<(), RowsError> {
        // Until the end, so that nobody keeps one of them again before it is gone, nor hands in that it
        // does before this is handed in.
        let mut kept = self.lock();
        for blob in blobs {
            if kept.release(&self.0.store.name_of(blob)) == 0
                && let Err(error) = self.0.remove(blob)
            {
                tracing::warn!(%blob, %error, "a blob that nothing keeps was not removed");
            }
        }
        // Somebody may have begun to keep it again since the first slice.
        let again = kept.reasons.get(reason);
        let is_over = |blob: &&Digest| !again.is_some_and(|again| again.contains(*blob));
        let rows = blobs.iter().filter(is_over);
        let rows = rows.map(|blob| row(reason, blob, None)).collect();
        self.0.rows.submit_later(rows)
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
        let jobs = self.of(|reason| match reason {
            For::Job(job) => Some(*job),
            _ => None,
        });
        jobs.into_iter().collect()
    }

    /// All that is kept for requests on a chain.
    pub fn requests(&self) -> Vec<For> {
        let kept = self.lock();
        let all = kept.reasons.keys().copied();
        all.filter(|reason| matches!(reason, For::Request(_) | For::Result(_)))
            .collect()
    }

    /// The programs that are kept for others.
    pub fn pinned(&self) -> BTreeSet<Digest> {
        self.of(|reason| match reason {
            For::Pin(program) => Some(*program),
            _ => None,
        })
    }

    /// Whether a program is kept for others, or is an own one that is deployed.
    pub fn has_program(&self, program: &Digest) -> bool {
        self.has(&For::Pin(*program)) || self.has(&For::Program(*program))
    }

    /// Those, and the own ones that are deployed.
    pub fn programs(&self) -> BTreeSet<Digest> {
        self.of(|reason| match reason {
            For::Pin(program) | For::Program(program) => Some(*program),
            _ => None,
        })
    }

    fn of(&self, named: impl Fn(&For) -> Option<Digest>) -> BTreeSet<Digest> {
        self.lock().reasons.keys().filter_map(named).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn remove(&self, blob: &Digest) -> Result<(), StoreError> {
        self.store.discard_part(blob)?;
        self.store.remove(blob).map(drop)
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

    /// There is one reason less to keep the blob of that name. How many there are.
    fn release(&mut self, name: &Digest) -> usize {
        let others = self.count.get(name).map_or(0, |count| count - 1);
        match others {
            0 => self.count.remove(name),
            _ => self.count.insert(*name, others),
        };
        others
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

    #[test]
    fn all_blobs_of_a_reason_go_and_what_came_of_others_too() {
        let folder = tempfile::tempdir().unwrap();
        let key = opensky_storage::SealKey::from_bytes([1; 32]);
        let store = Store::open_sealed(&folder.path().join("blobs"), &key).unwrap();
        let store = Arc::new(store);
        let rows = || Arc::new(Rows::open(&folder.path().join("rows")).unwrap());
        let first = rows();
        let kept = Keepsakes::load(store.clone(), first.clone()).unwrap();
        let before = store.used();
        let whole = (0..3 * SLICE as u8 + 1).map(|byte| store.put(&[byte]).unwrap());
        let whole: Vec<Digest> = whole.collect();
        let part = Digest::of(&[7; 100_000]);
        drop(store.receive(&part, 100_000).unwrap());
        let job = For::Turns(Digest([1; 32]));
        kept.keep_for(job, [whole.clone(), vec![part]].concat())
            .unwrap();
        kept.drop_for(&job).unwrap();
        assert!(!kept.has(&job) && !whole.iter().any(|blob| store.has(blob)));
        assert_eq!(store.used(), before);
        drop((kept, first));
        assert!(!Keepsakes::load(store, rows()).unwrap().has(&job));
    }
}
