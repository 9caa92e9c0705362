//! Real nodes on loopback, and the blobs that they serve.
// Each test binary uses a part of this.
#![allow(dead_code)]

use std::{
    collections::HashMap, fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc,
    time::Duration,
};

use opensky_network::{BlobReader, Blobs, Config, Exposure, Inbound, Inbox, Limits, Network, Sink};
use opensky_protocol::{Digest, NodeKey, SecretKey};
use tokio::{task::JoinHandle, time::timeout};

/// Longer than anything takes here; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A running node.
pub struct Node {
    pub network: Network,
    pub inbox: Option<Inbox>,
    pub key: NodeKey,
    /// Where it listens first, with its peer id; empty if it does not listen.
    pub address: String,
}

pub fn seed(number: u8) -> [u8; 32] {
    [number; 32]
}

pub fn key(number: u8) -> NodeKey {
    SecretKey::from_seed(&seed(number)).node()
}

/// How a test's node takes part: public, with limits that do not wait long.
pub fn config(listen: &[&str], bootstrap: &[&Node]) -> Config {
    Config {
        listen: listen.iter().map(|text| (*text).to_owned()).collect(),
        bootstrap: bootstrap.iter().map(|node| node.address.clone()).collect(),
        exposure: Exposure::Public,
        limits: Limits {
            stall_time: Duration::from_secs(2),
            ..Limits::default()
        },
        ..Config::new("test")
    }
}

impl Node {
    pub async fn start(number: u8, config: Config) -> Self {
        Self::with_blobs(number, config, Shelf::default()).await
    }

    pub async fn with_blobs(number: u8, config: Config, blobs: impl Blobs) -> Self {
        let started = Network::start(config, &seed(number), Arc::new(blobs)).await;
        let (network, inbox) = started.expect("the node starts");
        let status = network.status().await.expect("it runs");
        let address = status.listen.first();
        let address = address.map_or_else(String::new, |address| {
            format!("{address}/p2p/{}", status.peer_id)
        });
        Self {
            network,
            inbox: Some(inbox),
            key: key(number),
            address,
        }
    }

    /// Waits for what `wanted` makes something of, and drops what comes before it.
    pub async fn wait<T>(&mut self, wanted: impl Fn(Inbound) -> Option<T>) -> T {
        let inbox = self
            .inbox
            .as_mut()
            .expect("nobody else takes from the inbox");
        let next = async {
            loop {
                let inbound = inbox.next().await.expect("the node runs");
                if let Some(found) = wanted(inbound) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, next).await.expect("it comes in time")
    }

    /// Bytes that came in since the start.
    pub async fn received(&self) -> u64 {
        self.network.status().await.expect("it runs").bytes_in
    }

    pub async fn connected_to(&mut self, peer: NodeKey) {
        self.wait(|inbound| {
            matches!(inbound, Inbound::Connected(node) if node == peer).then_some(())
        })
        .await;
    }

    /// Answers every request with its own bytes, and accepts whatever comes.
    pub fn echo(&mut self) -> JoinHandle<()> {
        let mut inbox = self.inbox.take().expect("nobody else takes from the inbox");
        tokio::spawn(async move {
            while let Some(inbound) = inbox.next().await {
                match inbound {
                    Inbound::Request { bytes, reply, .. } => reply.send(bytes),
                    Inbound::Announcement { verdict, .. } | Inbound::Record { verdict, .. } => {
                        verdict.accept();
                    }
                    Inbound::Connected(_) | Inbound::Disconnected(_) => {}
                }
            }
        })
    }
}

/// Tries until it works: for what no event tells of, such as that a peer knows a topic.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let tries = async {
        loop {
            if let Some(done) = attempt().await {
                return done;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, tries).await.expect("it works in time")
}

/// Bytes that no two offsets have alike, nor two blobs.
pub fn bytes(length: usize, salt: u64) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Blobs in memory.
#[derive(Clone, Default)]
pub struct Shelf(HashMap<Digest, Arc<Vec<u8>>>);

impl Shelf {
    pub fn of(blob: &[u8]) -> (Self, Digest) {
        let digest = Digest::of(blob);
        (Self([(digest, Arc::new(blob.to_vec()))].into()), digest)
    }
}

struct InMemory(Arc<Vec<u8>>);

impl Blobs for Shelf {
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>> {
        let blob = self.0.get(digest)?;
        Some(Arc::new(InMemory(blob.clone())))
    }
}

impl BlobReader for InMemory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let part = self.0.get(start..start + buffer.len());
        let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

/// Blobs in files of a folder, named by their digests.
pub struct Folder(pub tempfile::TempDir);

struct InFile(File, u64);

impl Folder {
    pub fn of(blob: &[u8]) -> (Self, Digest) {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let digest = Digest::of(blob);
        let path = folder.0.path().join(digest.to_string());
        std::fs::write(path, blob).expect("a file");
        (folder, digest)
    }
}

impl Blobs for Folder {
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>> {
        let file = File::open(self.0.path().join(digest.to_string())).ok()?;
        let length = file.metadata().ok()?.len();
        Some(Arc::new(InFile(file, length)))
    }
}

impl BlobReader for InFile {
    fn length(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

/// Takes a blob into memory, and counts what it was given.
#[derive(Default)]
pub struct Taken {
    pub bytes: Vec<u8>,
    pub held: Vec<Range<u64>>,
    pub written: u64,
    /// Fails once this much was written.
    pub fail_after: Option<u64>,
}

impl Sink for Taken {
    fn begin(&mut self, length: u64) -> io::Result<Vec<Range<u64>>> {
        self.bytes
            .resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        Ok(self.held.clone())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.fail_after.is_some_and(|most| self.written >= most) {
            return Err(io::Error::other("the disk is full"));
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.held.push(offset..offset + bytes.len() as u64);
        self.written += bytes.len() as u64;
        Ok(())
    }
}
