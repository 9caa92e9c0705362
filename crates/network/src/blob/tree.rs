//! A blob's shape: pieces of 256 KiB, and what of the hash tree travels with each.

use std::io::{self, Read};

use bao_tree::{
    BaoTree, BlockSize, ChunkNum, ChunkRanges,
    io::{EncodeError, outboard::PreOrderMemOutboard, sync},
    iter::{BaoChunk, ResponseIterRef},
};
use blake3::hazmat::{self, HasherExt, Mode};
use futures::{AsyncRead, AsyncReadExt};
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

    /// What a piece is on the wire, in its order.
    fn parts(self, piece: u64) -> Vec<BaoChunk> {
        let ranges = self.ranges(piece);
        let ranges = sync::truncate_ranges(&ranges, self.length);
        ResponseIterRef::new(self.tree(), ranges).collect()
    }

    /// Reads a piece of the blob named `digest`, and checks each group as it arrives. `None` as soon
    /// as something is not that blob's.
    pub async fn read(
        self,
        digest: &Digest,
        piece: u64,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Vec<u8>>> {
        let (_, length) = self.extent(piece);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let (mut at, mut expected) = (0, vec![digest.0]);
        for part in self.parts(piece) {
            let Some(hash) = expected.pop() else {
                return Ok(None);
            };
            let found = match part {
                BaoChunk::Parent {
                    is_root,
                    left,
                    right,
                    ..
                } => {
                    let (mut first, mut second) = ([0; 32], [0; 32]);
                    stream.read_exact(&mut first).await?;
                    stream.read_exact(&mut second).await?;
                    expected.extend(right.then_some(second));
                    expected.extend(left.then_some(first));
                    above(&first, &second, is_root)
                }
                BaoChunk::Leaf {
                    start_chunk,
                    size,
                    is_root,
                    ..
                } => {
                    let Some(group) = bytes.get_mut(at..at + size) else {
                        return Ok(None);
                    };
                    stream.read_exact(group).await?;
                    at += size;
                    group_hash(group, start_chunk.to_bytes(), is_root)
                }
            };
            if found != hash {
                return Ok(None);
            }
        }
        Ok((at == bytes.len()).then_some(bytes))
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

/// The hash above two hashes.
fn above(first: &[u8; 32], second: &[u8; 32], is_root: bool) -> [u8; 32] {
    match is_root {
        true => hazmat::merge_subtrees_root(first, second, Mode::Hash).into(),
        false => hazmat::merge_subtrees_non_root(first, second, Mode::Hash),
    }
}

/// The hash of a group that begins at `offset` of its blob.
fn group_hash(group: &[u8], offset: u64, is_root: bool) -> [u8; 32] {
    if is_root {
        return blake3::hash(group).into();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(group);
    hasher.finalize_non_root()
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, io::Cursor};

    use super::*;

    /// The piece, if all of `wire` is that piece.
    fn verify(shape: Shape, digest: &Digest, piece: u64, wire: &[u8]) -> Option<Vec<u8>> {
        let mut stream = Cursor::new(wire);
        let read = shape.read(digest, piece, &mut stream).now_or_never();
        let bytes = read.expect("memory is always ready").ok()??;
        (stream.position() == wire.len() as u64).then_some(bytes)
    }

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
                let (start, size) = shape.extent(piece);
                let (start, end) = (start as usize, (start + size) as usize);
                let verified = verify(shape, &digest, piece, &wire);
                assert_eq!(verified.as_deref(), Some(&bytes[start..end]));
                for at in [0, wire.len() / 2, wire.len() - 1] {
                    wire[at] ^= 1;
                    assert_eq!(verify(shape, &digest, piece, &wire), None, "{length} {at}");
                    wire[at] ^= 1;
                }
                let short = &wire[..wire.len() - 1];
                assert_eq!(verify(shape, &digest, piece, short), None);
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
            let mut wire = wire.clone();
            wire.resize(wire.len() + 4096, 0);
            let stream = &mut Cursor::new(&wire);
            let read = shape.read(&digest, shape.last(), stream).now_or_never();
            assert!(matches!(read, Some(Ok(None) | Err(_))), "{lie}");
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
