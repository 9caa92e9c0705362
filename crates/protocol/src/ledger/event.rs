//! What a ledger tells of the intents it accepted, in an order that everyone sees alike.

use alloc::{collections::BTreeSet, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Digest, NodeKey,
    ledger::{Rejection, Verdict},
};

/// One entry of the ledger's record.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Event {
    /// Counts the events, from 1, without a gap.
    pub sequence: u64,
    /// When, in Unix milliseconds by the ledger's clock.
    pub at: u64,
    /// The intent's name; the id of the escrow or the request where a ledger does by itself what is due, or that of the
    /// block where there is none.
    pub intent: Digest,
    /// For whom it was; there, whose escrow it is.
    pub account: Account,
    /// What became of it.
    pub status: Status,
}

/// What became of an intent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Status {
    /// It is in the queue, durably. It may still be rejected.
    Pending,
    /// It has happened, and will not be undone.
    Final {
        /// What the account paid for that.
        fee: u128,
        /// What happened, in order.
        facts: Vec<Fact>,
    },
    /// It has not happened, and will not.
    Rejected {
        /// What the account paid nevertheless.
        fee: u128,
        /// Why.
        reason: Rejection,
    },
}

/// One thing that happened in the books. All amounts that move are named, so whoever adds them up has
/// the balances. What a request on a chain holds is told as an escrow of its payer's, under the request's name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[allow(missing_docs)] // the fields are said in each variant's sentence
pub enum Fact {
    /// `amount` was made for `to`.
    Made { to: Account, amount: u128 },
    /// `amount` of free money went from `from` to `to`.
    Transferred {
        from: Account,
        to: Account,
        amount: u128,
    },
    /// `operator` took `node` on.
    Certified { operator: Account, node: NodeKey },
    /// `operator` let `node` go.
    Revoked { operator: Account, node: NodeKey },
    /// `operator` bonded `amount` more.
    Bonded { operator: Account, amount: u128 },
    /// `amount` of the bond can be withdrawn at `ready`.
    Unbonding {
        operator: Account,
        amount: u128,
        ready: u64,
    },
    /// `amount` that was bonded is free again.
    Withdrawn { operator: Account, amount: u128 },
    /// `payer` set `amount` aside, for `requester` to spend.
    Opened {
        escrow: Digest,
        payer: Account,
        requester: NodeKey,
        amount: u128,
        deadline: u64,
    },
    /// `payer` set `amount` more aside.
    ToppedUp {
        escrow: Digest,
        payer: Account,
        amount: u128,
    },
    /// Work has ended: what is not claimed by `until` is not paid.
    Closed {
        escrow: Digest,
        payer: Account,
        until: u64,
    },
    /// `operator` got `amount` that was held of `payer`'s: 0 if it had got all before.
    Paid {
        escrow: Digest,
        payer: Account,
        operator: Account,
        amount: u128,
    },
    /// A voucher was not paid, and why; the others of the claim were.
    NotPaid {
        escrow: Digest,
        operator: Account,
        reason: Rejection,
    },
    /// `operator` claims `amount` for `unit`, by evidence.
    Filed {
        escrow: Digest,
        unit: Digest,
        operator: Account,
        amount: u128,
    },
    /// A turn that `operator` showed is not claimed, and why; the others are.
    NotFiled {
        escrow: Digest,
        unit: Digest,
        operator: Account,
        reason: Rejection,
    },
    /// `by` staked `bond` on the result that was claimed for `unit` being wrong.
    Objected {
        escrow: Digest,
        unit: Digest,
        by: Account,
        bond: u128,
    },
    /// The arbiter gave its verdict.
    Resolved {
        escrow: Digest,
        unit: Digest,
        verdict: Verdict,
    },
    /// `account` lost `amount` that it had bonded or staked.
    Slashed { account: Account, amount: u128 },
    /// `account` got `amount` of what others lost.
    Rewarded { account: Account, amount: u128 },
    /// `account` got its stake back.
    Released { account: Account, amount: u128 },
    /// All claims of `unit` are settled.
    Settled { escrow: Digest, unit: Digest },
    /// `payer` got back what was left.
    Refunded {
        escrow: Digest,
        payer: Account,
        amount: u128,
    },
}

impl Event {
    /// Whose history it belongs to: the account that asked, once it is decided, and everyone whose
    /// money moved.
    pub fn accounts(&self) -> BTreeSet<Account> {
        let mut all = BTreeSet::new();
        match &self.status {
            Status::Pending => {}
            Status::Rejected { .. } => drop(all.insert(self.account)),
            Status::Final { facts, .. } => {
                all.insert(self.account);
                all.extend(facts.iter().flat_map(Fact::accounts));
            }
        }
        all
    }
}

impl Fact {
    /// Whose affair it is.
    pub fn accounts(&self) -> Vec<Account> {
        match *self {
            Self::Made { to, .. } => [to].into(),
            Self::Transferred { from, to, .. } => [from, to].into(),
            Self::Certified { operator, .. }
            | Self::Revoked { operator, .. }
            | Self::Bonded { operator, .. }
            | Self::Unbonding { operator, .. }
            | Self::Withdrawn { operator, .. }
            | Self::NotPaid { operator, .. }
            | Self::Filed { operator, .. }
            | Self::NotFiled { operator, .. } => [operator].into(),
            Self::Opened { payer, .. }
            | Self::ToppedUp { payer, .. }
            | Self::Closed { payer, .. }
            | Self::Refunded { payer, .. } => [payer].into(),
            Self::Paid {
                payer, operator, ..
            } => [payer, operator].into(),
            Self::Objected { by, .. } => [by].into(),
            Self::Slashed { account, .. }
            | Self::Rewarded { account, .. }
            | Self::Released { account, .. } => [account].into(),
            Self::Resolved { .. } | Self::Settled { .. } => Vec::new(),
        }
    }
}
