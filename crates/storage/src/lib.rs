//! What a node keeps on its disk: blobs, named by their BLAKE3 digest, and rows.
//!
//! A [`Store`] is a folder. A blob is in it whole or not at all, whatever happens to the process or
//! the machine while it is written, and is checked against its name each time it is read. All calls
//! block; a store may be used from many threads, and from many processes at once.
//! What is stored for others is sealed: opened with a [`SealKey`], a store or a file of rows has on
//! disk only what nobody without the key can read.
//!
//! [`Rows`] is a file of small values that change together, in batches that are durable at once.

mod blob;
mod collect;
mod error;
mod folders;
mod form;
mod in_use;
mod incoming;
mod key;
mod quota;
mod receiving;
mod rows;
mod seal;
mod sealed;
mod store;

pub use blob::Blob;
pub use collect::{Collected, Keep};
pub use error::StoreError;
pub use key::{KeyError, SealKey};
pub use receiving::Receiving;
pub use rows::{LoadAll, Pending, Row, Rows, RowsError, Table};
pub use store::Store;
