//! A blob that comes in pieces, in any order, from several places, and over more than one life of the
//! process.

use std::{
    fs::File,
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{
    Store, StoreError,
    error::at,
    quota::Quota,
    seal::Seal,
    sealed::{CHUNK, Header, chunks, disk_len},
};

/// A blob on its way. Its pieces are sealed on disk as they come; a restart finds those again by
/// their seals. Under its name there is nothing before all of it is there and checked.
///
/// Many threads may write at once; all calls block. What is dropped unfinished stays, to be gone on
/// with, until it is discarded or collected.
#[derive(Debug)]
pub struct Receiving {
    store: Arc<Store>,
    seal: Arc<Seal>,
    parts: Dir,
    header: Header,
    name: String,
    file: File,
    have: Mutex<Have>,
}

impl Receiving {
    /// Bytes of a piece. Pieces start at its multiples, and are as long but for the blob's last.
    pub const PIECE: u64 = CHUNK as u64;

    fn open(
        store: Arc<Store>,
        seal: Arc<Seal>,
        parts: Dir,
        digest: &Digest,
        len: u64,
    ) -> Result<Self, StoreError> {
        let name = seal.name(digest).to_string();
        let file = lock(&parts, &name, digest)?;
        let (header, have) = match Header::read(&seal, &file).map_err(at("read a part"))? {
            Some(found) if found.len == len && found.digest == *digest => {
                let have = Have::read(&found, &seal, &file).map_err(at("read a part"))?;
                (found, have)
            }
            _ => {
                let begun = begin(store.quota(), &seal, &file, digest, len);
                let header = begun.inspect_err(|_| {
                    // If this fails there is an empty file more, which is collected one day.
                    let _ = parts.remove_file(&name);
                })?;
                (header, Have::none(chunks(len)))
            }
        };
        let have = Mutex::new(have);
        let receiving = Self {
            store,
            seal,
            parts,
            header,
            name,
            file,
            have,
        };
        if len == 0 {
            // It has no bytes to come, and still an end that is sealed.
            receiving.write_run(0, &[])?;
        }
        Ok(receiving)
    }

    /// The blob's name.
    pub fn digest(&self) -> &Digest {
        &self.header.digest
    }

    /// The blob's length in bytes, when it is whole.
    pub fn len(&self) -> u64 {
        self.header.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.header.len == 0
    }

    /// The first `most` ranges of bytes that are still missing, in order, and as long as they can be.
    pub fn missing(&self, most: usize) -> Vec<Range<u64>> {
        let have = self.lock();
        let bytes =
            |run: Range<u64>| run.start * Self::PIECE..(run.end * Self::PIECE).min(self.header.len);
        have.missing().map(bytes).take(most).collect()
    }

    /// Writes the bytes that the blob has at `offset`: whole pieces, which the caller has verified.
    /// What is there already is not written again. They are durable when the blob is finished; until
    /// then a crash may lose some, which are missing again.
    ///
    /// # Errors
    /// [`StoreError::Pieces`] where they are not whole pieces of the blob, [`StoreError::DiskFull`],
    /// [`StoreError::Io`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let len = bytes.len() as u64;
        let end = offset
            .checked_add(len)
            .filter(|end| *end <= self.header.len);
        let is_whole = |end| len.is_multiple_of(Self::PIECE) || end == self.header.len;
        if !offset.is_multiple_of(Self::PIECE) || !end.is_some_and(is_whole) {
            return Err(StoreError::Pieces { offset, len });
        }
        let first = offset / Self::PIECE;
        let wanted = first..first + len.div_ceil(Self::PIECE);
        let runs: Vec<_> = self.lock().missing_in(wanted).collect();
        for run in runs {
            let start = (run.start - first) as usize * CHUNK;
            let end = ((run.end - first) as usize * CHUNK).min(bytes.len());
            self.write_run(run.start, &bytes[start..end])?;
        }
        Ok(())
    }

    fn write_run(&self, first: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let written = self
            .header
            .write_chunks(&self.seal, &self.file, first, bytes);
        written.map_err(at("write a part"))?;
        let mut have = self.lock();
        let count = chunks(bytes.len() as u64);
        (first..first + count).for_each(|number| have.add(number));
        Ok(())
    }

    /// Checks the whole blob against its digest and gives it its name, durably.
    ///
    /// # Errors
    /// [`StoreError::Incomplete`] where bytes are missing, and [`StoreError::SealBroken`] where the
    /// disk has lost some: it can be received further, with [`Store::receive`].
    /// [`StoreError::Damaged`] where the bytes are not those of the digest: all of them are
    /// discarded. [`StoreError::DiskFull`] and [`StoreError::Io`].
    pub fn finish(self) -> Result<(), StoreError> {
        let digest = self.header.digest;
        let missing = self.lock().missing().map(|run| run.end - run.start).sum();
        if missing > 0 {
            return Err(StoreError::Incomplete {
                digest,
                pieces: missing,
            });
        }
        let mut hasher = blake3::Hasher::new();
        let all = 0..chunks(self.header.len);
        let read = self
            .header
            .read_chunks(&self.seal, &self.file, all, |_, chunk| {
                let chunk = chunk.ok_or(ErrorKind::InvalidData)?;
                hasher.update(chunk);
                Ok(())
            });
        read.map_err(|error: io::Error| match error.kind() {
            ErrorKind::InvalidData => StoreError::SealBroken(digest),
            _ => at("read a part")(error),
        })?;
        let found = hasher.finalize().into();
        if found != digest {
            self.discard()?;
            return Err(StoreError::Damaged { digest, found });
        }
        self.store
            .name(&self.parts, &self.name, &self.file, &digest)
    }

    /// Removes what has come so far, and gives its bytes back to the quota.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the operating system refuses.
    pub fn discard(self) -> Result<(), StoreError> {
        let removed = self.parts.remove_file(&self.name);
        removed.map_err(at("remove a part"))?;
        self.store.quota().give(disk_len(self.header.len));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Have> {
        self.have.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Goes on, or begins, to receive a blob of `len` bytes in pieces. What has come before, in
    /// another life of the process too, is found again by reading all of it; if it was of a blob of
    /// another length it is lost. The quota takes the whole length now.
    ///
    /// # Errors
    /// [`StoreError::NotSealed`], [`StoreError::BeingReceived`], [`StoreError::Quota`],
    /// [`StoreError::DiskFull`] or [`StoreError::Io`].
    pub fn receive(self: &Arc<Self>, digest: &Digest, len: u64) -> Result<Receiving, StoreError> {
        let (seal, parts) = self.receiver()?.ok_or(StoreError::NotSealed)?;
        Receiving::open(self.clone(), seal, parts, digest, len)
    }

    /// Removes what has come of a blob in pieces, unless somebody receives it now. Whether there was
    /// anything to be removed.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn discard_part(&self, digest: &Digest) -> Result<bool, StoreError> {
        let Some((seal, parts)) = self.receiver()? else {
            return Ok(false);
        };
        let failed = at("remove a part");
        let name = seal.name(digest).to_string();
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = match parts.open_with(&name, &options) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(&failed)?.into_std(),
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        let metadata = file.metadata().map_err(&failed)?;
        if !is_named(&parts, &name, &metadata) {
            return Ok(false);
        }
        parts.remove_file(&name).map_err(&failed)?;
        self.quota().give(metadata.len());
        Ok(true)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // Closing the file does not do it while a process that was started just now has it too.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Opens the file of what has come, which is made if it is not there, for this receiver alone.
fn lock(parts: &Dir, name: &str, digest: &Digest) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    loop {
        let opened = parts.open_with(name, &options);
        let file = opened.map_err(at("open a part"))?.into_std();
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                return Err(StoreError::BeingReceived(*digest));
            }
            locked => locked.map_err(|error| at("lock a part")(error.into()))?,
        }
        // Before it was locked somebody may have finished or discarded it.
        let metadata = file.metadata().map_err(at("open a part"))?;
        if is_named(parts, name, &metadata) {
            return Ok(file);
        }
    }
}

