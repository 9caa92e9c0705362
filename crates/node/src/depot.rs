//! The blobs of this node: what it has for others, and what it brings from them.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opensky_network::{BlobReader, Blobs, FetchError, Network, Sink};
use opensky_protocol::{Digest, NodeKey};
use opensky_storage::{Blob, Receiving, Store, StoreError};
use tokio::{
    sync::{Notify, OwnedMutexGuard},
    task::{block_in_place, spawn_blocking},
    time::{Instant, sleep_until, timeout_at},
};

/// Bytes of a stranger's program: it is in memory as a whole when it is compiled.
pub(crate) const LARGEST_PROGRAM: u64 = 256 << 20;
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
    /// Whoever gave it took too long.
    #[error("it took too long")]
    Late,
    /// The thread that stored it died.
    #[error("the thread that stores blobs died")]
    Thread,
}

/// How long a blob is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For all of it.
    pub until: Instant,
    /// For the next piece of it.
    pub silence: Duration,
}

impl Patience {
    /// Waits for a fetch that says when a piece `came`.
    async fn wait<T>(
        self,
        fetch: impl Future<Output = Result<T, FetchError>>,
        came: &Notify,
    ) -> Result<T, BringError> {
        let mut fetch = pin!(fetch);
        loop {
            let next = Instant::now() + self.silence;
            tokio::select! {
                // What is there was in time.
                biased;
                fetched = &mut fetch => return Ok(fetched?),
                () = came.notified() => {}
                () = sleep_until(next.min(self.until)) => return Err(BringError::Late),
            }
        }
    }
}

/// Bytes that may still be taken in, of blobs that may come at the same time.
#[derive(Debug)]
pub(crate) struct Allowance(AtomicU64);

impl Allowance {
    /// So many, in all.
    pub fn of(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes a blob of that length from it, or nothing.
    fn take(&self, digest: Digest, length: u64) -> Result<(), FetchError> {
        let rest = |left: u64| left.checked_sub(length);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        taken.map(drop).map_err(|limit| FetchError::TooLong {
            digest,
            length,
            limit,
        })
    }
}

/// Whoever wants the same blob waits for its turn.
type Turns = BTreeMap<Digest, Arc<tokio::sync::Mutex<()>>>;
/// Somebody's turn, until the last of those who act in it is done.
type Turn = Arc<OwnedMutexGuard<()>>;

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

    /// Makes sure that the blob is here: fetches it from `sources` if it is not, however long that
    /// takes. At most `limit` bytes are taken. What came of it is found again, also if this is dropped.
    pub async fn bring(
        &self,
        network: &Network,
        digest: Digest,
        sources: &[NodeKey],
        limit: u64,
    ) -> Result<(), BringError> {
        let fetch = async |turn: Turn| {
            let mut parcel = self.parcel(digest, None);
            let fetched = network.fetch(digest, sources, &mut parcel, limit).await;
            self.put_in(parcel, fetched.map(drop), turn).await
        };
        self.in_turn(digest, None, fetch).await
    }

    /// The same for strangers, from whomever they name, with patience: when that is over, and where nobody
    /// gives it, nothing of it takes room here. If this is dropped it does, until whoever keeps the blob lets it
    /// go. Its bytes are taken from `allowance` once, also if it is here already.
    pub async fn bring_patiently(
        &self,
        patience: Patience,
        network: &Network,
        digest: Digest,
        sources: &[NodeKey],
        allowance: &Allowance,
    ) -> Result<(), BringError> {
        let mut is_taken = false;
        let fetch = async |turn: Turn| {
            is_taken = true;
            let mut parcel = self.parcel(digest, Some(allowance));
            let came = parcel.came.clone();
            let fetch = network.fetch(digest, sources, &mut parcel, allowance.left());
            let fetched = patience.wait(fetch, &came).await;
            let put = self.put_in(parcel, fetched.map(drop), turn.clone()).await;
            if put.is_err() {
                self.discard(digest, turn).await;
            }
            put
        };
        self.in_turn(digest, Some(patience.until), fetch).await?;
        if !is_taken {
            allowance.take(digest, self.store.len(&digest)?)?;
        }
        Ok(())
    }

    /// Does it unless the blob is here, with nobody else who does, for whom it waits no longer than until
    /// then. If this is dropped, what it has begun on the disk keeps its turn until it is done.
    async fn in_turn(
        &self,
        digest: Digest,
        until: Option<Instant>,
        fetch: impl AsyncFnOnce(Turn) -> Result<(), BringError>,
    ) -> Result<(), BringError> {
        if self.store.has(&digest) {
            return Ok(());
        }
        let turn = self.lock().entry(digest).or_default().clone();
        let locked = turn.lock_owned();
        let locked = match until {
            Some(until) => timeout_at(until, locked).await,
            None => Ok(locked.await),
        };
        let turn: Turn = Arc::new(locked.map_err(|_| BringError::Late)?);
        let brought = match self.store.has(&digest) {
            true => Ok(()),
            false => fetch(turn.clone()).await,
        };
        drop(turn);
        self.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
        brought
    }

