//! The folder of blobs.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
};

use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{
    Blob, SealKey,
    error::{StoreError, at},
    folders::{Folders, lengths, named, open_root, remove_files, split, subfolder},
    form::Form,
    in_use::InUse,
    incoming::{Incoming, is_settled, rename, settle},
    quota::Quota,
    seal::Seal,
    sealed::Header,
};

const INCOMING: &str = "incoming-1";
const PARTIAL: &str = "partial-1";
const LOCK: &str = "lock";
/// What tells whether a key is the store's.
const CHECK: &str = "seal-1";
/// What is read or written at once: large enough that the calls cost nothing beside the hashing.
const CHUNK: usize = 256 << 10;

/// A folder of blobs. See the [crate's documentation](crate).
///
/// On disk: `blobs-1/ab/cdef…`, the digest's hexadecimal digits with the first two as a folder, not
/// writable from when its name is durable; `incoming-1`, where blobs are written; `lock`, shared by
/// all processes that use the store.
///
/// A store that is opened with a key has `sealed-1` in place of `blobs-1`, and `partial-1`, where blobs
/// are received in pieces. There all bytes are encrypted (XChaCha20-Poly1305) and a blob's file is
/// named by a keyed hash of its digest: the disk tells how many blobs there are and how long they
/// are, not what, nor which. Blobs that were put without the key are not seen.
#[derive(Debug)]
pub struct Store {
    form: Form,
    folders: Folders,
    incoming: Dir,
    quota: Quota,
    in_use: InUse,
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
        Self::with_form(open_root(path)?, Form::Plain)
    }

    /// Like [`open`](Self::open), for a store whose blobs are sealed with `key` on disk. The first one
    /// who opens it decides with which.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`StoreError::WrongKey`].
    pub fn open_sealed(path: &Path, key: &SealKey) -> Result<Self, StoreError> {
        let seal = Arc::new(Seal::new(key));
        let store = Self::with_form(open_root(path)?, Form::Sealed(seal.clone()))?;
        store.check_key(&seal)?;
        Ok(store)
    }

    fn with_form(root: Dir, form: Form) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let lock = open_file(&root, LOCK, &mut options, at("create the lock"))?;
        let incoming = subfolder(&root, INCOMING)?;
        let folders = Folders::open(root, form.folder())?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_files(&incoming).map_err(at("remove unfinished blobs"))?;
        }
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| at("share the lock")(error.into()))?;
        Ok(Self {
            form,
            folders,
            incoming,
            quota: Quota::new(0, u64::MAX),
            in_use: InUse::default(),
            _lock: lock,
        })
    }

    /// Bounds the bytes on disk of all blobs together, those included that are being written and the
    /// whole length of those that are being received; what the file system needs besides is not counted. Looks at every blob once. Blobs that other processes
    /// add later are not counted; an existing store that is over the quota takes no more.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the blobs cannot be listed.
    pub fn with_quota(mut self, bytes: u64) -> Result<Self, StoreError> {
        let mut used = 0;
        let blobs = self.visit(|_, _, found| used += found.len());
        blobs.map_err(at("list the blobs"))?;
        if let Some((_, parts)) = self.receiver()? {
            used += lengths(&parts).map_err(at("list the parts"))?;
        }
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
        let mut incoming = Incoming::create(&self.incoming, &self.quota, &self.form)?;
        incoming.write(bytes)?;
        self.keep(incoming)
    }

    /// Stores all that `source` has, in constant memory. Like [`put`](Self::put), but the bytes are
    /// written before their digest is known, so the disk has room for them even if the store has them
    /// already. The quota need not.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), and [`StoreError::Source`] where `source` cannot be read.
    pub fn put_file(&self, mut source: impl Read) -> Result<Digest, StoreError> {
        let mut incoming = Incoming::create(&self.incoming, &self.quota, &self.form)?;
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
        self.keep(incoming)
    }

    /// The blob's bytes, checked. All of them are in memory at once.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Damaged`], or [`StoreError::SealBroken`] in a sealed
    /// store; [`StoreError::NotAFile`]; or [`StoreError::Io`] where it cannot be read.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.unchecked(digest)?.bytes()
    }

    /// The blob, to be read anywhere. A plain one is read and checked as a whole now; a sealed one is
    /// checked piece by piece as it is read, so that it is open at once.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub fn blob(&self, digest: &Digest) -> Result<Blob, StoreError> {
        match self.form {
            Form::Plain => self.whole(digest),
            Form::Sealed(_) => self.unchecked(digest),
        }
    }

    /// Reads a blob as a whole, and removes it if it is damaged, so that it is no longer said to be
    /// there.
    ///
    /// # Errors
    /// Those of [`get`](Self::get). After [`StoreError::Damaged`] and [`StoreError::SealBroken`] it is
    /// gone.
    pub fn verify(&self, digest: &Digest) -> Result<(), StoreError> {
        let file = self.file(digest)?;
        let checked_file = file.metadata().map_err(at("read a blob"))?.ino();
        let user = self.in_use.enter(self.form.name(digest));
        let checked = Blob::open(&self.form, digest, file, user).and_then(|blob| blob.check());
        if let Err(StoreError::Damaged { .. } | StoreError::SealBroken(_)) = &checked {
            // Somebody may have mended it meanwhile.
            let path = self.path_of(digest);
            self.remove_if(&path, |found| found.ino() == checked_file)?;
        }
        checked
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
    /// [`StoreError::SealBroken`] where a sealed blob cannot have the length that its file has.
    pub fn len(&self, digest: &Digest) -> Result<u64, StoreError> {
        let len = self.form.plain_len(self.disk_len(digest)?);
        len.ok_or(StoreError::SealBroken(*digest))
    }

    fn disk_len(&self, digest: &Digest) -> Result<u64, StoreError> {
        let metadata = self.folders.all().metadata(self.path_of(digest));
        metadata
            .map(|found| found.len())
            .map_err(|error| missing(digest, error))
    }

    /// All blobs and their lengths in bytes, sorted by digest. No plain one is read, and of a sealed
    /// one only what tells its digest. Files that are not named like a blob are passed over, and so
    /// are sealed ones that do not tell. Blobs put or removed meanwhile may be in it or not.
    ///
    /// # Errors
    /// [`StoreError::Io`] where a folder cannot be read.
    pub fn list(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let mut found = Vec::new();
        let visited = self.visit(|path, name, metadata| {
            let known = self.form.plain_len(metadata.len()).map(|len| (name, len));
            found.extend(match &self.form {
                Form::Plain => known,
                Form::Sealed(seal) => self
                    .digest_in(seal, path, name)
                    .zip(known)
                    .map(|(digest, (_, len))| (digest, len)),
            });
        });
        visited.map_err(at("list the blobs"))?;
        found.sort_unstable();
        Ok(found)
    }

    /// The digest of the blob in a sealed file, if it is in the place for it.
    fn digest_in(&self, seal: &Seal, path: &str, name: Digest) -> Option<Digest> {
        let mut options = OpenOptions::new();
        let failed = at("list the blobs");
        let file = open_file(self.folders.all(), path, options.read(true), failed).ok()?;
        let digest = Header::read(seal, &file.into_std()).ok()??.digest;
        (seal.name(&digest) == name).then_some(digest)
    }

    /// Removes a blob and gives its bytes back to the quota. Whether it was there. A crash of the
    /// machine may bring it back.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the operating system refuses.
    pub fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.remove_if(&self.path_of(digest), |_| true)?;
        Ok(removed.is_some())
    }

    /// Removes the file of that name unless it is in use. How many bytes it had on disk; none if it
    /// was left, or had gone already.
    pub(crate) fn remove_unused(&self, name: &Digest, path: &str) -> Result<u64, StoreError> {
        let remove = || self.remove_if(path, |_| true);
        let removed = self.in_use.unless(name, remove);
        Ok(removed.transpose()?.flatten().unwrap_or(0))
    }

    /// The file's bytes on disk, if it was there and is no longer.
    fn remove_if(
        &self,
        path: &str,
        is_it: impl Fn(&Metadata) -> bool,
    ) -> Result<Option<u64>, StoreError> {
        let all = self.folders.all();
        let mut removed = None;
        let remove = || -> io::Result<u64> {
            let found = all.metadata(path)?;
            if is_it(&found) {
                all.remove_file(path)?;
                removed = Some(found.len());
            }
            Ok(removed.unwrap_or(0))
        };
        match self.quota.naming(remove) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(at("remove a blob")(error)),
            _ => Ok(removed),
        }
    }

    fn file(&self, digest: &Digest) -> Result<fs::File, StoreError> {
        let failed = |error| missing(digest, error);
        let mut options = OpenOptions::new();
        let all = self.folders.all();
        let file = open_file(all, &self.path_of(digest), options.read(true), failed)?;
        Ok(file.into_std())
    }

    /// The blob, its bytes not looked at.
    fn unchecked(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let user = self.in_use.enter(self.form.name(digest));
        Blob::open(&self.form, digest, self.file(digest)?, user)
    }

    fn whole(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let blob = self.unchecked(digest)?;
        blob.check()?;
        Ok(blob)
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
        if !is_settled(blob.file()) {
            let (folder, _) = self.place_of(digest);
            settle(&self.folders.writable(&folder)?, blob.file())?;
        }
        Ok(true)
    }

    fn keep(&self, mut incoming: Incoming<'_>) -> Result<Digest, StoreError> {
        let digest = incoming.finish()?;
        let (folder, name) = self.place_of(&digest);
        incoming.keep(&self.folders.writable(&folder)?, &name)?;
        Ok(digest)
    }

    /// Gives a blob that was received its name.
    pub(crate) fn name(
        &self,
        from: &Dir,
        part: &str,
        blob: &fs::File,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let (folder, name) = self.place_of(digest);
        let folder = self.folders.writable(&folder)?;
        rename(&self.quota, (from, part), blob, (&folder, &name))?;
        settle(&folder, blob)
    }

    /// Where blobs are received, by how they are sealed; nothing where they are not.
    pub(crate) fn receiver(&self) -> Result<Option<(Arc<Seal>, Dir)>, StoreError> {
        match &self.form {
            Form::Plain => Ok(None),
            Form::Sealed(seal) => {
                let parts = subfolder(self.folders.root(), PARTIAL)?;
                Ok(Some((seal.clone(), parts)))
            }
        }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// Bytes on disk that count against the quota, and the quota; without one, what was put since the
    /// store was opened, and as many as can be counted.
    pub fn used(&self) -> (u64, u64) {
        self.quota.state()
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Whether the key is the one that the store was made with; if it was made just now, it is.
    fn check_key(&self, seal: &Seal) -> Result<(), StoreError> {
        let check = seal.check().to_string();
        let root = self.folders.root();
        let is_it = || root.read_to_string(CHECK).map(|found| found == check);
        let found = match is_it() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut made = Incoming::create(&self.incoming, &self.quota, &Form::Plain)?;
                made.write(check.as_bytes())?;
                made.link(root, CHECK)?;
                is_it()
            }
            found => found,
        };
        match found.map_err(at("read what tells the key"))? {
            true => Ok(()),
            false => Err(StoreError::WrongKey),
        }
    }

    /// The folder and the name in it of a blob's file.
    fn place_of(&self, digest: &Digest) -> (String, String) {
        split(&self.form.name(digest))
    }

    fn path_of(&self, digest: &Digest) -> String {
        let (folder, name) = self.place_of(digest);
        format!("{folder}/{name}")
    }

    /// Hands out the path of each blob's file, the digest it is named by, and what is known of it.
    pub(crate) fn visit(&self, mut found: impl FnMut(&str, Digest, &Metadata)) -> io::Result<()> {
        for folder in self.folders.all().entries()? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            let prefix = folder.file_name();
            for blob in folder.open_dir()?.entries()? {
                let blob = blob?;
                let Some((path, name)) = named(&prefix, &blob.file_name()) else {
                    continue;
                };
                match blob.metadata() {
                    Ok(metadata) => found(&path, name, &metadata),
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

fn missing(digest: &Digest, error: io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => StoreError::Missing(*digest),
        _ => at("read a blob")(error),
    }
}
