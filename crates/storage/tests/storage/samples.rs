//! A sealed store, and what is put into it.

use std::{path::Path, sync::Arc};

use opensky_storage::{SealKey, Store};
use tempfile::TempDir;

/// The key of every sealed store in these tests.
pub fn key() -> SealKey {
    SealKey::from_bytes([7; 32])
}

/// The sealed store of that folder.
pub fn open(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open_sealed(folder, &key()).unwrap())
}

/// A sealed store in a folder of its own.
pub fn store() -> (TempDir, Arc<Store>) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    (folder, store)
}

/// Bytes that no two blobs and no two places in one have alike.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
