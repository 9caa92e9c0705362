//! Blobs, verified while they are read: what both sides agree on.
//!
//! The reader opens a stream, writes the digest and reads the blob's length ([`ABSENT`] if the other
//! side has no such blob). Then it writes numbers of pieces, as many ahead as it likes, and reads
//! each piece in turn: the piece's bytes, and the hashes that tie them to the digest, interleaved in
//! the order of the tree (BLAKE3 with groups of 16 KiB). Numbers and lengths are eight bytes, big
//! endian. Nothing but the verified bytes of a piece leaves this module, and who sent others is
//! named.

mod fetch;
mod outboard;
mod pace;
mod plan;
mod serve;
mod tree;

pub use fetch::{Fetched, Sink, fetch};
pub use outboard::{BlobReader, Blobs, Shelf};
pub use pace::Pace;
pub use serve::serve;

/// The length of a blob that is not there.
const ABSENT: u64 = u64::MAX;