/// Whether that is the name of the file which is known so.
fn is_named(parts: &Dir, name: &str, file: &std::fs::Metadata) -> bool {
    let named = parts.metadata(name);
    named.is_ok_and(|found| cap_std::fs::MetadataExt::ino(&found) == file.ino())
}

/// Makes an empty part for a blob of that length, whatever the file had.
fn begin(
    quota: &Quota,
    seal: &Seal,
    file: &File,
    digest: &Digest,
    len: u64,
) -> Result<Header, StoreError> {
    let empty = || -> io::Result<Header> {
        let had = file.metadata()?.len();
        file.set_len(0)?;
        quota.give(had);
        Header::new(*digest, len)
    };
    let header = empty().map_err(at("write a part"))?;
    quota.take(disk_len(len), 0)?;
    let sized = file.set_len(disk_len(len));
    let written = sized.and_then(|()| header.write(seal, file));
    written.map_err(|error| {
        quota.give(disk_len(len));
        at("write a part")(error)
    })?;
    Ok(header)
}

/// Which chunks are there: a bit for each.
#[derive(Debug)]
struct Have {
    bits: Vec<u64>,
    all: u64,
}

impl Have {
    fn none(all: u64) -> Self {
        let words = all.div_ceil(64) as usize;
        Self {
            bits: vec![0; words],
            all,
        }
    }

    /// Those that a part has: reads all of it.
    fn read(header: &Header, seal: &Seal, file: &File) -> io::Result<Self> {
        let all = chunks(header.len);
        let mut have = Self::none(all);
        header.read_chunks(seal, file, 0..all, |number, chunk| {
            if chunk.is_some() {
                have.add(number);
            }
            Ok::<_, io::Error>(())
        })?;
        Ok(have)
    }

    fn add(&mut self, number: u64) {
        self.bits[(number / 64) as usize] |= 1 << (number % 64);
    }

    fn has(&self, number: u64) -> bool {
        self.bits[(number / 64) as usize] >> (number % 64) & 1 == 1
    }

    fn missing(&self) -> impl Iterator<Item = Range<u64>> {
        self.missing_in(0..self.all)
    }

    /// Runs of missing ones, as long as they can be.
    fn missing_in(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut next = within.start;
        std::iter::from_fn(move || {
            let start = (next..within.end).find(|number| !self.has(*number))?;
            let end = (start..within.end).find(|number| self.has(*number));
            next = end.unwrap_or(within.end);
            Some(start..next)
        })
    }
}
