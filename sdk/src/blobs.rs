//! The unit's named inputs, and outputs beside its return value.
//!
//! Every input is there, checked against its digest, before the unit starts: opening and reading
//! never wait. Each read is one call to the host and is charged as such, so go through a
//! [`std::io::BufReader`] where reads are small.
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{Digest, Error, host};

/// The most that one call to the host moves.
const CHUNK: u64 = 1 << 20;

/// The unit's inputs and their digests, sorted by name.
pub fn manifest() -> Vec<(String, Digest)> {
    host::manifest()
}

/// Opens the input of this digest. A unit may hold 16,384 things of the host at once, open inputs
/// among them; one more ends it.
///
/// # Errors
/// [`Error::MissingBlob`] when the manifest does not have it.
pub fn open(id: Digest) -> Result<Reader, Error> {
    let blob = host::open(id).ok_or(Error::MissingBlob(id))?;
    let len = blob.size();
    Ok(Reader {
        blob,
        len,
        position: 0,
    })
}

/// Opens the input of this name: what `--in NAME=FILE` gave.
///
/// # Errors
/// [`Error::InvalidInput`] when the manifest does not have it.
pub fn open_named(name: &str) -> Result<Reader, Error> {
    let found = manifest()
        .into_iter()
        .find(|(candidate, _)| candidate == name);
    let (_, id) = found.ok_or_else(|| Error::InvalidInput(format!("there is no input {name}")))?;
    open(id)
}

/// Makes `data` an output of the unit, named by its digest. The bytes of all outputs together, of the
/// return value too, are limited (256 MiB unless the requester says otherwise); what is over the limit
/// ends the unit. So does the 65,537th blob, and more than 128 MiB in one call: write large ones with
/// a [`Writer`]. Putting the same bytes again changes nothing.
pub fn put(data: &[u8]) -> Digest {
    host::put(data)
}

/// An open input: reads and seeks like a file.
pub struct Reader {
    blob: host::Blob,
    len: u64,
    position: u64,
}

impl Reader {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Exactly `len` bytes at `offset`, never fewer; leaves the position alone. More than 128 MiB at
    /// once ends the unit.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when the range reaches past the end.
    pub fn read_at(&self, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        self.blob.read(offset, len).ok_or_else(|| {
            Error::InvalidInput(format!(
                "{len} bytes at {offset} reach past the end of a blob of {} bytes",
                self.len
            ))
        })
    }

    fn next_chunk(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let len = most.min(CHUNK).min(self.len.saturating_sub(self.position));
        if len == 0 {
            return Ok(Vec::new());
        }
        // At most CHUNK, so the cast keeps the value.
        let chunk = self.blob.read(self.position, len as u32);
        let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.position += len;
        Ok(chunk)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let chunk = self.next_chunk(buffer.len() as u64)?;
        buffer[..chunk.len()].copy_from_slice(&chunk);
        Ok(chunk.len())
    }

    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let before = buffer.len();
        loop {
            let chunk = self.next_chunk(CHUNK)?;
            if chunk.is_empty() {
                return Ok(buffer.len() - before);
            }
            buffer.extend_from_slice(&chunk);
        }
    }
}

impl Seek for Reader {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// An output being written. It counts from [`Writer::finish`] on; dropped before, it is nothing.
///
/// Each write is one call to the host, of a megabyte at most: go through a [`std::io::BufWriter`] where
/// writes are small.
pub struct Writer(host::NewBlob);

impl Writer {
    /// An empty output.
    #[expect(clippy::new_without_default, reason = "it makes something at the host")]
    pub fn new() -> Self {
        Self(host::NewBlob::new())
    }

    /// Seals it: from here on it is an output of the unit, named by its digest.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let part = &data[..data.len().min(CHUNK as usize)];
        self.0.write(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
