//! A blob that is being written: a file without a name that anyone looks for, until it is whole.

use std::{
    fs::File,
    io::{self, ErrorKind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;

use crate::{
    error::{StoreError, at},
    folders::sync,
    form::{Form, FormWriter},
    quota::Quota,
};

/// Removed when dropped, unless it was kept; its bytes are then given back to the quota.
pub(crate) struct Incoming<'a> {
    folder: &'a Dir,
    quota: &'a Quota,
    form: &'a Form,
    name: String,
    writer: FormWriter,
    hasher: blake3::Hasher,
    /// Bytes on disk that were taken from the quota.
    taken: u64,
    kept: bool,
}

impl<'a> Incoming<'a> {
    pub fn create(folder: &'a Dir, quota: &'a Quota, form: &'a Form) -> Result<Self, StoreError> {
        let (name, file) = create_unique(folder).map_err(at("create a file"))?;
        let writer = form.writer(file).map_err(at("create a file"))?;
        Ok(Self {
            folder,
            quota,
            form,
            name,
            writer,
            hasher: blake3::Hasher::new(),
            taken: 0,
            kept: false,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.take()?;
        self.writer.write(bytes).map_err(at("write a blob"))
    }

    /// Takes from the quota what is to be on disk by now.
    fn take(&mut self) -> Result<(), StoreError> {
        let needed = self.form.disk_len(self.hasher.count());
        self.quota.take(needed - self.taken, self.taken)?;
        self.taken = needed;
        Ok(())
    }

    /// Removes it. What is left is the hash of all that was to be written, the last bytes included
    /// where there was no room for them.
    pub fn give_up(self) -> blake3::Hasher {
        self.hasher.clone()
    }

    /// Writes what comes after the last byte. The blob's digest.
    pub fn finish(&mut self) -> Result<Digest, StoreError> {
        let digest = self.hasher.finalize().into();
        // An empty blob may have bytes on disk.
        self.take()?;
        self.writer.finish(digest).map_err(at("write a blob"))?;
        Ok(digest)
    }

    /// Makes the bytes durable, then gives them their name in `to`, in place of whatever had it, and
    /// makes that durable too.
    pub fn keep(mut self, to: &Dir, name: &str) -> Result<(), StoreError> {
        let file = self.writer.file();
        rename(self.quota, (self.folder, &self.name), file, (to, name))?;
        self.kept = true;
        settle(to, self.writer.file())
    }
}

impl Incoming<'_> {
    /// Makes the bytes durable and gives them a name, and that too, unless something has it.
    pub fn link(self, to: &Dir, name: &str) -> Result<(), StoreError> {
        let file = self.writer.file();
        file.sync_all().map_err(at("write a file"))?;
        match self.folder.hard_link(&self.name, to, name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at("name a file")(error)),
            _ => sync(to),
        }
    }
}

/// Makes the bytes of a blob durable and gives it its name, in place of whatever had it. The bytes
/// that had it are given back to the quota.
pub(crate) fn rename(
    quota: &Quota,
    from: (&Dir, &str),
    blob: &File,
    to: (&Dir, &str),
) -> Result<(), StoreError> {
    blob.sync_all().map_err(at("write a blob"))?;
    quota.naming(|| {
        let replaced = to.0.symlink_metadata(to.1).map_or(0, |found| found.len());
        let renamed = from.0.rename(from.1, to.0, to.1);
        renamed.map_err(at("name a blob"))?;
        Ok(replaced)
    })
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
            self.quota.give(self.taken);
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
            created => return created.map(|file| (name, file.into_std())),
        }
    }
}
