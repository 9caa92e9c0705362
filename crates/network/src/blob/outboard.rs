//! The blobs that this node serves, and their hash trees, which are worked out once and kept for a
//! while.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bao_tree::io::sync::ReadAt;
use opensky_protocol::Digest;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::tree::{Outboard, Shape};

/// What a node can serve.
pub trait Blobs: Send + Sync + 'static {
    /// The blob of that name, if it is here and may be given away. May block; called on threads for
    /// that.
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>>;
}

/// One blob. What is read need not be verified: bytes that do not fit the digest are not served.
pub trait BlobReader: Send + Sync {
    /// How many bytes there are. Does not change.
    fn length(&self) -> u64;

    /// Fills `buffer` from `offset`. May block.
    ///
    /// # Errors
    /// What the disk says, and `UnexpectedEof` past the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// Bytes of hash trees that are kept: those of 8 GiB of blobs.
const MOST_KEPT: usize = 32 << 20;
/// Trees that are worked out at the same time, as each keeps a core busy.
const BUILDERS: usize = 1;

/// The blobs that this node serves.
pub struct Shelf {
    blobs: Arc<dyn Blobs>,
    trees: Arc<Mutex<Trees>>,
    builders: Arc<Semaphore>,
}

/// A blob that is being served.
#[derive(Clone)]
pub struct Served {
    reader: Arc<dyn BlobReader>,
    outboard: Arc<Outboard>,
    pub shape: Shape,
}

#[derive(Default)]
struct Trees {
    by_digest: HashMap<Digest, Kept>,
    bytes: usize,
    clock: u64,
}

struct Kept {
    outboard: Arc<Outboard>,
    used: u64,
}

impl Shelf {
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self {
            blobs,
            trees: Arc::default(),
            builders: Arc::new(Semaphore::new(BUILDERS)),
        }
    }

    /// The blob, ready to be served: the first time its bytes are read whole.
    pub async fn take(&self, digest: Digest) -> Option<Served> {
        let blobs = self.blobs.clone();
        let open = move || blobs.open(&digest);
        let reader = spawn_blocking(open).await.ok()??;
        let shape = Shape::of(reader.length())?;
        let known = |outboard| Served {
            reader: reader.clone(),
            outboard,
            shape,
        };
        if let Some(outboard) = lock(&self.trees).find(&digest) {
            return Some(known(outboard));
        }
        let permit = self.builders.clone().acquire_owned().await.ok()?;
        // Another stream may have had the same wish.
        if let Some(outboard) = lock(&self.trees).find(&digest) {
            return Some(known(outboard));
        }
        let trees = self.trees.clone();
        let source = reader.clone();
        // The permit is held until the work is done, even if the stream that wanted it is gone.
        let build = move || {
            let _permit = permit;
            let outboard = build(&digest, shape, source.as_ref())?;
            lock(&trees).keep(digest, outboard.clone());
            Some(outboard)
        };
        let outboard = spawn_blocking(build).await.ok()??;
        Some(known(outboard))
    }
}

impl Served {
    /// A piece as it is sent. `None` if the blob is damaged or cannot be read. Blocks.
    pub fn piece(&self, piece: u64, mut wire: Vec<u8>) -> Option<Vec<u8>> {
        wire.clear();
        let source = At(self.reader.as_ref());
        let encoded = self.shape.encode(piece, source, &self.outboard, &mut wire);
        let failed = |error| tracing::warn!(%error, piece, "a blob cannot be served");
        encoded.map_err(failed).ok()?;
        Some(wire)
    }
}

impl Trees {
    fn find(&mut self, digest: &Digest) -> Option<Arc<Outboard>> {
        self.clock += 1;
        let kept = self.by_digest.get_mut(digest)?;
        kept.used = self.clock;
        Some(kept.outboard.clone())
    }

    /// Keeps a tree and forgets those that were not used for longest, until all fit. One that is
    /// too large by itself is kept until the next comes.
    fn keep(&mut self, digest: Digest, outboard: Arc<Outboard>) {
        let size = outboard.data.len();
        while self.bytes + size > MOST_KEPT {
            let oldest = self.by_digest.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            self.forget(&oldest);
        }
        self.forget(&digest);
        self.bytes += size;
        let used = self.clock;
        self.by_digest.insert(digest, Kept { outboard, used });
    }

    fn forget(&mut self, digest: &Digest) {
        if let Some(kept) = self.by_digest.remove(digest) {
            self.bytes -= kept.outboard.data.len();
        }
    }
}

fn lock(trees: &Mutex<Trees>) -> MutexGuard<'_, Trees> {
    trees.lock().unwrap_or_else(PoisonError::into_inner)
}

fn build(digest: &Digest, shape: Shape, reader: &dyn BlobReader) -> Option<Arc<Outboard>> {
    let hashed = shape.hash(InOrder::new(reader, shape.length));
    let failed = |error| tracing::warn!(%error, %digest, "a blob cannot be read");
    let (found, outboard) = hashed.map_err(failed).ok()?;
    if found != *digest {
        tracing::warn!(%digest, "a blob is damaged");
        return None;
    }
    Some(Arc::new(outboard))
}

/// Reads a blob from its beginning to its end.
struct InOrder<'a> {
    reader: &'a dyn BlobReader,
    at: u64,
    length: u64,
}

impl<'a> InOrder<'a> {
    fn new(reader: &'a dyn BlobReader, length: u64) -> Self {
        Self {
            reader,
            at: 0,
            length,
        }
    }
}

impl Read for InOrder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        self.reader.read_at(self.at, &mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads a blob anywhere.
struct At<'a>(&'a dyn BlobReader);

impl ReadAt for At<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)?;
        Ok(buffer.len())
    }
}
