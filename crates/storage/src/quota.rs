//! How many bytes of blobs a store holds and may hold.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::StoreError;

/// A count of bytes with a bound. Each blob's bytes are taken before they are written, so that
/// threads that write at once do not pass the bound together.
#[derive(Debug)]
pub(crate) struct Quota {
    used: AtomicU64,
    limit: u64,
    naming: Mutex<()>,
}

impl Quota {
    pub fn new(used: u64, limit: u64) -> Self {
        Self {
            used: AtomicU64::new(used),
            limit,
            naming: Mutex::new(()),
        }
    }

    /// Bytes that are taken, and those that may be.
    pub fn state(&self) -> (u64, u64) {
        (self.used.load(Relaxed), self.limit)
    }

    /// Takes `bytes` more for a blob that has taken `taken` so far.
    pub fn take(&self, bytes: u64, taken: u64) -> Result<(), StoreError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let updated = self.used.fetch_update(Relaxed, Relaxed, fits);
        updated.map(drop).map_err(|used| StoreError::Quota {
            used: used.saturating_sub(taken),
            quota: self.limit,
            needed: taken + bytes,
        })
    }

    /// Does what gives a blob its name or takes it, and gives back the bytes that had the name
    /// before. One at a time, so that threads which replace the same bytes do not all give them back,
    /// nor each believe that it replaced none.
    pub fn naming<E>(&self, change: impl FnOnce() -> Result<u64, E>) -> Result<(), E> {
        let _alone = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        change().map(|freed| self.give(freed))
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: u64) {
        // Another process may have added blobs that were not counted here, and one of them may be
        // removed here: the count stays at 0 then.
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.used.fetch_update(Relaxed, Relaxed, less);
    }
}
