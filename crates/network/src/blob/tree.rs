//! A blob's shape: pieces of 256 KiB, and what of the hash tree travels with each.

use std::io::{self, Read};

use bao_tree::{
    BaoTree, BlockSize, ChunkNum, ChunkRanges,
    io::{BaoContentItem, EncodeError, outboard::PreOrderMemOutboard, sync},
    iter::{BaoChunk, ResponseIterRef},
};
use opensky_protocol::Digest;

/// Hashes are kept and sent for each 16 KiB: a tree of 1/256 of the blob.
const GROUP: BlockSize = BlockSize::from_chunk_log(4);
/// What is asked for at once. Small enough that a stream costs little memory, large enough that the
/// hashes above it, about 64 bytes for each doubling of the blob, do not matter.
pub const PIECE: u64 = 256 << 10;
/// The longest blob: its tree takes 64 MiB.
pub const MOST: u64 = 16 << 30;

const CHUNK: u64 = 1024;

/// A blob's length, and so its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub length: u64,
}

/// The hashes of a blob's groups.
pub type Outboard = PreOrderMemOutboard;

impl Shape {
    /// `None` if there are no such blobs, or the blob is empty and needs no pieces.
    pub fn of(length: u64) -> Option<Self> {
        (1..=MOST).contains(&length).then_some(Self { length })
    }

    pub fn pieces(self) -> u64 {
        self.length.div_ceil(PIECE)
    }

    pub fn last(self) -> u64 {
        self.pieces() - 1
    }

    /// Where a piece begins and how many bytes it has.
    pub fn extent(self, piece: u64) -> (u64, u64) {
        let start = piece * PIECE;
        (start, PIECE.min(self.length - start))
    }

    fn tree(self) -> BaoTree {
        BaoTree::new(self.length, GROUP)
    }

    fn ranges(self, piece: u64) -> ChunkRanges {
        let (start, length) = self.extent(piece);
        let end = (start + length).div_ceil(CHUNK);
        ChunkRanges::from(ChunkNum(start / CHUNK)..ChunkNum(end))
    }

    /// How many bytes a piece has on the wire, hashes included.
    pub fn encoded(self, piece: u64) -> usize {
        let ranges = self.ranges(piece);
        let ranges = sync::truncate_ranges(&ranges, self.length);
        let sizes = ResponseIterRef::new(self.tree(), ranges).map(|item| match item {
            BaoChunk::Parent { .. } => 64,
            BaoChunk::Leaf { size, .. } => size,
        });
        sizes.sum()
    }

    /// A piece's bytes, if what came over the wire is that piece of the blob named `digest`.
    pub fn verify(self, digest: &Digest, piece: u64, wire: &[u8]) -> Option<Vec<u8>> {
        let (start, length) = self.extent(piece);
        let ranges = self.ranges(piece);
        let root = blake3::Hash::from_bytes(digest.0);
        let items = sync::DecodeResponseIter::new(root, self.tree(), wire, &ranges);
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        for item in items {
            if let BaoContentItem::Leaf(leaf) = item.ok()? {
                let is_next = leaf.offset == start + bytes.len() as u64;
                is_next.then_some(())?;
                bytes.extend_from_slice(&leaf.data);
            }
        }
        (bytes.len() as u64 == length).then_some(bytes)
    }

    /// The hashes of what `data` reads, and the digest that they lead to.
    pub fn hash(self, data: impl Read) -> io::Result<(Digest, Outboard)> {
        let tree = self.tree();
        let size = usize::try_from(tree.outboard_size()).map_err(io::Error::other)?;
        let mut outboard = Outboard {
            root: blake3::Hash::from_bytes([0; 32]),
            tree,
            data: vec![0; size],
        };
        outboard.root = sync::outboard(data, tree, &mut outboard)?;
        Ok((Digest::from(outboard.root), outboard))
    }

    /// Writes a piece's bytes and hashes to `wire`, and checks them: a damaged blob is not served.
    pub fn encode(
        self,
        piece: u64,
        data: impl sync::ReadAt,
        outboard: &Outboard,
        wire: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        sync::encode_ranges_validated(data, outboard, &self.ranges(piece), wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(length: u64) -> Vec<u8> {
        (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    #[test]
    fn every_piece_of_every_shape_is_verified_and_no_other_bytes_are() {
        for length in [
            1,
            1023,
            1024,
            1025,
            16_384,
            16_385,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            3 * PIECE + 5,
        ] {
            let bytes = blob(length);
            let shape = Shape::of(length).unwrap();
            let (digest, outboard) = shape.hash(&bytes[..]).unwrap();
            assert_eq!(digest, Digest::of(&bytes), "{length}");
            for piece in 0..shape.pieces() {
                let mut wire = Vec::new();
                shape
                    .encode(piece, &bytes[..], &outboard, &mut wire)
                    .unwrap();
                assert_eq!(wire.len(), shape.encoded(piece), "{length} {piece}");
                let (start, size) = shape.extent(piece);
                let (start, end) = (start as usize, (start + size) as usize);
                let verified = shape.verify(&digest, piece, &wire);
                assert_eq!(verified.as_deref(), Some(&bytes[start..end]));
                for at in [0, wire.len() / 2, wire.len() - 1] {
                    wire[at] ^= 1;
                    assert_eq!(shape.verify(&digest, piece, &wire), None, "{length} {at}");
                    wire[at] ^= 1;
                }
                let short = &wire[..wire.len() - 1];
                assert_eq!(shape.verify(&digest, piece, short), None);
            }
        }
    }

    #[test]
    fn last_piece_proves_the_length() {
        let bytes = blob(3 * PIECE);
        let shape = Shape::of(3 * PIECE).unwrap();
        let (digest, outboard) = shape.hash(&bytes[..]).unwrap();
        let mut wire = Vec::new();
        shape.encode(2, &bytes[..], &outboard, &mut wire).unwrap();
        for lie in [2 * PIECE, 3 * PIECE - 1, 3 * PIECE + 1, 4 * PIECE, MOST] {
            let shape = Shape::of(lie).unwrap();
            for size in [shape.encoded(shape.last()), wire.len()] {
                let mut wire = wire.clone();
                wire.resize(size, 0);
                assert_eq!(shape.verify(&digest, shape.last(), &wire), None, "{lie}");
            }
        }
    }

    #[test]
    fn damaged_blob_is_not_served() {
        let mut bytes = blob(PIECE);
        let shape = Shape::of(PIECE).unwrap();
        let (_, outboard) = shape.hash(&bytes[..]).unwrap();
        bytes[100_000] ^= 1;
        assert!(
            shape
                .encode(0, &bytes[..], &outboard, &mut Vec::new())
                .is_err()
        );
    }
}
