//! Blobs on disk, named by their BLAKE3 digest.
//!
//! A [`Store`] is a folder. A blob is in it whole or not at all, whatever happens to the process or
//! the machine while it is written, and is checked against its name each time it is read. All calls
//! block; a store may be used from many threads, and from many processes at once.

mod error;
mod folders;
mod incoming;
mod quota;
mod store;

pub use error::StoreError;
pub use store::Store;
