//! A sealed blob's bytes on disk: a header, then its chunks, each sealed for itself, so that any of
//! them can be read, or come, before the others.
//!
//! As in the STREAM construction a chunk's nonce is the file's own random prefix, the chunk's number
//! and whether it is the last: chunks that were moved, left out or cut off do not open. The header has
//! the blob's digest and length, so that a file in another's place is found out too.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use opensky_protocol::{Digest, codec};

use crate::seal::{Seal, TAG};

/// Plain bytes of a chunk, but the last: 16 KiB, what nodes verify and send at once. So a chunk that
/// comes from anywhere is sealed once, and one that is sent is opened alone.
pub(crate) const CHUNK: usize = 16 << 10;
/// A chunk on disk.
const SLOT: usize = CHUNK + TAG;
/// Chunks that are read at once: 256 KiB.
const AT_ONCE: u64 = 16;

/// The format and its version.
const MAGIC: &[u8; 8] = b"oskysea1";
/// What of a nonce is the file's own: random, so no two files of a node have the same.
const PREFIX: usize = 19;
/// Digest and length in their canonical bytes.
const ABOUT: usize = 40;
const HEADER: usize = MAGIC.len() + PREFIX + ABOUT + TAG;

/// The place of a chunk in its blob; the header's is none of them.
#[derive(Clone, Copy)]
enum Place {
    Inner = 0,
    Last = 1,
    Header = 2,
}

type Prefix = [u8; PREFIX];

fn nonce(prefix: &Prefix, number: u32, place: Place) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..PREFIX].copy_from_slice(prefix);
    nonce[PREFIX..23].copy_from_slice(&number.to_be_bytes());
    nonce[23] = place as u8;
    nonce
}

fn fresh_prefix() -> io::Result<Prefix> {
    let mut prefix = [0; PREFIX];
    getrandom::fill(&mut prefix).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(prefix)
}

/// How many chunks a blob of `len` bytes has. An empty one has one, so that its end is sealed too.
pub(crate) fn chunks(len: u64) -> u64 {
    len.div_ceil(CHUNK as u64).max(1)
}

/// Bytes on disk of a blob of `len` bytes.
pub(crate) fn disk_len(len: u64) -> u64 {
    let tags = chunks(len).saturating_mul(TAG as u64);
    (HEADER as u64).saturating_add(len).saturating_add(tags)
}

/// Bytes of the blob that has `disk_len` bytes on disk; nothing where no blob has.
pub(crate) fn plain_len(disk_len: u64) -> Option<u64> {
    let body = disk_len.checked_sub(HEADER as u64)?;
    let len = body.checked_sub(body.div_ceil(SLOT as u64) * TAG as u64)?;
    (self::disk_len(len) == disk_len).then_some(len)
}

fn offset(number: u64) -> u64 {
    HEADER as u64 + number * SLOT as u64
}

fn too_long() -> io::Error {
    io::ErrorKind::FileTooLarge.into()
}

/// What a sealed file says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub digest: Digest,
    pub len: u64,
    prefix: Prefix,
}

impl Header {
    /// That of a new file.
    pub fn new(digest: Digest, len: u64) -> io::Result<Self> {
        u32::try_from(chunks(len)).map_err(|_| too_long())?;
        let prefix = fresh_prefix()?;
        Ok(Self {
            digest,
            len,
            prefix,
        })
    }

    pub fn write(&self, seal: &Seal, file: &File) -> io::Result<()> {
        let mut about = codec::encode(&(self.digest, self.len));
        let tag = seal.seal(&nonce(&self.prefix, 0, Place::Header), &mut about);
        let header = [&MAGIC[..], &self.prefix, &about, &tag].concat();
        file.write_all_at(&header, 0)
    }

