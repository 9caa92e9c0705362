//! What it costs that every byte of a blob is verified: a fetch beside a plain copy through the same
//! TCP, Noise and Yamux, and both beside raw TCP. All on loopback, between two peers of one process.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    ops::Range,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, swarm::SwarmEvent, tcp, yamux,
};
use libp2p_stream::Control;
use opensky_network::{BlobReader, Blobs, Config, Exposure, Inbound, Network, Sink};
use opensky_protocol::{Digest, NodeKey, SecretKey};
use tokio::runtime::Runtime;

use crate::{Effort, Error, Figures, measure::micros};

const PLAIN: StreamProtocol = StreamProtocol::new("/plain/1");
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";
/// What is written at once: as much as a piece of a blob.
const BLOCK: usize = 256 << 10;

/// Measures transfers and control calls. Variants take turns, and the best round of each counts.
pub fn measure(effort: Effort, runtime: &Runtime, figures: &mut Figures) -> Result<(), Error> {
    let blob: Arc<[u8]> = bytes(effort.pick(4, 256) << 20).into();
    let mut plain = runtime.block_on(Plain::start(blob.clone()))?;
    let nodes = runtime.block_on(Nodes::start(blob.clone()))?;
    // The first fetch works out the blob's tree.
    let cold = runtime.block_on(nodes.fetch())?;
    let (mut raw, mut copy, mut fetch) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..effort.pick(2, 7) {
        raw = raw.min(raw_tcp(&blob)?);
        copy = copy.min(runtime.block_on(plain.copy(blob.len()))?);
        fetch = fetch.min(runtime.block_on(nodes.fetch())?);
    }
    let mib = |time: Duration| blob.len() as f64 / f64::from(1 << 20) / time.as_secs_f64();
    println!("\n{:<40}{:>10}", "one blob over loopback", "MiB/s");
    for (name, time) in [
        ("raw TCP", raw),
        ("plain copy, TCP + Noise + Yamux", copy),
        ("fetch, verified", fetch),
        ("fetch, the tree not yet known", cold),
    ] {
        println!("{name:<40}{:>10.0}", mib(time));
    }
    figures.add("blob_transfer_mib_per_s", mib(fetch))?;
    figures.add("blob_transfer_vs_stream", mib(fetch) / mib(copy))?;
    figures.add("stream_vs_raw_tcp", mib(copy) / mib(raw))?;
    let mut calls = runtime.block_on(nodes.calls(effort.pick(200, 20_000)))?;
    calls.sort_unstable();
    figures.add("ask_us_p50", micros(calls[calls.len() / 2]))?;
    figures.add("ask_us_p99", micros(calls[calls.len() * 99 / 100]))?;
    Ok(())
}

fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

/// Copies over a socket, without anything.
fn raw_tcp(blob: &Arc<[u8]>) -> Result<Duration, Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut reader = TcpStream::connect(listener.local_addr()?)?;
    let source = blob.clone();
    let writer = thread::spawn(move || -> io::Result<()> {
        let (mut writer, _) = listener.accept()?;
        for block in source.chunks(BLOCK) {
            writer.write_all(block)?;
        }
        Ok(())
    });
    let mut taken = vec![0; blob.len()];
    let start = Instant::now();
    for block in taken.chunks_mut(BLOCK) {
        reader.read_exact(block)?;
    }
    let time = start.elapsed();
    writer.join().map_err(|_| "the writer panicked")??;
    same(&taken, blob)?;
    Ok(time)
}

fn same(taken: &[u8], blob: &[u8]) -> Result<(), Error> {
    (taken == blob)
        .then_some(())
        .ok_or_else(|| "other bytes came".into())
}

/// Two peers and a stream between them, without our protocols.
struct Plain {
    control: Control,
    source: PeerId,
    blob: Arc<[u8]>,
}

