//! How this node stands in the network, truthfully.

use opensky_protocol::NodeKey;

/// How this node stands in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node: NodeKey,
    /// The same as a libp2p peer id, as it stands in addresses.
    pub peer_id: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// Where others reach it, as far as is known; those through relays contain `/p2p-circuit`.
    pub external: Vec<String>,
    /// Whether others reach it.
    pub reachability: Reachability,
    /// The peers that it is connected to.
    pub connected: Vec<NodeKey>,
    /// The peers in its table, connected or not.
    pub known: usize,
    /// The relays that it listens through.
    pub relays: Vec<NodeKey>,
    /// Bytes that came in since the start, by all transports, without the transports' own overhead.
    pub bytes_in: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
}

/// Whether others reach this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// At these addresses, directly: said by peers that tried, or by the configuration.
    Public,
    /// Not directly: every address that peers tried failed.
    Private {
        /// The address that was tried last, and what came of it.
        why: String,
    },
    /// Nobody has tried.
    Unknown {
        /// What is missing.
        why: String,
    },
}
