//! An escrow: money that a requester has set aside for a job, and who gets how much of it.
//!
//! Two ways lead to it. A *voucher* names a sum; *evidence* shows turns, and the ledger works out
//! the sum. What an operator is due is the larger of
//!
//! * the best voucher that anyone has claimed for it, and
//! * the one voucher that it has opened, that is, of which it has listed the turns that it pays,
//!   plus all evidence of units that are not among these.
//!
//! An operator that opens none has opened the voucher of no turns. So no unit is paid by a voucher
//! and by evidence too, whatever comes first, and a requester who signs another voucher afterwards
//! cannot undo what evidence has shown.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Digest, NodeKey, Voucher,
    ledger::{Rejection, Terms},
};

/// Money set aside for a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Escrow {
    /// Whose money it is, until it is paid.
    pub payer: Account,
    /// The node whose tickets and vouchers spend it.
    pub requester: NodeKey,
    /// When work ends and claims begin to be final, in Unix milliseconds.
    pub deadline: u64,
    /// When it was closed before that.
    pub closed: Option<u64>,
    /// All that was ever set aside.
    pub locked: u128,
    /// What operators have got of it.
    pub paid: u128,
    /// What the payer has got back.
    pub refunded: u128,
    /// What waits for claims by evidence to be settled.
    pub reserved: u128,
    /// How many units have claims that are not settled.
    pub cases: u32,
}

/// Where an escrow is in its life.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking,
)]
pub enum Phase {
    /// Work goes on. Vouchers are paid.
    Open,
    /// Work is over. Vouchers are paid, and evidence is taken.
    Claims,
    /// What was claimed by evidence can be objected to. From here on nothing new can be claimed.
    Objections,
    /// Claims that nobody disputes are settled; the others wait for a verdict.
    Verdicts,
    /// There will be no verdicts any more.
    Over,
}

impl Escrow {
    /// A new one.
    pub fn new(payer: Account, requester: NodeKey, locked: u128, deadline: u64) -> Self {
        Self {
            payer,
            requester,
            deadline,
            closed: None,
            locked,
            paid: 0,
            refunded: 0,
            reserved: 0,
            cases: 0,
        }
    }

    /// When work on it ends.
    pub fn ends(&self) -> u64 {
        self.closed.unwrap_or(self.deadline).min(self.deadline)
    }

    /// Where it is in its life.
    pub fn phase(&self, now: u64, terms: &Terms) -> Phase {
        let later = [terms.claims, terms.objections, terms.verdicts];
        let phases = [
            Phase::Open,
            Phase::Claims,
            Phase::Objections,
            Phase::Verdicts,
        ];
        let mut end = self.ends();
        for (phase, next) in phases.into_iter().zip(later.into_iter().chain([0])) {
            if now < end {
                return phase;
            }
            end = end.saturating_add(next);
        }
        Phase::Over
    }

    /// What is still held.
    pub fn left(&self) -> u128 {
        self.locked
            .saturating_sub(self.paid)
            .saturating_sub(self.refunded)
    }

    /// What a voucher could be paid from.
    pub fn available(&self) -> u128 {
        self.left().saturating_sub(self.reserved)
    }

    /// Sets more aside.
    ///
    /// # Errors
    /// [`Rejection::Overflow`].
    pub fn top_up(&mut self, amount: u128) -> Result<(), Rejection> {
        self.locked = self.locked.checked_add(amount).ok_or(Rejection::Overflow)?;
        Ok(())
    }

    /// Claims a voucher for the operator whose `tab` this is, and says how much it gets. A voucher
    /// that was claimed before, or one of a smaller sum, pays nothing; one of more than there is pays
    /// what there is, and the rest if the escrow is topped up and it is claimed again.
    pub fn claim(&mut self, tab: &mut Tab, voucher: &Voucher) -> u128 {
        tab.voucher = tab.voucher.max(voucher.total);
        let pays = tab.due().min(self.available());
        self.paid += pays;
        tab.paid += pays;
        pays
    }

    /// Keeps money for a claim by evidence: `amount`, or what there is. Returns how much.
    pub fn reserve(&mut self, amount: u128) -> u128 {
        let kept = amount.min(self.available());
        self.reserved += kept;
        kept
    }

    /// Gives up what was kept for a claim by evidence.
    pub fn unreserve(&mut self, kept: u128) {
        self.reserved = self.reserved.saturating_sub(kept);
    }

    /// Settles a claim by evidence that held, for which `kept` was reserved, and says how much the
    /// operator gets.
    pub fn settle(&mut self, tab: &mut Tab, amount: u128, kept: u128) -> u128 {
        self.unreserve(kept);
        tab.shown = tab.shown.saturating_add(amount);
        let pays = tab.due().min(self.available());
        self.paid += pays;
        tab.paid += pays;
        pays
    }

    /// Gives back all that is left, and says how much that is.
    pub fn refund(&mut self) -> u128 {
        let left = self.left();
        self.refunded += left;
        left
    }
}

/// What one operator has coming from one escrow.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Tab {
    /// The best voucher's sum.
    pub voucher: u128,
    /// The voucher that the operator has opened, by root and sum.
    pub opened: Option<(Digest, u128)>,
    /// The sum of all evidence that held, of units that the opened voucher does not pay.
    pub shown: u128,
    /// What it has got.
    pub paid: u128,
}

impl Tab {
    /// What it has still to get.
    pub fn due(&self) -> u128 {
        let opened = self.opened.map_or(0, |(_, total)| total);
        let shown = opened.saturating_add(self.shown);
        self.voucher.max(shown).saturating_sub(self.paid)
    }

    /// Notes which voucher the operator has opened, at its first claim by evidence. It stays with it.
    ///
    /// # Errors
    /// [`Rejection::Opening`] if it has opened another one before.
    pub fn open(&mut self, root: Digest, total: u128) -> Result<(), Rejection> {
        match self.opened {
            Some(before) if before != (root, total) => Err(Rejection::Opening),
            _ => {
                self.opened = Some((root, total));
                Ok(())
            }
        }
    }
}
