//! The folder of blobs.

use std::{
    ffi::OsStr,
    fs,
    io::{self, ErrorKind, Read, Seek},
    path::Path,
};

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{
    error::{StoreError, at},
    folders::{Folders, open_root, subfolder},
    incoming::{Incoming, is_settled, settle},
    quota::Quota,
};

const INCOMING: &str = "incoming-1";
const LOCK: &str = "lock";
/// What is read or written at once: large enough that the calls cost nothing beside the hashing.
const CHUNK: usize = 256 << 10;

/// A folder of blobs. See the [crate's documentation](crate).
///
/// On disk: `blobs-1/ab/cdef…`, the digest's hexadecimal digits with the first two as a folder, not
/// writable from when its name is durable; `incoming-1`, where blobs are written; `lock`, shared by
/// all processes that use the store.
#[derive(Debug)]
pub struct Store {
    folders: Folders,
    incoming: Dir,
    quota: Quota,
    /// Held, shared, for as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens the store in the folder `path`, which is made, durably, if it is not there. What writers
    /// that died left behind is removed, unless the store is open already, here or in another
    /// process. No quota: see [`with_quota`](Self::with_quota).
    ///
    /// # Errors
    /// [`StoreError::Io`] where a folder cannot be made, opened or written,
    /// [`StoreError::NotAFile`] where something else than a file is named `lock`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let root = open_root(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let lock = open_file(&root, LOCK, &mut options, at("create the lock"))?;
        let incoming = subfolder(&root, INCOMING)?;
        let folders = Folders::open(root)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_files(&incoming).map_err(at("remove unfinished blobs"))?;
        }
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| at("share the lock")(error.into()))?;
        Ok(Self {
            folders,
            incoming,
            quota: Quota::new(0, u64::MAX),
            _lock: lock,
        })
    }

    /// Bounds the bytes of all blobs together, those included that are being written; what the file
    /// system needs besides is not counted. Looks at every blob once. Blobs that other processes
    /// add later are not counted; an existing store that is over the quota takes no more.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the blobs cannot be listed.
    pub fn with_quota(mut self, bytes: u64) -> Result<Self, StoreError> {
        let used = self.list()?.iter().map(|(_, len)| len).sum();
        self.quota = Quota::new(used, bytes);
        Ok(self)
    }

    /// Stores `bytes`. Once it returns they survive a crash of the machine, whoever stored them first.
    /// If the store has them already nothing is written; if what it has is damaged, it is mended, for
    /// which the quota and the disk need room beside the damaged ones.
    ///
    /// # Errors
    /// [`StoreError::Quota`] and [`StoreError::DiskFull`] where there is no room, [`StoreError::Io`]
    /// where the operating system refuses. Nothing is promised then, though the blob may be there.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let there = self.len(&digest).is_ok_and(|len| len == bytes.len() as u64);
        if there && self.promise(&digest)? {
            return Ok(digest);
        }
        let mut incoming = Incoming::create(&self.incoming, &self.quota)?;
        incoming.write(bytes)?;
        self.keep(incoming, &digest)?;
        Ok(digest)
    }

    /// Stores all that `source` has, in constant memory. Like [`put`](Self::put), but the bytes are
    /// written before their digest is known, so the disk has room for them even if the store has them
    /// already. The quota need not.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), and [`StoreError::Source`] where `source` cannot be read.
    pub fn put_file(&self, mut source: impl Read) -> Result<Digest, StoreError> {
        let mut incoming = Incoming::create(&self.incoming, &self.quota)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(len) => &chunk[..len],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::Source(error)),
            };
            match incoming.write(read) {
                Err(error @ StoreError::Quota { used, .. }) => {
                    let held = self.find(incoming.give_up(), source, used)?;
                    return held.ok_or(error);
                }
                written => written?,
            }
        }
        let digest = incoming.digest();
        self.keep(incoming, &digest)?;
        Ok(digest)
    }

    /// The blob's bytes, checked. All of them are in memory at once.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`], [`StoreError::NotAFile`], or
    /// [`StoreError::Io`] where it cannot be read.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.file(digest)?
            .read_to_end(&mut bytes)
            .map_err(at("read a blob"))?;
        check(digest, Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// The blob as a file at its start, to be read only. Its bytes were checked just now; nothing
    /// that uses a store changes them: a blob that is removed or mended meanwhile stays as it is in
    /// this file.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn open_blob(&self, digest: &Digest) -> Result<fs::File, StoreError> {
        self.whole(digest).map(File::into_std)
    }

    /// Whether a blob of that name is there. Its bytes are not looked at; `false` as well where the
    /// operating system does not say.
    pub fn has(&self, digest: &Digest) -> bool {
        self.len(digest).is_ok()
    }

    /// The blob's length in bytes. The bytes are not looked at, so it is that of a damaged blob too.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or [`StoreError::Io`] where the file cannot be looked at.
    pub fn len(&self, digest: &Digest) -> Result<u64, StoreError> {
        let metadata = self.folders.all().metadata(path_of(digest));
        metadata
            .map(|found| found.len())
            .map_err(|error| missing(digest, error))
    }

    /// All blobs and their lengths in bytes, sorted by digest; none is read. Files that are not named
    /// like a blob are passed over. Blobs put or removed meanwhile may be in it or not.
    ///
    /// # Errors
    /// [`StoreError::Io`] where a folder cannot be read.
    pub fn list(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let mut found = Vec::new();
        self.visit(&mut found).map_err(at("list the blobs"))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Removes a blob and gives its bytes back to the quota. Whether it was there. A crash of the
    /// machine may bring it back.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the operating system refuses.
    pub fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.quota.naming(|| {
            let len = self.len(digest)?;
            match self.folders.all().remove_file(path_of(digest)) {
                Ok(()) => Ok(len),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err(StoreError::Missing(*digest))
                }
                Err(error) => Err(at("remove a blob")(error)),
            }
        });
        match removed {
            Err(StoreError::Missing(_)) => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    fn file(&self, digest: &Digest) -> Result<File, StoreError> {
        let failed = |error| missing(digest, error);
        let mut options = OpenOptions::new();
        let all = self.folders.all();
        open_file(all, &path_of(digest), options.read(true), failed)
    }

    /// The blob's file at its start, its bytes checked.
    fn whole(&self, digest: &Digest) -> Result<File, StoreError> {
        let mut file = self.file(digest)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).map_err(at("read a blob"))?;
        check(digest, hasher.finalize().into())?;
        file.rewind().map_err(at("read a blob"))?;
        Ok(file)
    }

    /// Looks in the store for the blob that starts with what was hashed and goes on with what
    /// `source` still has. Nothing that is longer than `most`, all blobs together, is read to its end.
    fn find(
        &self,
        mut hasher: blake3::Hasher,
        source: impl Read,
        most: u64,
    ) -> Result<Option<Digest>, StoreError> {
        let unread = most.saturating_add(1).saturating_sub(hasher.count());
        hasher
            .update_reader(source.take(unread))
            .map_err(StoreError::Source)?;
        let digest = hasher.finalize().into();
        let held = hasher.count() <= most && self.promise(&digest)?;
        Ok(held.then_some(digest))
    }

    /// Whether the blob is there and whole. If so it is durable from here on.
    fn promise(&self, digest: &Digest) -> Result<bool, StoreError> {
        let Ok(blob) = self.whole(digest) else {
            return Ok(false);
        };
        if !is_settled(&blob) {
            let (folder, _) = split(digest);
            settle(&self.folders.writable(&folder)?, &blob)?;
        }
        Ok(true)
    }

    fn keep(&self, incoming: Incoming<'_>, digest: &Digest) -> Result<(), StoreError> {
        let (folder, name) = split(digest);
        incoming.keep(&self.folders.writable(&folder)?, &name)
    }

    fn visit(&self, found: &mut Vec<(Digest, u64)>) -> io::Result<()> {
        for folder in self.folders.all().entries()? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            let prefix = folder.file_name();
            for blob in folder.open_dir()?.entries()? {
                let blob = blob?;
                let Some(digest) = named(&prefix, &blob.file_name()) else {
                    continue;
                };
                match blob.metadata() {
                    Ok(metadata) => found.push((digest, metadata.len())),
                    // Somebody removed it just now.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// Opens a file without waiting: a pipe that somebody put there has no other end.
fn open_file(
    folder: &Dir,
    name: &str,
    options: &mut OpenOptions,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<File, StoreError> {
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = folder.open_with(name, options).map_err(&failed)?;
    match file.metadata().map_err(&failed)?.is_file() {
        true => Ok(file),
        false => Err(StoreError::NotAFile(name.into())),
    }
}

fn remove_files(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        folder.remove_file(entry?.file_name())?;
    }
    Ok(())
}

fn split(digest: &Digest) -> (String, String) {
    let mut digits = digest.to_string();
    let rest = digits.split_off(2);
    (digits, rest)
}

/// The blob that a file of that name in that folder is.
fn named(folder: &OsStr, name: &OsStr) -> Option<Digest> {
    let digits = [folder.to_str()?, name.to_str()?];
    let digest = digits.concat().parse().ok()?;
    // Digits are read in any case, and would be cut anywhere.
    (split(&digest) == digits.map(str::to_owned).into()).then_some(digest)
}

fn path_of(digest: &Digest) -> String {
    let (folder, name) = split(digest);
    format!("{folder}/{name}")
}

fn missing(digest: &Digest, error: io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => StoreError::Missing(*digest),
        _ => at("read a blob")(error),
    }
}

fn check(digest: &Digest, found: Digest) -> Result<(), StoreError> {
    if *digest == found {
        return Ok(());
    }
    Err(StoreError::Damaged {
        digest: *digest,
        found,
    })
}
