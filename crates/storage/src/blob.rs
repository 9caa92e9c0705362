//! A blob that is open for reading, anywhere in it.

use std::{
    fs::{File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opensky_protocol::Digest;

use crate::{
    error::{StoreError, at},
    form::Form,
    in_use::User,
    seal::Seal,
    sealed::{CHUNK, Header, chunks},
};

/// What is read at once where all is read.
const PIECE: usize = 256 << 10;
/// How exactly it is known when a blob was used last: more exactly costs a write each time.
const USE_PRECISION: Duration = Duration::from_secs(60);

/// An open blob. Nothing that uses the store changes what is read from it: if the blob is removed or
/// mended meanwhile it stays as it is here. May be read by many threads at once; all calls block.
#[derive(Debug)]
pub struct Blob {
    digest: Digest,
    len: u64,
    file: File,
    sealed: Option<(Arc<Seal>, Header)>,
    _user: User,
}

impl Blob {
    /// The blob that `file` has under the name of `digest`. Of a sealed one the header is checked, of
    /// a plain one nothing.
    pub(crate) fn open(
        form: &Form,
        digest: &Digest,
        file: File,
        user: User,
    ) -> Result<Self, StoreError> {
        let broken = || StoreError::SealBroken(*digest);
        let metadata = file.metadata().map_err(at("read a blob"))?;
        note_use(&file, &metadata);
        let len = form.plain_len(metadata.len()).ok_or_else(broken)?;
        let sealed = match form {
            Form::Plain => None,
            Form::Sealed(seal) => {
                let header = Header::read(seal, &file).map_err(at("read a blob"))?;
                let is_right = |header: &Header| header.digest == *digest && header.len == len;
                let header = header.filter(is_right).ok_or_else(broken)?;
                Some((seal.clone(), header))
            }
        };
        Ok(Self {
            digest: *digest,
            len,
            file,
            sealed,
            _user: user,
        })
    }

    /// The blob's name.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buffer` with the bytes from `offset` on. How many there were: fewer than asked for only
    /// at the blob's end, none after it. What a sealed store holds is opened and checked in pieces of
    /// 16 KiB, so aligned reads of as much cost least.
    ///
    /// # Errors
    /// [`StoreError::SealBroken`] where the bytes on disk are not those that were sealed,
    /// [`StoreError::Io`] where they cannot be read. What `buffer` holds then means nothing.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let left = self.len.saturating_sub(offset);
        let wanted = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..wanted];
        if buffer.is_empty() {
            return Ok(0);
        }
        match &self.sealed {
            None => self.file.read_exact_at(buffer, offset),
            Some((seal, header)) => open_range(seal, header, &self.file, offset, buffer),
        }
        .map_err(|error| self.failed(error))?;
        Ok(wanted)
    }

    /// Hands out all bytes in order.
    fn visit(&self, mut visit: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), StoreError> {
        if let Some((seal, header)) = &self.sealed {
            let all = 0..chunks(self.len);
            let read = header.read_chunks(seal, &self.file, all, |_, chunk| {
                visit(chunk.ok_or_else(broken)?)
            });
            return read.map_err(|error| self.failed(error));
        }
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            match self.file.read_at(&mut piece, offset) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    visit(&piece[..read]).map_err(at("read a blob"))?;
                    offset += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(at("read a blob")(error)),
            }
        }
    }

    /// Reads all of it, to know that it is what its name says.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let mut hasher = blake3::Hasher::new();
        self.visit(|bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        self.compare(hasher.finalize().into())
    }

    /// All of it, checked.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        self.visit(|bytes| {
            all.extend_from_slice(bytes);
            Ok(())
        })?;
        self.compare(Digest::of(&all))?;
        Ok(all)
    }

    fn compare(&self, found: Digest) -> Result<(), StoreError> {
        if found == self.digest {
            return Ok(());
        }
        Err(StoreError::Damaged {
            digest: self.digest,
            found,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    fn failed(&self, error: io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::InvalidData => StoreError::SealBroken(self.digest),
            _ => at("read a blob")(error),
        }
    }
}

/// Notes that a blob is used: a file that is never written has no other use for the time it was.
fn note_use(file: &File, metadata: &Metadata) {
    let is_recent = |used: SystemTime| used.elapsed().is_ok_and(|age| age < USE_PRECISION);
    if !metadata.modified().is_ok_and(is_recent) {
        // A disk that cannot be written, or another one's file: it is collected earlier.
        let _ = file.set_modified(SystemTime::now());
    }
}

fn broken() -> io::Error {
    ErrorKind::InvalidData.into()
}

/// Fills all of `buffer`, which is not empty, with the bytes from `offset` on, which are there.
fn open_range(
    seal: &Seal,
    header: &Header,
    file: &File,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let end = offset + buffer.len() as u64;
    let size = CHUNK as u64;
    let numbers = offset / size..(end - 1) / size + 1;
    let mut filled = 0;
    header.read_chunks(seal, file, numbers, |number, chunk| {
        let chunk = chunk.ok_or_else(broken)?;
        let skipped = offset.saturating_sub(number * size) as usize;
        let wanted = &chunk[skipped..];
        let wanted = &wanted[..wanted.len().min(buffer.len() - filled)];
        buffer[filled..filled + wanted.len()].copy_from_slice(wanted);
        filled += wanted.len();
        Ok(())
    })
}
