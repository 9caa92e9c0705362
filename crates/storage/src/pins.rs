//! Which blobs must stay, for what, and until when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opensky_protocol::{
    Digest,
    codec::{self, CodecError},
};

use crate::{Row, Rows, RowsError, Store, Table};

/// Key: the name on disk and the reason; value: until when, in milliseconds since 1970.
const PINS: Table = Table::new("pins-1");

/// Why a blob was not pinned, or pins were not read. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// As many pins are held as may be.
    #[error("{most} blobs are pinned, as many as may be: end jobs, or wait until pins expire")]
    TooMany {
        /// Pins that may be held.
        most: usize,
    },
    /// A reason is a short id.
    #[error("the reason for a pin has {len} bytes, {most} at most")]
    Reason {
        /// Its bytes.
        len: usize,
        /// Bytes that it may have.
        most: usize,
    },
    /// The rows have a pin that this version did not write.
    #[error("a row of pins is not one: {0}")]
    Row(#[from] CodecError),
    /// The rows cannot be read or written.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// The pins of a store, in the rows of the same node: what is pinned is not collected. A blob may be
/// pinned before it is there, and for several reasons; each ends at its own time.
///
/// The rows name blobs as the store's disk does, so of a sealed store they do not tell which are
/// pinned.
#[derive(Debug)]
pub struct Pins {
    store: Arc<Store>,
    rows: Arc<Rows>,
    held: Mutex<BTreeMap<(Digest, String), SystemTime>>,
}

impl Pins {
    /// Pins that may be held. All are in memory, of which so many need some 50 MiB.
    pub const MOST: usize = 256 << 10;
    /// Bytes that a reason may have.
    pub const LONGEST_REASON: usize = 64;

    /// Reads the pins that were held.
    ///
    /// # Errors
    /// [`PinError::Rows`] and [`PinError::Row`].
    pub fn open(store: Arc<Store>, rows: Arc<Rows>) -> Result<Self, PinError> {
        let mut held = BTreeMap::new();
        for row in rows.load_all(PINS)? {
            let (key, value) = row?;
            let until: u64 = codec::decode(&value)?;
            held.insert(
                codec::decode(&key)?,
                UNIX_EPOCH + Duration::from_millis(until),
            );
        }
        let held = Mutex::new(held);
        Ok(Self { store, rows, held })
    }

    /// Pins blobs for `reason`, a short id such as a job's, until a time; in place of an earlier time
    /// for the same reason. All of them or none; durable when it returns. Blocks.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn pin(&self, digests: &[Digest], reason: &str, until: SystemTime) -> Result<(), PinError> {
        let (len, most) = (reason.len(), Self::LONGEST_REASON);
        if len > most {
            return Err(PinError::Reason { len, most });
        }
        let keys: Vec<_> = self.keys(digests, reason).collect();
        let mut held = self.lock();
        let new = keys.iter().filter(|key| !held.contains_key(key));
        if held.len() + new.count() > Self::MOST {
            return Err(PinError::TooMany { most: Self::MOST });
        }
        let rows = keys.iter().map(|key| row(key, Some(until)));
        // While nobody else can hand in another one: the rows are in the order of the memory.
        let written = self.rows.submit(rows.collect())?;
        held.extend(keys.into_iter().map(|key| (key, until)));
        drop(held);
        Ok(written.wait()?)
    }

    /// Ends the pins of blobs for `reason`, where there are any. A crash may bring them back, until
    /// their time.
    ///
    /// # Errors
    /// [`PinError::Rows`].
    pub fn release(&self, digests: &[Digest], reason: &str) -> Result<(), PinError> {
        let mut held = self.lock();
        let keys = self.keys(digests, reason);
        let gone: Vec<_> = keys.filter(|key| held.contains_key(key)).collect();
        self.forget(&mut held, &gone)
    }

    /// Why and until when a blob is pinned, sorted by reason; what has expired is in it until the next
    /// collection.
    pub fn of(&self, digest: &Digest) -> Vec<(String, SystemTime)> {
        let name = self.store.form().name(digest);
        let held = self.lock();
        let pins = of_name(&held, name);
        pins.map(|((_, reason), until)| (reason.clone(), *until))
            .collect()
    }

    /// Removes the pins whose time is over.
    pub(crate) fn expire(&self, now: SystemTime) -> Result<(), PinError> {
        let mut held = self.lock();
        let over = held.iter().filter(|(_, until)| **until <= now);
        let over: Vec<_> = over.map(|(key, _)| key.clone()).collect();
        self.forget(&mut held, &over)
    }

    /// Does it unless the file of that name is pinned, and nobody pins it meanwhile.
    pub(crate) fn unless<T>(
        &self,
        name: Digest,
        now: SystemTime,
        act: impl FnOnce() -> T,
    ) -> Option<T> {
        let held = self.lock();
        let is_pinned = of_name(&held, name).any(|(_, until)| *until > now);
        (!is_pinned).then(act)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    fn forget(&self, held: &mut Held, keys: &[(Digest, String)]) -> Result<(), PinError> {
        if keys.is_empty() {
            return Ok(());
        }
        // Nobody waits: a pin too many is no harm.
        drop(
            self.rows
                .submit(keys.iter().map(|key| row(key, None)).collect())?,
        );
        for key in keys {
            held.remove(key);
        }
        Ok(())
    }

    fn keys(&self, digests: &[Digest], reason: &str) -> impl Iterator<Item = (Digest, String)> {
        let form = self.store.form();
        let key = move |digest| (form.name(digest), reason.to_owned());
        digests.iter().map(key)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Held = BTreeMap<(Digest, String), SystemTime>;

fn of_name(held: &Held, name: Digest) -> impl Iterator<Item = (&(Digest, String), &SystemTime)> {
    let from = held.range((name, String::new())..);
    from.take_while(move |((of, _), _)| *of == name)
}

fn row(key: &(Digest, String), until: Option<SystemTime>) -> Row {
    let millis = |until: SystemTime| {
        let since = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        codec::encode(&u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    };
    Row {
        table: PINS,
        key: codec::encode(key),
        value: until.map(millis),
    }
}
