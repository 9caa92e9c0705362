//! Bytes in memory that nobody can change any more: how code and inputs cross to another process.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{NonNull, null_mut},
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// A sealed anonymous file. Its bytes and its length are fixed for as long as anyone holds it.
pub(crate) struct Sealed {
    file: OwnedFd,
    len: usize,
}

const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

impl Sealed {
    /// Copies the parts, one after the other.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Self> {
        let mut file = blank()?;
        for part in parts {
            file.write_all(part)?;
        }
        Self::seal(file)
    }

    /// Seals a file of [`blank`]. Fails while anyone has it mapped for writing.
    pub fn seal(file: File) -> io::Result<Self> {
        fcntl_add_seals(&file, SEALS)?;
        Self::accept(file.into())
    }

    /// Takes a file from another process, if it is sealed.
    pub fn accept(file: OwnedFd) -> io::Result<Self> {
        if !fcntl_get_seals(&file)?.contains(SEALS) {
            return Err(io::Error::other("the file is not sealed"));
        }
        let len = usize::try_from(fstat(&file)?.st_size).map_err(io::Error::other)?;
        Ok(Self { file, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes, read only and shared with whoever else has them.
    pub fn map(&self) -> io::Result<Mapped> {
        if self.len == 0 {
            return Ok(Mapped {
                start: NonNull::dangling(),
                len: 0,
            });
        }
        // SAFETY: the kernel chooses where, so nothing that is there already is replaced.
        let start = unsafe {
            let flags = MapFlags::PRIVATE;
            mmap(null_mut(), self.len, ProtFlags::READ, flags, &self.file, 0)?
        };
        let start = NonNull::new(start.cast()).expect("the kernel maps nothing at address 0");
        Ok(Mapped {
            start,
            len: self.len,
        })
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// An empty file without a name, to be written and sealed.
pub(crate) fn blank() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(memfd_create("opensky", flags)?.into())
}

/// The bytes of a [`Sealed`] while they are mapped.
pub(crate) struct Mapped {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is read only, of bytes that cannot change, and ours until it is dropped.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `len` bytes are mapped from `start`, and the seals keep them as they are.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the range is the one that was mapped, and no slice outlives `self`.
            let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
            debug_assert!(unmapped.is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_can_be_read_and_not_written() {
        let sealed = Sealed::of([&b"one "[..], b"two"]).unwrap();
        assert_eq!(sealed.map().unwrap().as_ref(), b"one two");
        let mut file = File::from(sealed.as_fd().try_clone_to_owned().unwrap());
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(1).is_err());
        assert!(Sealed::of([]).unwrap().map().unwrap().as_ref().is_empty());
    }

    #[test]
    fn unsealed_file_is_not_accepted() {
        assert!(Sealed::accept(blank().unwrap().into()).is_err());
        assert!(Sealed::accept(File::open("/dev/null").unwrap().into()).is_err());
    }
}
