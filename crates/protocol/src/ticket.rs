//! A ticket: the requester's signed order for a unit. Nothing in it can influence the result.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{Digest, NodeKey, SecretKey, Signature};

/// What the requester pays at most, in the ledger's smallest coin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct PriceTerms {
    /// For taking the unit at all.
    pub dispatch: u128,
    /// For 10^9 fuel.
    pub per_gfuel: u128,
    /// For a GiB of input or output.
    pub per_gib: u128,
}

/// The requester's order for one unit.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Ticket {
    /// What is to be run.
    pub unit: Digest,
    /// The job it belongs to.
    pub job: Digest,
    /// Who orders and signs.
    pub requester: NodeKey,
    /// The ledger that settles: its genesis hash.
    pub ledger: Digest,
    /// The caps of each price.
    pub price: PriceTerms,
    /// How many operators run the unit at first.
    pub replicas: u8,
    /// When the order ends, in Unix seconds.
    pub deadline: u64,
    /// The requester's signature over all of the above.
    pub signature: Signature,
}

const DOMAIN: &str = "opensky ticket 1";

impl Ticket {
    /// Signs this order; whatever signature it had is replaced.
    pub fn sign(mut self, secret: &SecretKey) -> Self {
        self.requester = secret.node();
        let signature = secret.sign(DOMAIN, &self.signed_part());
        self.signature = signature;
        self
    }

    /// Whether the requester signed exactly this.
    pub fn is_signed(&self) -> bool {
        self.requester
            .verify(DOMAIN, &self.signed_part(), &self.signature)
    }

    fn signed_part(&self) -> impl Encode + '_ {
        (
            (&self.unit, &self.job, &self.requester, &self.ledger),
            (&self.price, self.replicas, self.deadline),
        )
    }
}