    /// Nothing where it is not one that was sealed with this key.
    pub fn read(seal: &Seal, file: &File) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(|()| Self::open(seal, &header)),
        }
    }

    fn open(seal: &Seal, header: &[u8; HEADER]) -> Option<Self> {
        let rest = header.strip_prefix(MAGIC)?;
        let (prefix, rest) = rest.split_first_chunk()?;
        let (about, tag) = rest.split_last_chunk()?;
        let mut about = about.to_vec();
        seal.open(&nonce(prefix, 0, Place::Header), &mut about, tag)?;
        let (digest, len) = codec::decode(&about).ok()?;
        let prefix = *prefix;
        Some(Self {
            digest,
            len,
            prefix,
        })
    }

    fn nonce(&self, number: u64) -> [u8; 24] {
        let last = number + 1 == chunks(self.len);
        let place = if last { Place::Last } else { Place::Inner };
        // No header of more chunks is made, nor opened.
        nonce(&self.prefix, number as u32, place)
    }

    /// Plain bytes of that chunk.
    fn chunk_len(&self, number: u64) -> usize {
        (self.len - number * CHUNK as u64).min(CHUNK as u64) as usize
    }

    /// Writes chunks that follow one another, from the one of that number on: all but the blob's last
    /// are whole. One that was written before must have had the same bytes.
    pub fn write_chunks(
        &self,
        seal: &Seal,
        file: &File,
        first: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(SLOT * bytes.len().div_ceil(CHUNK));
        for (number, chunk) in (first..).zip(pieces(bytes)) {
            let start = sealed.len();
            sealed.extend_from_slice(chunk);
            let tag = seal.seal(&self.nonce(number), &mut sealed[start..]);
            sealed.extend_from_slice(&tag);
        }
        file.write_all_at(&sealed, offset(first))
    }

    /// Reads the chunks of those numbers and gives each to `visit`, opened, or nothing in its place
    /// where it does not open.
    pub fn read_chunks<E: From<io::Error>>(
        &self,
        seal: &Seal,
        file: &File,
        numbers: std::ops::Range<u64>,
        mut visit: impl FnMut(u64, Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = Vec::new();
        let mut first = numbers.start;
        while first < numbers.end {
            let end = numbers.end.min(first + AT_ONCE);
            let last = end - 1;
            let len = (last - first) as usize * SLOT + self.chunk_len(last) + TAG;
            buffer.resize(len, 0);
            let read = read_up_to(file, &mut buffer, offset(first))?;
            buffer[read..].fill(0);
            for (number, slot) in (first..end).zip(buffer.chunks_mut(SLOT)) {
                let opened = self.open_chunk(seal, number, slot);
                visit(number, opened)?;
            }
            first = end;
        }
        Ok(())
    }

    fn open_chunk<'a>(&self, seal: &Seal, number: u64, slot: &'a mut [u8]) -> Option<&'a [u8]> {
        let (chunk, tag) = slot.split_last_chunk_mut()?;
        // Never written: as good as impossible otherwise.
        if *tag == [0; TAG] {
            return None;
        }
        seal.open(&self.nonce(number), chunk, tag)?;
        Some(chunk)
    }
}

/// An empty blob is one empty chunk.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = bytes.is_empty().then_some(bytes);
    bytes.chunks(CHUNK).chain(empty)
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes a blob whose length and digest are not known before its end.
#[derive(Debug)]
pub(crate) struct Sealer {
    seal: Arc<Seal>,
    prefix: Prefix,
    /// Bytes that were sealed.
    done: u64,
    /// At most a chunk that waits for more: it may be the last.
    rest: Vec<u8>,
}

impl Sealer {
    pub fn new(seal: Arc<Seal>) -> io::Result<Self> {
        Ok(Self {
            seal,
            prefix: fresh_prefix()?,
            done: 0,
            rest: Vec::with_capacity(CHUNK),
        })
    }

    pub fn write(&mut self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes;
        let mut sealed = Vec::new();
        let from = offset(self.done / CHUNK as u64);
        while !bytes.is_empty() {
            if self.rest.len() == CHUNK {
                self.seal_rest(Place::Inner, &mut sealed)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.rest.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
        }
        file.write_all_at(&sealed, from)
    }

    /// Writes the last chunk, and the header.
    pub fn finish(&mut self, file: &File, digest: Digest) -> io::Result<()> {
        let mut sealed = Vec::new();
        let from = offset(self.done / CHUNK as u64);
        let len = self.done + self.rest.len() as u64;
        self.seal_rest(Place::Last, &mut sealed)?;
        file.write_all_at(&sealed, from)?;
        let prefix = self.prefix;
        let header = Header {
            digest,
            len,
            prefix,
        };
        header.write(&self.seal, file)
    }

    fn seal_rest(&mut self, place: Place, sealed: &mut Vec<u8>) -> io::Result<()> {
        let number = u32::try_from(self.done / CHUNK as u64).map_err(|_| too_long())?;
        let tag = self
            .seal
            .seal(&nonce(&self.prefix, number, place), &mut self.rest);
        self.done += self.rest.len() as u64;
        sealed.append(&mut self.rest);
        sealed.extend_from_slice(&tag);
        Ok(())
    }
}
