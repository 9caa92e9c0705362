//! A ticket: the requester's signed order for a unit. Nothing in it can influence the result.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Account, Digest, Limits, NodeKey, PriceTerms, Signable};

/// The requester's order for one unit.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Ticket {
    /// What is to be run.
    pub unit: Digest,
    /// The order of the job it belongs to, and the escrow that pays.
    pub job: Digest,
    /// Who orders and signs.
    pub requester: NodeKey,
    /// Who pays.
    pub payer: Account,
    /// The ledger that settles: its genesis hash.
    pub ledger: Digest,
    /// The cap of each price.
    pub price: PriceTerms,
    /// How many operators run the unit at first.
    pub replicas: u8,
    /// How many the requester pays for at most. Whoever is asked beyond that is paid by the protocol.
    pub replica_cap: u8,
    /// Bytes of all inputs together: they are a part of the price.
    pub input_len: u64,
    /// Those of the work: nobody is paid for more than they allow.
    pub limits: Limits,
    /// When the order ends, in Unix milliseconds.
    pub deadline: u64,
}

impl Ticket {
    /// What one run is paid at this ask, of which no price counts beyond the ticket's. `fuel` is what a
    /// statement says: what was used where that is exact, else the limit. Nothing counts beyond the
    /// limits.
    pub fn payment(&self, ask: &PriceTerms, fuel: u64, output_len: u64) -> u128 {
        let output = output_len.min(self.limits.output);
        let bytes = self.input_len.saturating_add(output);
        let ask = ask.capped(&self.price);
        ask.of_unit(fuel.min(self.limits.fuel), bytes)
    }
}

impl Signable for Ticket {
    const DOMAIN: &'static str = "opensky ticket 1";

    fn signer(&self) -> NodeKey {
        self.requester
    }
}
