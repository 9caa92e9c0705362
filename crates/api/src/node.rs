//! How a node is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Count, Fuel, Hex, NodeId, Offer, Time};

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
    /// Where it listens, as addresses that other nodes can begin with.
    pub listens: Vec<String>,
    /// Nodes that it is connected to.
    pub peers: u32,
    /// Nodes whose offers it knows.
    pub offers: u32,
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
    /// How the chain is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

/// How a chain is, as one of its nodes says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// Where that node is asked.
    pub url: String,
    /// Its last finalized block; absent while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized: Option<Block>,
    /// What this node has asked of the chain and is not decided.
    pub waiting: u32,
    /// What the chain has taken as fees of this account, as far as this node has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Amount>,
}

/// A block of a chain that will not be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Its number.
    pub number: Count,
    /// Its hash.
    pub hash: Hex,
    /// When it was made, by the chain's clock.
    pub at: Time,
    /// The version of the runtime that made it.
    pub runtime: u32,
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
    pub done: Count,
    /// Units at which its machine failed since it started.
    pub aborted: Count,
    /// Fuel of the units that it has done since it started.
    pub fuel: Fuel,
    /// Fuel per second of one core, as measured.
    pub speed: Fuel,
    /// What it has been paid; absent while the ledger does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earned: Option<Amount>,
    /// What requesters have promised it, and the ledger has not paid yet.
    pub owed: Amount,
    /// Orders that it has refused since it started, by reason.
    pub refused: Vec<Refusals>,
    /// Why no work comes, the worst first; empty while there is work.
    pub idle: Vec<String>,
}

/// Orders that a provider has refused for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Refusals {
    /// The reason, as in `the price is below what it asks`.
    pub reason: String,
    /// How many.
    pub orders: Count,
}

/// What others do for a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// Jobs that have not ended.
    pub jobs: u32,
    /// What is set aside for them.
    pub escrow: Amount,
    /// All that the account has set aside, as its wallet says: for jobs that have ended, too, until nobody
    /// can claim it any more; absent while the ledger does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Amount>,
    /// What of that is at stake, what is on its way out of the bond among it; absent while the ledger does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_stake: Option<Amount>,
    /// What it has paid; absent while the ledger does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Amount>,
}
