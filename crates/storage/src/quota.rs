//! How many bytes of blobs a store holds and may hold.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::StoreError;

/// A count of bytes with a bound. Each blob's bytes are taken before they are written, so that
/// threads that write at once do not pass the bound together.
#[derive(Debug)]
pub(crate) struct Quota {
    used: AtomicU64,
    limit: u64,
}

impl Quota {
    pub fn new(used: u64, limit: u64) -> Self {
        Self {
            used: AtomicU64::new(used),
            limit,
        }
    }

    /// Takes `bytes`, of which a blob needs `needed` so far.
    pub fn take(&self, bytes: u64, needed: u64) -> Result<(), StoreError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let taken = self.used.fetch_update(Relaxed, Relaxed, fits);
        taken.map(drop).map_err(|used| StoreError::Quota {
            used,
            quota: self.limit,
            needed,
        })
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: u64) {
        // Another process may have added blobs that were not counted here, and one of them may be
        // removed here: the count stays at 0 then.
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.used.fetch_update(Relaxed, Relaxed, less);
    }
}