impl Plain {
    async fn start(blob: Arc<[u8]>) -> Result<Self, Error> {
        let (mut source, mut sink) = (swarm()?, swarm()?);
        source.listen_on(LISTEN.parse()?)?;
        let address: Multiaddr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = source.select_next_some().await {
                break address;
            }
        };
        let mut streams = source.behaviour().new_control().accept(PLAIN)?;
        let served = blob.clone();
        tokio::spawn(async move {
            while let Some((_, mut stream)) = streams.next().await {
                for block in served.chunks(BLOCK) {
                    stream.write_all(block).await?;
                }
                stream.close().await?;
            }
            io::Result::Ok(())
        });
        let (peer, control) = (*source.local_peer_id(), sink.behaviour().new_control());
        sink.dial(address)?;
        tokio::spawn(async move { while source.next().await.is_some() {} });
        loop {
            let event = sink.select_next_some().await;
            if let SwarmEvent::ConnectionEstablished { .. } = event {
                break;
            }
        }
        tokio::spawn(async move { while sink.next().await.is_some() {} });
        Ok(Self {
            control,
            source: peer,
            blob,
        })
    }

    async fn copy(&mut self, length: usize) -> Result<Duration, Error> {
        let mut taken = vec![0; length];
        let start = Instant::now();
        let mut stream = self.control.open_stream(self.source, PLAIN).await?;
        for block in taken.chunks_mut(BLOCK) {
            stream.read_exact(block).await?;
        }
        let time = start.elapsed();
        same(&taken, &self.blob)?;
        Ok(time)
    }
}

fn swarm() -> Result<Swarm<libp2p_stream::Behaviour>, Error> {
    let config = tcp::Config::default().nodelay(true);
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(config, noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| libp2p_stream::Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    Ok(swarm)
}

/// Two nodes, one of which has the blob and echoes.
struct Nodes {
    digest: Digest,
    source: NodeKey,
    sink: Network,
    _serving: Network,
    blob: Arc<[u8]>,
}

impl Nodes {
    async fn start(blob: Arc<[u8]>) -> Result<Self, Error> {
        let digest = Digest::of(&blob);
        let seeds = [[1; 32], [2; 32]];
        let mut config = Config::new("bench");
        config.exposure = Exposure::Public;
        config.listen = vec![LISTEN.into()];
        let held = Arc::new(Held(digest, blob.clone()));
        let (serving, mut inbox) = Network::start(config, &seeds[0], held.clone()).await?;
        tokio::spawn(async move {
            while let Some(inbound) = inbox.next().await {
                if let Inbound::Request { bytes, reply, .. } = inbound {
                    reply.send(bytes);
                }
            }
        });
        let status = serving.status().await.ok_or("the node is down")?;
        let address = status.listen.first().ok_or("it listens nowhere")?;
        let mut config = Config::new("bench");
        config.bootstrap = vec![format!("{address}/p2p/{}", status.peer_id)];
        let (sink, _) = Network::start(config, &seeds[1], held).await?;
        Ok(Self {
            digest,
            source: SecretKey::from_seed(&seeds[0]).node(),
            sink,
            _serving: serving,
            blob,
        })
    }

    async fn fetch(&self) -> Result<Duration, Error> {
        let mut taken = Taken(Vec::new());
        let (sources, limit) = ([self.source], self.blob.len() as u64);
        let mut room = vec![0; self.blob.len()];
        std::mem::swap(&mut taken.0, &mut room);
        let start = Instant::now();
        self.sink
            .fetch(self.digest, &sources, &mut taken, limit)
            .await?;
        let time = start.elapsed();
        same(&taken.0, &self.blob)?;
        Ok(time)
    }

    async fn calls(&self, count: usize) -> Result<Vec<Duration>, Error> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            self.sink.ask(self.source, vec![1; 200]).await?;
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

struct Held(Digest, Arc<[u8]>);

struct Open(Arc<[u8]>);

impl Blobs for Held {
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>> {
        (self.0 == *digest).then(|| Arc::new(Open(self.1.clone())) as _)
    }
}

impl BlobReader for Open {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let part = self.0.get(start..start + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Room for the blob.
struct Taken(Vec<u8>);

impl Sink for Taken {
    fn begin(&mut self, length: u64) -> io::Result<Vec<Range<u64>>> {
        self.0
            .resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        Ok(Vec::new())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        self.0[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}
