//! What can go wrong with a store.

use std::io::{self, ErrorKind};

use opensky_protocol::Digest;

/// Why a store did not do what was asked. Whatever it is, no half-written blob is left.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No blob of that digest is in the store.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The bytes on disk are not those of the digest. Putting the right ones mends it.
    #[error("blob {digest} is damaged: its bytes have digest {found}; put it again to mend it")]
    Damaged {
        /// The blob's name.
        digest: Digest,
        /// What its bytes hash to.
        found: Digest,
    },
    /// The bytes on disk are not those that were sealed for that blob. Putting the blob again mends it.
    #[error("blob {0} is damaged: what the disk has was not sealed so; put it again to mend it")]
    SealBroken(Digest),
    /// The store was sealed with another key.
    #[error(
        "the store was sealed with another key: open it with the key it was made with, or choose \
         another folder"
    )]
    WrongKey,
    /// Only a sealed store receives blobs in pieces: it finds them again by their seals.
    #[error("the store is not sealed: blobs are received by one that is opened with a key")]
    NotSealed,
    /// Somebody else receives the blob into this store right now.
    #[error("blob {0} is being received already")]
    BeingReceived(Digest),
    /// A blob that was to be finished lacks bytes.
    #[error("blob {digest} is not whole: {pieces} pieces of 16 KiB are missing")]
    Incomplete {
        /// The blob's name.
        digest: Digest,
        /// How many pieces have not come.
        pieces: u64,
    },
    /// Bytes that were to be received are not whole pieces of the blob.
    #[error("{len} bytes at {offset} are not whole pieces of 16 KiB of the blob")]
    Pieces {
        /// Where they start.
        offset: u64,
        /// How many there are.
        len: u64,
    },
    /// Something that is no file has the name of one: a pipe, a device, a folder.
    #[error("`{0}` in the store is not a regular file: move it away")]
    NotAFile(String),
    /// The blob would not fit into the store's quota.
    #[error(
        "the store's quota is used up: {used} of {quota} bytes, and {needed} more are needed; \
         remove blobs or raise the quota"
    )]
    Quota {
        /// Bytes of blobs in the store, and of others that are being written.
        used: u64,
        /// Bytes of blobs that it may hold.
        quota: u64,
        /// Bytes that do not fit: those of the blob as far as it was read.
        needed: u64,
    },
    /// The file system has no room, or not for this user.
    #[error("the disk is full ({doing}): free some space, nothing was stored")]
    DiskFull {
        /// What the store was doing.
        doing: &'static str,
    },
    /// The source of a blob could not be read.
    #[error("cannot read the blob's source: {0}")]
    Source(#[source] io::Error),
    /// The operating system refused.
    #[error("cannot {doing} in the store: {source}")]
    Io {
        /// What the store was doing.
        doing: &'static str,
        /// Why it could not.
        source: io::Error,
    },
}

/// Names what the store was doing when the operating system refused.
pub(crate) fn at(doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::DiskFull { doing }
        }
        _ => StoreError::Io { doing, source },
    }
}
