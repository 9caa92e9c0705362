//! Who would run work, and for how much.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Bytes, Fuel, Hex, NodeId, Prices, Time};

/// A provider's offer, and what this node knows of the provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Who would run the work.
    pub provider: NodeId,
    /// The account that is paid.
    pub operator: Hex,
    /// Whether it is this node's own.
    pub own: bool,
    /// What it asks.
    pub ask: Prices,
    /// What a requester that has not paid it yet may owe it: a unit that can cost more is not run.
    pub credit: Amount,
    /// What there is.
    pub capacity: Capacity,
    /// Units that it would take on at once; 0 is a provider that is busy.
    pub free: u16,
    /// Fuel per second of one core, as the provider measured itself.
    pub speed: Fuel,
    /// The rules of execution that it knows.
    pub profiles: Vec<String>,
    /// What it says of itself.
    pub labels: BTreeMap<String, String>,
    /// When the offer ends.
    pub expires: Time,
    /// What became of work that was given to its operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// What a machine has for strangers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Units at the same time.
    pub cores: u16,
    /// Memory for all of them together.
    pub memory: Bytes,
    /// Disk for blobs.
    pub disk: Bytes,
    /// Bytes per second to others.
    pub uplink: Bytes,
}

impl From<opensky_protocol::Capacity> for Capacity {
    fn from(capacity: opensky_protocol::Capacity) -> Self {
        Self {
            cores: capacity.cores,
            memory: Bytes::saturating(capacity.memory),
            disk: Bytes::saturating(capacity.disk),
            uplink: Bytes::saturating(capacity.uplink),
        }
    }
}

/// What became of an operator's work for this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Results in a row that were not found wrong, under those rules of execution of which this node knows
    /// most of the operator's results.
    pub in_a_row: u32,
    /// Results that were wrong, all in all.
    pub wrong: u32,
    /// Until when it is given nothing, because of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Time>,
}
