//! How a node is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Hex, NodeId, Offer, Time};

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NodeStatus {
    /// Its id.
    pub node: NodeId,
    /// The account that it works and pays for.
    pub account: Hex,
    /// The version of its software.
    pub version: String,
    /// When it started.
    pub started: Time,
    /// Whether it takes nothing new because it is about to stop.
    pub draining: bool,
    /// How it is connected.
    pub network: Network,
    /// Where it settles.
    pub ledger: Ledger,
    /// What it does for others; absent if it does nothing for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// What others do for it.
    pub requester: Requester,
}

/// How a node is connected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Where it listens.
    pub listens: Vec<String>,
    /// Nodes that it is connected to.
    pub peers: u32,
    /// Whether others can reach it.
    pub reachability: Reachability,
}

/// Whether others can reach a node, and how that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Reachability {
    /// Whether they can.
    pub reached: Reached,
    /// How that is known, or why they cannot, as a sentence.
    pub why: String,
}

/// Whether others can reach a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// At an address of its own.
    Directly,
    /// Through another node.
    Relayed,
    /// Not at all.
    No,
    /// Nobody has tried yet.
    Unknown,
}

/// Where a node settles.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// The ledger: its genesis hash.
    pub id: Hex,
    /// Who keeps the books.
    pub kind: Bookkeeping,
    /// Whether it answers.
    pub answers: bool,
    /// What to know about it, as a sentence.
    pub about: String,
}

/// Who keeps a ledger's books.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bookkeeping {
    /// One process, which everybody trusts.
    Embedded,
    /// A chain.
    Chain,
}

/// What a node does for others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Provider {
    /// What it offers now; absent while it offers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Units that it runs now.
    pub running: u32,
    /// Units that wait for a core.
    pub queued: u32,
    /// Units that it has done since it started.
    pub done: u32,
    /// Units at which its machine failed since it started.
    pub aborted: u32,
    /// What it has been paid.
    pub earned: Amount,
    /// What it is owed.
    pub owed: Amount,
    /// Why no work comes, as a sentence; absent while there is work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

/// What others do for a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// Jobs that have not ended.
    pub jobs: u32,
    /// What is set aside for them.
    pub escrow: Amount,
}
