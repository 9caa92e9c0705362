//! An offer: a provider's signed prices and what it has to give.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{Account, Digest, NodeKey, PriceTerms, Profile, Signable};

/// What a machine has for strangers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Capacity {
    /// Units that run at the same time.
    pub cores: u16,
    /// Bytes of memory for all of them together.
    pub memory: u64,
    /// Bytes of disk for blobs.
    pub disk: u64,
    /// Bytes per second to others.
    pub uplink: u64,
}

/// A provider's offer. The newest of a node (the highest sequence number) replaces all before it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Offer {
    /// Who would run the work, and signs.
    pub node: NodeKey,
    /// Who is paid.
    pub operator: Account,
    /// Where it wants to be paid: the ledger's genesis hash.
    pub ledger: Digest,
    /// Counts up with each offer of the node.
    pub sequence: u64,
    /// When it ends, in Unix milliseconds.
    pub expires: u64,
    /// What it asks.
    pub ask: PriceTerms,
    /// What a requester that has not paid it yet may owe it. One that has may owe as much more.
    pub credit: u128,
    /// What there is.
    pub capacity: Capacity,
    /// Units that it would take on at once; 0 is a provider that is busy.
    pub free: u16,
    /// Fuel per second of one core, as the node measured itself.
    pub speed: u64,
    /// The rules of execution that it knows.
    pub profiles: Vec<Profile>,
    /// What it says of itself, like `region=eu`. Nobody checks it.
    pub labels: BTreeMap<String, String>,
}

/// Profiles of one offer, its labels, and the bytes of a label's name or value.
const MAX_PROFILES: usize = 8;
const MAX_LABELS: usize = 16;
const MAX_LABEL_BYTES: usize = 64;

impl Offer {
    /// Whether its lists and texts are within bounds: 8 profiles and 16 labels of 64 bytes a side.
    pub fn is_bounded(&self) -> bool {
        let short = |text: &str| text.len() <= MAX_LABEL_BYTES;
        self.profiles.len() <= MAX_PROFILES
            && self.labels.len() <= MAX_LABELS
            && self.profiles.iter().all(|profile| short(profile.id()))
            && self
                .labels
                .iter()
                .all(|(name, value)| short(name) && short(value))
    }
}

impl Signable for Offer {
    const DOMAIN: &'static str = "opensky offer 1";

    fn signer(&self) -> NodeKey {
        self.node
    }
}
