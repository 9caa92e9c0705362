//! Host calls of a guest: the generated imports.
use crate::{
    Digest, Level,
    bindings::imports::opensky::compute::{blobs, context, report},
};

pub(crate) fn unit_id() -> Digest {
    Digest::from_words(context::unit_id())
}

pub(crate) fn shard() -> (u32, u32) {
    context::shard()
}

pub(crate) fn params() -> Vec<(String, String)> {
    context::params()
}

pub(crate) fn seed() -> [u8; 32] {
    *Digest::from_words(context::seed()).as_bytes()
}

pub(crate) fn virtual_time() -> u64 {
    context::virtual_time()
}

pub(crate) fn manifest() -> Vec<(String, Digest)> {
    let named = |(name, words)| (name, Digest::from_words(words));
    blobs::manifest().into_iter().map(named).collect()
}

/// `None`: not in the manifest.
pub(crate) fn open(id: Digest) -> Option<Blob> {
    blobs::open(id.to_words()).ok().map(Blob)
}

pub(crate) fn put(data: &[u8]) -> Digest {
    Digest::from_words(blobs::put(data))
}

pub(crate) struct Blob(blobs::Reader);

impl Blob {
    pub(crate) fn size(&self) -> u64 {
        self.0.size()
    }

    /// `None`: past the end.
    pub(crate) fn read(&self, offset: u64, len: u32) -> Option<Vec<u8>> {
        self.0.read(offset, len).ok()
    }
}

pub(crate) struct NewBlob(blobs::Writer);

impl NewBlob {
    pub(crate) fn new() -> Self {
        Self(blobs::Writer::new())
    }

    pub(crate) fn write(&mut self, data: &[u8]) {
        self.0.write(data);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest::from_words(blobs::Writer::finish(self.0))
    }
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => report::Level::Debug,
        Level::Info => report::Level::Info,
        Level::Warn => report::Level::Warn,
        Level::Error => report::Level::Error,
    };
    report::log(level, message);
}

pub(crate) fn progress(done: u64, total: Option<u64>) {
    report::progress(done, total);
}
