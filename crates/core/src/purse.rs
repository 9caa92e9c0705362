//! What operators have earned from one job, as its requester keeps it.

use opensky_protocol::{Account, Digest, Voucher};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::event::Identity;

/// What one operator has earned from one job so far. It only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Purse {
    pub(crate) total: u128,
    pub(crate) turns: u64,
    pub(crate) root: Digest,
}

impl Purse {
    pub(crate) const EMPTY: Self = Self {
        total: 0,
        turns: 0,
        root: Voucher::START,
    };

    /// Pays one turn more. The caller pays each turn once.
    pub(crate) fn pay(&mut self, unit: &Digest, attempt: u32, amount: u128) {
        self.root = Voucher::extend(&self.root, unit, attempt, amount);
        self.total = self.total.saturating_add(amount);
        self.turns += 1;
    }

    /// The voucher for all that was earned so far, unsigned.
    pub(crate) fn voucher(&self, who: &Identity, job: Digest, operator: Account) -> Voucher {
        Voucher {
            ledger: who.ledger,
            escrow: job,
            requester: who.node,
            operator,
            total: self.total,
            turns: self.turns,
            root: self.root,
        }
    }
}
