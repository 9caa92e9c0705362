//! What is in files: reading, writing, and what it costs.

use opensky_protocol::Abort;

use super::{Errno, Fault, Ino, Kind, MAX_FILE, MemFs};
use crate::host::{Blob, Stop};

/// The bytes of one file.
pub(super) enum Content {
    /// An input's, which nobody changes.
    Shared(Blob),
    Own(Vec<u8>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Content {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(blob) => (**blob).as_ref(),
            Self::Own(bytes) => bytes,
        }
    }

    pub fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// The bytes: taken away where `last` says that nobody wants them again.
    pub fn take_or_copy(&mut self, last: bool) -> Vec<u8> {
        match self {
            Self::Own(bytes) if last => std::mem::take(bytes),
            content => content.bytes().to_vec(),
        }
    }
}

impl MemFs {
    fn content(&self, ino: Ino) -> Option<&Content> {
        match &self.node(ino).kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    /// The bytes of a file that may be changed.
    pub(super) fn own(&mut self, ino: Ino) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.node_mut(ino).kind {
            Kind::File(Content::Own(bytes)) => Ok(bytes),
            Kind::File(Content::Shared(_)) => Err(Errno::ReadOnly),
            Kind::Directory(_) => Err(Errno::IsDirectory),
            Kind::Link(_) => Err(Errno::Invalid),
        }
    }

    /// How long a file is; 0 for what is none.
    pub fn size(&self, ino: Ino) -> u64 {
        self.content(ino).map_or(0, Content::len)
    }

    /// Up to `len` bytes of a file at `at`; fewer only at its end.
    pub fn read(&self, ino: Ino, at: u64, len: u64) -> Vec<u8> {
        let bytes = self.content(ino).map_or(&[][..], Content::bytes);
        let start = at.min(bytes.len() as u64);
        let end = at.saturating_add(len).min(bytes.len() as u64);
        bytes[start as usize..end as usize].to_vec()
    }

    /// Writes all of `data` at `at`. What lies between the old end and `at` becomes zero.
    pub fn write(&mut self, ino: Ino, at: u64, data: &[u8]) -> Result<(), Fault> {
        let old = self.own(ino)?.len() as u64;
        if data.is_empty() {
            return Ok(());
        }
        let end = at.saturating_add(data.len() as u64);
        if end > MAX_FILE {
            return Err(Errno::FileTooLarge.into());
        }
        if end > old {
            self.pay(ino, end - old)?;
            self.budget.spend_work(at.saturating_sub(old))?;
        }
        let bytes = self.own(ino)?;
        reserve(bytes, end)?;
        // All three fit the address space: the bytes are there.
        let (at, end) = (at as usize, end as usize);
        if bytes.len() < at {
            bytes.resize(at, 0);
        }
        let overlap = bytes.len().min(end) - at;
        bytes[at..at + overlap].copy_from_slice(&data[..overlap]);
        bytes.extend_from_slice(&data[overlap..]);
        Ok(())
    }

    /// Cuts a file, or makes it longer with zeros. Nothing is sparse.
    pub fn set_size(&mut self, ino: Ino, size: u64) -> Result<(), Fault> {
        let old = self.own(ino)?.len() as u64;
        if size > MAX_FILE {
            return Err(Errno::FileTooLarge.into());
        }
        if size > old {
            self.pay(ino, size - old)?;
            self.budget.spend_work(size - old)?;
            let bytes = self.own(ino)?;
            reserve(bytes, size)?;
            bytes.resize(size as usize, 0);
            return Ok(());
        }
        self.budget.room += (old - size) * self.weight(ino);
        let bytes = self.own(ino)?;
        bytes.truncate(size as usize);
        // What a file has held is not kept: it is no longer paid for.
        if bytes.capacity() as u64 > 2 * size + 64 {
            bytes.shrink_to_fit();
            self.budget.spend_work(size)?;
        }
        Ok(())
    }

    /// Under how many names a file will be put out.
    fn weight(&self, ino: Ino) -> u64 {
        u64::from(self.node(ino).links.max(1))
    }

    fn pay(&mut self, ino: Ino, bytes: u64) -> Result<(), Stop> {
        let bytes = bytes.saturating_mul(self.weight(ino));
        self.budget.spend_room(bytes)
    }
}

/// Makes room for `len` bytes. Where the machine has none, it is not the guest's fault.
fn reserve(bytes: &mut Vec<u8>, len: u64) -> Result<(), Stop> {
    let len = usize::try_from(len).map_err(|_| Stop::Abort(Abort::HostMemory))?;
    bytes
        .try_reserve(len.saturating_sub(bytes.len()))
        .map_err(|_| Stop::Abort(Abort::HostMemory))
}
