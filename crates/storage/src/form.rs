//! How a store's blobs lie on the disk: as they are, or sealed.

use std::{fs::File, io, sync::Arc};

use opensky_protocol::Digest;

use crate::{
    seal::Seal,
    sealed::{self, Sealer},
};

/// One store has one form, and looks at no files of the other.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Plain,
    Sealed(Arc<Seal>),
}

impl Form {
    /// The layout's version is in the folder's name: another layout is another folder.
    pub fn folder(&self) -> &'static str {
        match self {
            Self::Plain => "blobs-1",
            Self::Sealed(_) => "sealed-1",
        }
    }

    /// What a blob's file is named by.
    pub fn name(&self, digest: &Digest) -> Digest {
        match self {
            Self::Plain => *digest,
            Self::Sealed(seal) => seal.name(digest),
        }
    }

    /// Bytes on disk of a blob of `len` bytes.
    pub fn disk_len(&self, len: u64) -> u64 {
        match self {
            Self::Plain => len,
            Self::Sealed(_) => sealed::disk_len(len),
        }
    }

    /// Bytes of the blob whose file has `disk_len`; nothing where no blob's file has.
    pub fn plain_len(&self, disk_len: u64) -> Option<u64> {
        match self {
            Self::Plain => Some(disk_len),
            Self::Sealed(_) => sealed::plain_len(disk_len),
        }
    }

    /// Into an empty file.
    pub fn writer(&self, file: File) -> io::Result<FormWriter> {
        Ok(match self {
            Self::Plain => FormWriter::Plain(file),
            Self::Sealed(seal) => FormWriter::Sealed(file, Box::new(Sealer::new(seal.clone())?)),
        })
    }
}

/// Writes a blob from its beginning to its end.
#[derive(Debug)]
pub(crate) enum FormWriter {
    Plain(File),
    Sealed(File, Box<Sealer>),
}

impl FormWriter {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => io::Write::write_all(file, bytes),
            Self::Sealed(file, sealer) => sealer.write(file, bytes),
        }
    }

    /// After the last byte.
    pub fn finish(&mut self, digest: Digest) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Sealed(file, sealer) => sealer.finish(file, digest),
        }
    }

    pub fn file(&self) -> &File {
        match self {
            Self::Plain(file) | Self::Sealed(file, _) => file,
        }
    }
}
