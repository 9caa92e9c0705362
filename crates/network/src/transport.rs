//! How bytes travel: TCP with Noise and Yamux, QUIC, and circuits through relays. Counts the bytes of
//! the first two, which carry those of the third.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, future::Either};
use libp2p::{
    PeerId, Transport,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox},
        transport::{Boxed, timeout::TransportTimeout},
        upgrade::Version,
    },
    identity::Keypair,
    noise, quic, relay, tcp, yamux,
};

use crate::error::StartError;

/// How long a connection may take to be made and secured.
const CONNECT: Duration = Duration::from_secs(10);
/// Streams of one connection, both ways. Each may hold 256 KiB that nobody has read yet.
const STREAMS: u16 = 128;
/// What a peer may send over QUIC before it is read: on one stream, and on a connection.
const QUIC_STREAM_BYTES: u32 = 2 << 20;
const QUIC_BYTES: u32 = 8 << 20;

/// Bytes that came in and went out.
#[derive(Debug, Default)]
pub struct Traffic {
    pub received: AtomicU64,
    pub sent: AtomicU64,
}

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// All transports as one, and the part of the relay's client that belongs into the swarm.
pub fn build(
    keys: &Keypair,
    traffic: &Arc<Traffic>,
) -> Result<(Connections, relay::client::Behaviour), StartError> {
    let noise = || {
        noise::Config::new(keys).map_err(|error| StartError::Stack {
            part: "handshake",
            source: io::Error::other(error),
        })
    };
    let (circuits, client) = relay::client::new(keys.public().to_peer_id());
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise()?)
        .multiplex(yamux())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise()?)
        .multiplex(yamux())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic_config(keys))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let traffic = traffic.clone();
    let counted = tcp
        .or_transport(quic)
        .map(|either, _| match either {
            Either::Left(pair) | Either::Right(pair) => pair,
        })
        .map(move |(peer, muxer), _| {
            let traffic = traffic.clone();
            (peer, StreamMuxerBox::new(Counted { muxer, traffic }))
        });
    let all = circuits
        .or_transport(counted)
        .map(|either, _| match either {
            Either::Left(pair) | Either::Right(pair) => pair,
        });
    Ok((TransportTimeout::new(all, CONNECT).boxed(), client))
}

fn yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(usize::from(STREAMS));
    config
}

fn quic_config(keys: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keys);
    config.max_concurrent_stream_limit = u32::from(STREAMS);
    config.max_stream_data = QUIC_STREAM_BYTES;
    config.max_connection_data = QUIC_BYTES;
    config
}

/// A connection, or one of its streams, whose bytes are counted.
struct Counted<M> {
    muxer: M,
    traffic: Arc<Traffic>,
}

impl Counted<StreamMuxerBox> {
    fn stream(&self, muxer: SubstreamBox) -> Counted<SubstreamBox> {
        Counted {
            muxer,
            traffic: self.traffic.clone(),
        }
    }
}

impl StreamMuxer for Counted<StreamMuxerBox> {
    type Substream = Counted<SubstreamBox>;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_inbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_outbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

impl AsyncRead for Counted<SubstreamBox> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.muxer).poll_read(cx, buffer))?;
        self.traffic
            .received
            .fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Counted<SubstreamBox> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.muxer).poll_write(cx, bytes))?;
        self.traffic.sent.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.muxer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }
}
