//! A blob that is being written: a file without a name that anyone looks for, until it is whole.

use std::{
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;

use crate::{
    error::{StoreError, at},
    folders::sync,
    quota::Quota,
};

/// Removed when dropped, unless it was kept; its bytes are then given back to the quota.
pub(crate) struct Incoming<'a> {
    folder: &'a Dir,
    quota: &'a Quota,
    name: String,
    file: File,
    hasher: blake3::Hasher,
    len: u64,
    kept: bool,
}

impl<'a> Incoming<'a> {
    pub fn create(folder: &'a Dir, quota: &'a Quota) -> Result<Self, StoreError> {
        let (name, file) = create_unique(folder).map_err(at("create a file"))?;
        Ok(Self {
            folder,
            quota,
            name,
            file,
            hasher: blake3::Hasher::new(),
            len: 0,
            kept: false,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let more = bytes.len() as u64;
        self.hasher.update(bytes);
        self.quota.take(more, self.len)?;
        self.len += more;
        self.file.write_all(bytes).map_err(at("write a blob"))
    }

    pub fn digest(&self) -> Digest {
        self.hasher.finalize().into()
    }

    /// Removes it. What is left is the hash of all that was to be written, the last bytes included
    /// where there was no room for them.
    pub fn give_up(self) -> blake3::Hasher {
        self.hasher.clone()
    }

    /// Makes the bytes durable, then gives them their name in `to`, in place of whatever had it, and
    /// makes that durable too.
    pub fn keep(mut self, to: &Dir, name: &str) -> Result<(), StoreError> {
        self.file.sync_all().map_err(at("write a blob"))?;
        let quota = self.quota;
        quota.naming(|| {
            let replaced = to.symlink_metadata(name).map_or(0, |found| found.len());
            self.folder
                .rename(&self.name, to, name)
                .map_err(at("name a blob"))?;
            self.kept = true;
            Ok(replaced)
        })?;
        settle(to, &self.file)
    }
}

/// Makes the name of `blob` in `folder` durable. That this was done is written on the blob: it may not
/// be written from then on. Whoever finds it otherwise, because the one who named it has not come to
/// this or has died before, has to do it.
pub(crate) fn settle(folder: &Dir, blob: &File) -> Result<(), StoreError> {
    sync(folder)?;
    if let Ok(metadata) = blob.metadata() {
        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        // Where the file system has no such thing it is done again each time.
        let _ = blob.set_permissions(permissions);
    }
    Ok(())
}

/// Whether the name that a blob has is durable.
pub(crate) fn is_settled(blob: &File) -> bool {
    let metadata = blob.metadata();
    metadata.is_ok_and(|found| found.permissions().readonly())
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.quota.give(self.len);
            // If this fails the file is removed when the store is opened next.
            let _ = self.folder.remove_file(&self.name);
        }
    }
}

/// Processes in different containers may have the same id and share the store, so a name that is
/// taken is not an error.
fn create_unique(folder: &Dir) -> io::Result<(String, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    loop {
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        match folder.open_with(&name, &options) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (name, file)),
        }
    }
}
