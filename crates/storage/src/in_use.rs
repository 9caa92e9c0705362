//! Which blobs are open, so that none is collected under its reader.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opensky_protocol::Digest;

/// Counts readers by the name of the file that they read.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse(Arc<Mutex<BTreeMap<Digest, usize>>>);

impl InUse {
    /// In use until what is returned is dropped.
    pub fn enter(&self, name: Digest) -> User {
        *self.lock().entry(name).or_default() += 1;
        let all = self.clone();
        User { all, name }
    }

    /// Does it unless the file is in use, and nobody begins to use it meanwhile.
    pub fn unless<T>(&self, name: &Digest, act: impl FnOnce() -> T) -> Option<T> {
        let users = self.lock();
        (!users.contains_key(name)).then(act)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who has the file open.
#[derive(Debug)]
pub(crate) struct User {
    all: InUse,
    name: Digest,
}

impl Drop for User {
    fn drop(&mut self) {
        let mut users = self.all.lock();
        if let Some(count) = users.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.name);
            }
        }
    }
}