    fn parcel<'a>(&self, digest: Digest, allowance: Option<&'a Allowance>) -> Parcel<'a> {
        Parcel {
            store: self.store.clone(),
            digest,
            allowance,
            receiving: None,
            came: Arc::default(),
            failed: None,
        }
    }

    /// Gives a blob that has come its name.
    async fn put_in(
        &self,
        parcel: Parcel<'_>,
        fetched: Result<(), impl Into<BringError>>,
        turn: Turn,
    ) -> Result<(), BringError> {
        let digest = parcel.digest;
        if let Some(error) = parcel.failed {
            return Err(error);
        }
        fetched.map_err(Into::into)?;
        let Some(receiving) = parcel.receiving else {
            return Err(StoreError::Missing(digest).into());
        };
        let finish = move || {
            let _turn = turn;
            receiving.finish()
        };
        let finished = spawn_blocking(finish).await;
        Ok(finished.map_err(|_| BringError::Thread)??)
    }

    async fn discard(&self, digest: Digest, turn: Turn) {
        let store = self.store.clone();
        let discard = move || {
            let _turn = turn;
            store.discard_part(&digest)
        };
        let discarded = spawn_blocking(discard).await;
        if !matches!(discarded, Ok(Ok(_))) {
            tracing::warn!(%digest, ?discarded, "what came of a blob was not removed");
        }
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
struct Parcel<'a> {
    store: Arc<Store>,
    digest: Digest,
    /// What its bytes are taken from, if they are counted.
    allowance: Option<&'a Allowance>,
    receiving: Option<Receiving>,
    /// Told of each piece.
    came: Arc<Notify>,
    /// Why it is not taken in.
    failed: Option<BringError>,
}

impl Parcel<'_> {
    fn fail(&mut self, error: impl Into<BringError>) -> io::Error {
        let error = error.into();
        let text = error.to_string();
        self.failed = Some(error);
        io::Error::other(text)
    }
}

impl Sink for Parcel<'_> {
    fn begin(&mut self, length: u64) -> io::Result<Vec<Range<u64>>> {
        let allowed = self.allowance.map(|left| left.take(self.digest, length));
        if let Some(Err(error)) = allowed {
            return Err(self.fail(error));
        }
        // What came before is read again to be found, which may take long.
        let receiving = block_in_place(|| self.store.receive(&self.digest, length));
        let receiving = match receiving {
            Ok(receiving) => receiving,
            Err(error) => return Err(self.fail(error)),
        };
        let held = held(length, &receiving.missing(RUNS));
        self.receiving = Some(receiving);
        self.came.notify_one();
        Ok(held)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(receiving) = &self.receiving else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match receiving.write_at(offset, bytes) {
            Ok(()) => {
                self.came.notify_one();
                Ok(())
            }
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
    use std::future::pending;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::nearby::{Nearby, PATIENCE};

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_is_slow_keeps_others_waiting_no_longer_than_they_have() {
        let blob = b"wanted by two";
        let nearby = Nearby::start(&[blob]).await;
        let digest = Digest::of(blob);
        let until = |time| Patience {
            until: Instant::now() + time,
            silence: time,
        };
        let soon = until(Duration::from_millis(50));
        let allowance = Allowance::of(100);
        let (depot, source) = (&nearby.depot, [nearby.source]);
        let slow = depot.in_turn(digest, None, async |_| pending().await);
        let other = depot.bring_patiently(soon, &nearby.network, digest, &source, &allowance);
        tokio::select! {
            biased;
            _ = slow => panic!("it never ends"),
            brought = other => assert!(matches!(brought, Err(BringError::Late)), "{brought:?}"),
        }
        // The slow one is gone now.
        let later = until(Duration::from_secs(60));
        let brought = depot.bring_patiently(later, &nearby.network, digest, &source, &allowance);
        brought.await.expect("it comes");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn source_that_says_nothing_is_given_up_long_before_one_that_goes_on() {
        let blob = b"silent";
        let nearby = Nearby::start(&[blob]).await;
        let digest = Digest::of(blob);
        nearby.gate.shut(digest);
        let silence = Duration::from_millis(500);
        let patience = Patience {
            until: Instant::now() + 60 * PATIENCE,
            silence,
        };
        let (allowance, source) = (Allowance::of(100), [nearby.source; 64]);
        let depot = &nearby.depot;
        let brought = depot.bring_patiently(patience, &nearby.network, digest, &source, &allowance);
        let brought = timeout(PATIENCE, brought).await;
        assert!(matches!(brought, Ok(Err(BringError::Late))), "{brought:?}");

        let came = Notify::new();
        let goes_on = async {
            for _ in 0..4 {
                sleep(silence / 2).await;
                came.notify_one();
            }
            Ok(())
        };
        let waited = patience.wait(goes_on, &came).await;
        assert!(waited.is_ok(), "{waited:?}");
    }

    #[test]
    fn held_is_what_is_not_missing() {
        assert_eq!(held(0, &[]), []);
        assert_eq!(held(9, &[]), [0..9]);
        assert_eq!(held(9, std::slice::from_ref(&(0..9))), []);
        assert_eq!(held(9, &[0..2, 4..5]), [2..4, 5..9]);
        assert_eq!(held(9, &[3..9]), [0..3]);
    }
}
