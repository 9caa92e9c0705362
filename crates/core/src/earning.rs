//! What this node has been promised for turns of one job, and how it gets it.

use std::collections::VecDeque;

use opensky_protocol::{
    Digest, NodeKey, Signed, Turn, Verified, Voucher,
    ledger::{PaidTurn, Showing},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{event::Identity, time::Time};

/// The account of one job at a provider.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Earning {
    pub(crate) requester: NodeKey,
    pub(crate) deadline: Time,
    /// The one with the highest total.
    pub(crate) best: Option<Signed<Voucher>>,
    /// The last one whose turns are all known.
    pub(crate) known: Option<Signed<Voucher>>,
    /// What the paid turns of this node are worth.
    pub(crate) earned: u128,
    /// The total of the vouchers that the ledger has paid, or never will.
    pub(crate) claimed: u128,
    /// What turns are worth that were shown to the ledger, because no voucher pays them.
    pub(crate) filed: u128,
    /// What the ledger has paid from this escrow in all, as far as it has said so.
    pub(crate) received: u128,
    /// When work on the job ended: its deadline, or when the requester said that it is over.
    pub(crate) ends: Time,
    /// What of this was counted as [owed](Self::owed) last.
    #[codec(skip)]
    pub(crate) counted: u128,
}

/// The turns that the last known voucher pays, in its order.
pub(crate) type Opened = VecDeque<PaidTurn>;

impl Earning {
    pub(crate) fn new(requester: NodeKey, deadline: Time) -> Self {
        Self {
            requester,
            deadline,
            best: None,
            known: None,
            earned: 0,
            claimed: 0,
            filed: 0,
            received: 0,
            ends: deadline,
            counted: 0,
        }
    }

    fn total(&self) -> u128 {
        self.best.as_ref().map_or(0, |best| best.value.total)
    }

    /// What the job has come to by vouchers, and by evidence beside them as the ledger counts it.
    pub(crate) fn worth(&self) -> u128 {
        let known = self.known.as_ref().map_or(0, |known| known.value.total);
        self.total().max(known.saturating_add(self.filed))
    }

    /// What of that the ledger has not paid.
    pub(crate) fn owed(&self) -> u128 {
        self.worth().saturating_sub(self.received)
    }

    /// What could be claimed.
    pub(crate) fn unclaimed(&self) -> u128 {
        self.total().saturating_sub(self.claimed)
    }

    /// Whether that voucher is for this node's operator, from who it is said to be from.
    pub(crate) fn is_ours(&self, voucher: &Voucher, job: &Digest, who: &Identity) -> bool {
        voucher.escrow == *job
            && voucher.ledger == who.ledger
            && voucher.requester == self.requester
            && voucher.operator == who.operator
    }

    /// Keeps a voucher if it is worth more than the best so far.
    pub(crate) fn keep(&mut self, voucher: &Verified<Voucher>) {
        if voucher.total > self.total() {
            self.best = Some(voucher.as_signed().clone());
        }
    }

    /// Whether the best voucher pays all turns that are paid already and these, each with what it is
    /// owed. If it does, they count as paid. Returns whether its turns are all known.
    pub(crate) fn pay(&mut self, turns: &[PaidTurn], opened: &Opened) -> Option<Listed> {
        let owed = turns.iter().map(|turn| turn.amount);
        let owed = owed.fold(self.earned, u128::saturating_add);
        let best = self.best.as_ref()?;
        if best.value.total < owed {
            return None;
        }
        self.earned = owed;
        let (mut root, mut total, mut count) = match &self.known {
            Some(known) => (known.value.root, known.value.total, known.value.turns),
            None => (Voucher::START, 0, 0),
        };
        for turn in turns {
            root = Voucher::extend(&root, &turn.unit, turn.attempt, turn.amount);
            total = total.saturating_add(turn.amount);
            count += 1;
        }
        let named = (best.value.root, best.value.total, best.value.turns);
        let fits = opened.len() + turns.len() <= Showing::MAX_OPENED;
        if named != (root, total, count) || !fits {
            return Some(Listed::No);
        }
        self.known.clone_from(&self.best);
        Some(Listed::Yes)
    }
}

/// Whether all turns that the best voucher pays are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listed {
    Yes,
    /// It pays other nodes of the operator too, or turns whose end was not heard.
    No,
}

/// What is owed for a turn.
pub(crate) fn owed(turn: &Turn, amount: u128) -> PaidTurn {
    PaidTurn {
        unit: turn.unit,
        attempt: turn.attempt,
        amount,
    }
}
