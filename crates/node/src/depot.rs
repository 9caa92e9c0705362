//! The blobs of this node: what it has for others, and what it brings from them.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opensky_network::{BlobReader, Blobs, FetchError, Network, Sink};
use opensky_protocol::{Digest, NodeKey};
use opensky_storage::{Blob, Receiving, Store, StoreError};
use tokio::task::spawn_blocking;

/// Runs of missing bytes that are looked at, of a blob that came in part.
const RUNS: usize = 65_536;

/// Why a blob did not come to this node's store.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// Nobody gave it.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that stored it died.
    #[error("the thread that stores blobs died")]
    Thread,
}

/// Whoever wants the same blob waits for its turn.
type Turns = BTreeMap<Digest, Arc<tokio::sync::Mutex<()>>>;

/// The store, and the way in and out of it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Depot {
    store: Arc<Store>,
    turns: Arc<Mutex<Turns>>,
}

impl Depot {
    /// A depot over a sealed store.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            turns: Arc::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Makes sure that the blob is here: fetches it from `sources` if it is not. At most `limit`
    /// bytes are taken. May be dropped: what came by then is found again.
    pub async fn bring(
        &self,
        network: &Network,
        digest: Digest,
        sources: &[NodeKey],
        limit: u64,
    ) -> Result<(), BringError> {
        if self.store.has(&digest) {
            return Ok(());
        }
        let turn = self.lock().entry(digest).or_default().clone();
        let alone = turn.lock().await;
        let brought = match self.store.has(&digest) {
            true => Ok(()),
            false => self.fetch(network, digest, sources, limit).await,
        };
        drop(alone);
        self.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
        brought
    }

    async fn fetch(
        &self,
        network: &Network,
        digest: Digest,
        sources: &[NodeKey],
        limit: u64,
    ) -> Result<(), BringError> {
        let mut parcel = Parcel {
            store: self.store.clone(),
            digest,
            receiving: None,
            failed: None,
        };
        let fetched = network.fetch(digest, sources, &mut parcel, limit).await;
        if let Some(error) = parcel.failed {
            return Err(error.into());
        }
        fetched?;
        let Some(receiving) = parcel.receiving else {
            return Err(StoreError::Missing(digest).into());
        };
        let finished = spawn_blocking(|| receiving.finish()).await;
        Ok(finished.map_err(|_| BringError::Thread)??)
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is served to other nodes: whoever knows a blob's digest may have it.
impl Blobs for Depot {
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>> {
        Some(Arc::new(Open(self.store.blob(digest).ok()?)))
    }
}

struct Open(Blob);

impl BlobReader for Open {
    fn length(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.0.read_at(offset, buffer) {
            Ok(read) if read == buffer.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// A blob on its way into the store.
struct Parcel {
    store: Arc<Store>,
    digest: Digest,
    receiving: Option<Receiving>,
    /// What the store said when it would not go on.
    failed: Option<StoreError>,
}

impl Parcel {
    fn fail(&mut self, error: StoreError) -> io::Error {
        let text = error.to_string();
        self.failed = Some(error);
        io::Error::other(text)
    }
}

impl Sink for Parcel {
    fn begin(&mut self, length: u64) -> io::Result<Vec<Range<u64>>> {
        let receiving = match self.store.receive(&self.digest, length) {
            Ok(receiving) => receiving,
            Err(error) => return Err(self.fail(error)),
        };
        let held = held(length, &receiving.missing(RUNS));
        self.receiving = Some(receiving);
        Ok(held)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(receiving) = &self.receiving else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match receiving.write_at(offset, bytes) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }
}

/// What is there of a blob of that length, when this is missing. Where there are too many runs to
/// know, what follows the last counts as missing.
fn held(length: u64, missing: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut held = Vec::new();
    let mut at = 0;
    for run in missing {
        if at < run.start {
            held.push(at..run.start);
        }
        at = run.end;
    }
    if missing.len() < RUNS && at < length {
        held.push(at..length);
    }
    held
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // lists of ranges are what is tested
mod tests {
    use super::*;

    #[test]
    fn held_is_what_is_not_missing() {
        assert_eq!(held(0, &[]), []);
        assert_eq!(held(9, &[]), [0..9]);
        assert_eq!(held(9, std::slice::from_ref(&(0..9))), []);
        assert_eq!(held(9, &[0..2, 4..5]), [2..4, 5..9]);
        assert_eq!(held(9, &[3..9]), [0..3]);
    }
}
