//! What can go wrong, one type for each operation.

use std::io;

use opensky_protocol::{Digest, NodeKey};

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A configured address is no multiaddress.
    #[error("`{text}` is not an address such as /ip4/127.0.0.1/tcp/4001")]
    Address {
        /// As it was configured.
        text: String,
    },
    /// A node to begin with is named without its peer's id.
    #[error(
        "`{text}` does not say whose it is: it has to end in /p2p/ and the peer's id, as in /ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…"
    )]
    Nobody {
        /// As it was configured.
        text: String,
    },
    /// The network's name has characters that no protocol name has, or is empty or too long.
    #[error("`{name}` is not a network's name: 1 to 64 letters, digits, `-`, `.`, `_`")]
    NetworkName {
        /// As it was configured.
        name: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that failed.
        address: String,
        /// What the transport said.
        #[source]
        source: io::Error,
    },
    /// A part of the network stack refused its settings or the machine.
    #[error("the {part} does not start")]
    Stack {
        /// Which part.
        part: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

/// Why a request has no reply. Nothing says whether the peer acted on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The request is longer than one message may be; nothing was sent.
    #[error("a request of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// The request's length.
        length: usize,
        /// The longest there is.
        limit: usize,
    },
    /// No address of the peer is known, or none of them answers.
    #[error("{peer} cannot be reached")]
    Unreachable {
        /// Who was asked.
        peer: NodeKey,
    },
    /// The peer, or this node, has too much to do: later may be better.
    #[error("{peer} is busy")]
    Busy {
        /// Who was asked.
        peer: NodeKey,
    },
    /// The peer hung up, does not speak this protocol, or answered with what is no reply.
    #[error("{peer} gave no reply")]
    NoReply {
        /// Who was asked.
        peer: NodeKey,
    },
    /// The time limit passed.
    #[error("{peer} did not answer in time")]
    Timeout {
        /// Who was asked.
        peer: NodeKey,
    },
    /// This node has been shut down.
    #[error("the network is shut down")]
    Down,
}

/// Why an announcement was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// It is longer than an announcement may be.
    #[error("an announcement of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// The announcement's length.
        length: usize,
        /// The longest there is.
        limit: usize,
    },
    /// No connected peer listens to announcements; try again when one does.
    #[error("no peer listens")]
    Alone,
    /// The queues to all peers are full.
    #[error("the queues to all peers are full")]
    Busy,
    /// This node has been shut down.
    #[error("the network is shut down")]
    Down,
}

/// Why a blob was not fetched. What was written to the sink before is verified and stays there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No source gave what was missing.
    #[error("no source gave the rest of {digest}: {bad} sent bad bytes, {silent} did not serve it", bad = .bad.len(), silent = .silent.len())]
    NoSource {
        /// The blob.
        digest: Digest,
        /// Who sent bytes that are not the blob's.
        bad: Vec<NodeKey>,
        /// Who could not be reached, lacks the blob, hung up or was too slow.
        silent: Vec<NodeKey>,
    },
    /// The blob is longer than the caller takes. The length is proven by the digest.
    #[error("{digest} has {length} bytes, over the limit of {limit}")]
    TooLong {
        /// The blob.
        digest: Digest,
        /// Its length.
        length: u64,
        /// The caller's limit.
        limit: u64,
    },
    /// The sink failed.
    #[error("the fetched bytes cannot be written")]
    Sink(#[from] io::Error),
}

/// Why the table of peers gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The record is longer than one may be.
    #[error("a record of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// The record's length.
        length: usize,
        /// The longest there is.
        limit: usize,
    },
    /// Too many look-ups at once, or too many records of our own.
    #[error("too many look-ups or records")]
    Busy,
    /// The time limit passed.
    #[error("the look-up took too long")]
    Timeout,
    /// This node has been shut down.
    #[error("the network is shut down")]
    Down,
}
