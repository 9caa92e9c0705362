//! The folder of blobs.

use std::{
    ffi::OsStr,
    fs,
    io::{self, ErrorKind, Read, Seek},
    path::Path,
};

use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions, OpenOptionsExt},
};
use opensky_protocol::Digest;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{
    error::{StoreError, at},
    incoming::Incoming,
    quota::Quota,
};

/// The layout's version is in the folder's name: another layout is another folder.
const BLOBS: &str = "blobs-1";
const INCOMING: &str = "incoming-1";
const LOCK: &str = "lock";
/// What is read or written at once: large enough that the calls cost nothing beside the hashing.
const CHUNK: usize = 256 << 10;

/// A folder of blobs. See the [crate's documentation](crate).
///
/// On disk: `blobs-1/ab/cdef…`, the digest's hexadecimal digits with the first two as a folder;
/// `incoming-1`, where blobs are written; `lock`, shared by all processes that use the store.
#[derive(Debug)]
pub struct Store {
    blobs: Dir,
    incoming: Dir,
    quota: Quota,
    /// Held, shared, for as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens the store in the folder `path`, which is made if it is not there. What writers that
    /// died left behind is removed, unless another process has the store open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = at("open the folder");
        let root = open_root(path).map_err(open)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let lock = open_file(&root, LOCK, &mut options, at("create the lock"))?;
        let incoming = subfolder(&root, INCOMING)?;
        let blobs = subfolder(&root, BLOBS)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_files(&incoming).map_err(at("remove unfinished blobs"))?;
        }
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| at("share the lock")(error.into()))?;
        Ok(Self {
            blobs,
            incoming,
            quota: Quota::new(0, u64::MAX),
            _lock: lock,
        })
    }

    /// Bounds the bytes of all blobs together. Looks at every blob once. Blobs that other processes
    /// add later are not counted; an existing store that is over the quota takes no more.
    pub fn with_quota(mut self, bytes: u64) -> Result<Self, StoreError> {
        let used = self.list()?.iter().map(|(_, len)| len).sum();
        self.quota = Quota::new(used, bytes);
        Ok(self)
    }

    /// Stores `bytes`. Once it returns they survive a crash of the machine. If the store has them
    /// already nothing is written; if what it has is damaged, it is mended.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.holds(&digest, bytes) {
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
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.file(digest)?
            .read_to_end(&mut bytes)
            .map_err(at("read a blob"))?;
        check(digest, Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// The blob as a file at its start, to be read only. Its bytes were checked just now; nothing
    /// that uses a store changes them.
    pub fn open_blob(&self, digest: &Digest) -> Result<fs::File, StoreError> {
        let mut file = self.file(digest)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).map_err(at("read a blob"))?;
        check(digest, hasher.finalize().into())?;
        file.rewind().map_err(at("read a blob"))?;
        Ok(file.into_std())
    }

    /// Whether a blob of that name is there. Its bytes are not looked at.
    pub fn has(&self, digest: &Digest) -> bool {
        self.len(digest).is_ok()
    }

    /// The blob's length in bytes. The bytes are not looked at.
    pub fn len(&self, digest: &Digest) -> Result<u64, StoreError> {
        let metadata = self.blobs.metadata(path_of(digest));
        metadata
            .map(|found| found.len())
            .map_err(|error| missing(digest, error))
    }

    /// All blobs and their lengths, sorted by digest. Files that are not blobs are passed over.
    pub fn list(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let mut found = Vec::new();
        self.visit(&mut found).map_err(at("list the blobs"))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Removes a blob. Whether it was there.
    pub fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.quota.naming(|| {
            let len = self.len(digest)?;
            match self.blobs.remove_file(path_of(digest)) {
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
        open_file(&self.blobs, &path_of(digest), options.read(true), failed)
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
        let held = hasher.count() <= most && self.open_blob(&digest).is_ok();
        Ok(held.then_some(digest))
    }

    fn holds(&self, digest: &Digest, bytes: &[u8]) -> bool {
        let same_len = self.len(digest).is_ok_and(|len| len == bytes.len() as u64);
        same_len && self.get(digest).is_ok()
    }

    fn keep(&self, incoming: Incoming<'_>, digest: &Digest) -> Result<(), StoreError> {
        let (folder, name) = split(digest);
        let folder = subfolder(&self.blobs, &folder)?;
        incoming.keep(&folder, &name)?;
        sync(&folder).map_err(at("write a folder"))
    }

    fn visit(&self, found: &mut Vec<(Digest, u64)>) -> io::Result<()> {
        for folder in self.blobs.entries()? {
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

fn open_root(path: &Path) -> io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    Dir::open_ambient_dir(path, ambient_authority())
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

/// Opens a folder; makes it, durably, if it is not there.
fn subfolder(parent: &Dir, name: &str) -> Result<Dir, StoreError> {
    match parent.create_dir(name) {
        Ok(()) => sync(parent).map_err(at("write a folder"))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at("create a folder")(error)),
    }
    parent.open_dir(name).map_err(at("open a folder"))
}

/// A name is durable when its folder is.
fn sync(folder: &Dir) -> io::Result<()> {
    // A `Dir` may be a handle that only names the folder; this one can be synchronised.
    folder.open(".")?.sync_all()
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
