//! What a node is told at its start, and how much strangers may take of it.

use std::time::Duration;

use libp2p::{Multiaddr, StreamProtocol, multiaddr::Protocol};

use crate::error::StartError;

/// How a node takes part. Addresses are multiaddresses with numbers, such as
/// `/ip4/0.0.0.0/udp/4001/quic-v1`; those of other nodes end in `/p2p/` and the peer's id.
#[derive(Clone, Debug)]
pub struct Config {
    /// Keeps networks apart: nodes with different names do not talk. 1 to 64 letters, digits, `-`,
    /// `.` and `_`.
    pub network: String,
    /// Where to listen. `/…/p2p/RELAY/p2p-circuit` listens through a relay.
    pub listen: Vec<String>,
    /// The nodes to begin with, dialled again for as long as they are not connected.
    pub bootstrap: Vec<String>,
    /// Who may say that this node can be reached.
    pub exposure: Exposure,
    /// Whether to look for peers on the local network.
    pub mdns: bool,
    /// Whether to carry bytes between peers that cannot reach each other.
    pub serve_relay: bool,
    /// What strangers may take.
    pub limits: Limits,
}

/// Who may say that this node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Peers try it. A node that is not reached listens through a relay, if it knows one.
    Probed,
    /// Every address it listens on is taken to be reachable: for servers, and for development
    /// networks on one machine.
    Public,
}

/// What strangers may take of this node. Whatever is over a limit is refused at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: u32,
    /// Connections with one peer: one, one more while a better path replaces it, and one for the
    /// peer to try whether this node can be reached.
    pub connections_per_peer: u32,
    /// Requests of one peer that are being read, answered or written back.
    pub requests_per_peer: usize,
    /// The same of all peers together.
    pub requests: usize,
    /// Bytes of one request or reply.
    pub message_bytes: usize,
    /// Bytes of long requests and replies of one peer that are held in memory.
    pub held_bytes_per_peer: usize,
    /// The same of all peers together.
    pub held_bytes: usize,
    /// Streams of blobs that one peer reads.
    pub blob_streams_per_peer: usize,
    /// The same of all peers together.
    pub blob_streams: usize,
    /// Bytes of blobs sent in a second, to all peers together. `None`: as many as the line takes.
    pub blob_bytes_per_second: Option<u64>,
    /// Announcements taken from one peer in a second, on average. Who sends ten times as many is
    /// cut off.
    pub announcements_per_second: u32,
    /// Records kept for others.
    pub records: usize,
    /// Records kept for one peer.
    pub records_per_peer: usize,
    /// Memory of this process above which no connection is taken.
    pub process_bytes: usize,
    /// How long a request may take, from finding the peer to the whole reply.
    pub ask_time: Duration,
    /// How long a peer may be silent while it is its turn.
    pub stall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_peer: 3,
            requests_per_peer: 32,
            requests: 512,
            message_bytes: 4 << 20,
            held_bytes_per_peer: 8 << 20,
            held_bytes: 32 << 20,
            blob_streams_per_peer: 4,
            blob_streams: 64,
            blob_bytes_per_second: None,
            announcements_per_second: 100,
            records: 1024,
            records_per_peer: 64,
            process_bytes: 4 << 30,
            ask_time: Duration::from_secs(30),
            stall_time: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// A node of `network` that listens nowhere, knows nobody and has the default limits.
    pub fn new(network: impl Into<String>) -> Self {
        Self {
            network: network.into(),
            listen: Vec::new(),
            bootstrap: Vec::new(),
            exposure: Exposure::Probed,
            mdns: false,
            serve_relay: false,
            limits: Limits::default(),
        }
    }
}

/// What is wrong with a part of a configuration, told before anything is started.
impl Config {
    /// Whether that can be a network's name.
    ///
    /// # Errors
    /// [`StartError::NetworkName`].
    pub fn check_name(name: &str) -> Result<(), StartError> {
        Protocols::of(name).map(drop)
    }

    /// Whether that is an address. Whether it can be listened on is known only by trying.
    ///
    /// # Errors
    /// [`StartError::Address`].
    pub fn check_address(text: &str) -> Result<(), StartError> {
        address(text).map(drop)
    }

    /// Whether that is a node's address, with the id of its peer.
    ///
    /// # Errors
    /// [`StartError::Address`] and [`StartError::Nobody`].
    pub fn check_node(text: &str) -> Result<(), StartError> {
        node(text).map(drop)
    }
}

/// How much is shown of what makes no sense.
const SHOWN: usize = 200;

/// The names of this network's protocols.
#[derive(Clone, Debug)]
pub struct Protocols {
    pub control: StreamProtocol,
    pub blob: StreamProtocol,
    pub kad: StreamProtocol,
    pub gossip_prefix: String,
    pub topic: String,
    pub identify: String,
}

impl Protocols {
    pub fn of(network: &str) -> Result<Self, StartError> {
        let is_name = (1..=64).contains(&network.len())
            && network
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            return Err(StartError::NetworkName {
                name: network.chars().take(80).collect(),
            });
        }
        let stream = |name: &str| {
            StreamProtocol::try_from_owned(format!("/opensky/{network}/{name}/1"))
                .expect("it begins with a slash")
        };
        Ok(Self {
            control: stream("control"),
            blob: stream("blob"),
            kad: stream("kad"),
            gossip_prefix: format!("/opensky/{network}/gossip"),
            topic: format!("/opensky/{network}/announce/1"),
            identify: format!("/opensky/{network}/1"),
        })
    }
}

/// The addresses that `texts` are.
pub fn addresses(texts: &[String]) -> Result<Vec<Multiaddr>, StartError> {
    texts.iter().map(|text| address(text)).collect()
}

fn address(text: &str) -> Result<Multiaddr, StartError> {
    text.parse().map_err(|_| StartError::Address {
        text: text.chars().take(SHOWN).collect(),
    })
}

/// The address of a node that it names, too.
pub fn node(text: &str) -> Result<Multiaddr, StartError> {
    let address = address(text)?;
    match address.iter().last() {
        Some(Protocol::P2p(_)) => Ok(address),
        _ => Err(StartError::Nobody {
            text: text.chars().take(SHOWN).collect(),
        }),
    }
}
