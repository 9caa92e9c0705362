//! A ledger of a few lines: it keeps escrows and pays vouchers, and refuses what does not add up.

use std::collections::BTreeMap;

use opensky_core::{Funding, Identity, Time};
use opensky_protocol::{Account, Digest, Voucher};

pub struct Escrow {
    pub who: Identity,
    pub amount: u128,
    pub deadline: Time,
    pub is_closed: bool,
    pub paid: BTreeMap<Account, u128>,
}

#[derive(Default)]
pub struct Ledger {
    pub escrows: BTreeMap<Digest, Escrow>,
}

impl Ledger {
    pub fn open(&mut self, who: Identity, job: Digest, amount: u128, deadline: Time) -> u128 {
        let escrow = self.escrows.entry(job).or_insert(Escrow {
            who,
            amount,
            deadline,
            is_closed: false,
            paid: BTreeMap::new(),
        });
        escrow.amount
    }

    pub fn close(&mut self, job: &Digest) {
        if let Some(escrow) = self.escrows.get_mut(job) {
            escrow.is_closed = true;
        }
    }

    pub fn find(&self, job: &Digest) -> Option<Funding> {
        let escrow = self.escrows.get(job)?;
        Some(Funding {
            requester: escrow.who.node,
            payer: escrow.who.operator,
            amount: escrow.amount - escrow.paid.values().sum::<u128>(),
            ends: escrow.deadline,
        })
    }

    /// Pays a voucher. More than was set aside is a broken promise.
    pub fn claim(&mut self, voucher: &Voucher) {
        let escrow = self.escrows.get_mut(&voucher.escrow);
        let escrow = escrow.expect("a voucher is for an escrow");
        assert_eq!(voucher.requester, escrow.who.node);
        let paid = escrow.paid.entry(voucher.operator).or_default();
        *paid = (*paid).max(voucher.total);
        let sum: u128 = escrow.paid.values().sum();
        assert!(sum <= escrow.amount, "more is promised than there is");
    }
}
