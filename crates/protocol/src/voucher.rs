//! A voucher: the requester's signed promise, with which a provider is paid for all it did for a
//! job so far.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Account, Digest, NodeKey, Signable};

/// The requester's word that a provider has earned so much from an escrow. Cumulative: the one with
/// the highest total counts, and claiming one twice pays nothing more.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Voucher {
    /// The ledger's genesis hash.
    pub ledger: Digest,
    /// The escrow that pays: the job's order id.
    pub escrow: Digest,
    /// The node that may spend the escrow, and signs.
    pub requester: NodeKey,
    /// Who is paid.
    pub operator: Account,
    /// All that the operator has earned from this escrow so far.
    pub total: u128,
    /// How many turns that pays.
    pub turns: u64,
    /// A hash chain over the turns and what each was paid: see [`Voucher::extend`].
    pub root: Digest,
}

impl Voucher {
    /// The root of a voucher that pays one turn more than one with root `before`.
    pub fn extend(before: &Digest, unit: &Digest, attempt: u32, amount: u128) -> Digest {
        Digest::derive("opensky paid turn 1", &(before, unit, attempt, amount))
    }

    /// The root of a voucher that pays nothing.
    pub const START: Digest = Digest([0; 32]);
}

impl Signable for Voucher {
    const DOMAIN: &'static str = "opensky voucher 1";

    fn signer(&self) -> NodeKey {
        self.requester
    }
}
