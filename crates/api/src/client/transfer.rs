//! Bytes on their way from and to a node, checked against their digest.

use std::io::{self, Read};

use opensky_protocol::Digest;
use ureq::{Body, BodyReader, http::Response};

use crate::Hex;

/// Reads from `inner`, and knows afterwards what it was.
pub(super) struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    /// How many bytes were read.
    pub len: u64,
    /// Why `inner` could not be read: it would look like a broken connection otherwise.
    pub failure: Option<io::Error>,
}

impl<R: Read> Hashing<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            len: 0,
            failure: None,
        }
    }

    /// Of all that was read.
    pub fn digest(&self) -> Hex {
        Digest::from(self.hasher.finalize()).into()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = match self.inner.read(buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                return Err(kind.into());
            }
        };
        self.hasher.update(&buffer[..len]);
        self.len += len as u64;
        Ok(len)
    }
}

/// The bytes of a reply, which may be of any length. If their digest is known, the read that reaches
/// the end fails with `InvalidData` where they are others.
pub struct BlobReader {
    len: Option<u64>,
    bytes: Hashing<BodyReader<'static>>,
    digest: Option<Hex>,
}

impl BlobReader {
    pub(super) fn new(reply: Response<Body>, digest: Option<Hex>) -> Self {
        // Not what the body says of itself: that is nothing where there are no bytes.
        let header = reply.headers().get("content-length");
        let len = header.and_then(|len| len.to_str().ok()?.parse().ok());
        let body = reply.into_body();
        // A blob may be of any length; whoever reads has to have room for it.
        let body = body.into_with_config().limit(u64::MAX).reader();
        Self {
            len,
            bytes: Hashing::new(body),
            digest,
        }
    }

    /// How many bytes there are in all, if the node has said so.
    pub fn content_len(&self) -> Option<u64> {
        self.len
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buffer)?;
        let is_end = len == 0 && !buffer.is_empty();
        match self.digest {
            Some(digest) if is_end && digest != self.bytes.digest() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the node sent other bytes than those of the blob",
            )),
            _ => Ok(len),
        }
    }
}
