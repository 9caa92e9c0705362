//! When the ledger does something by itself.

use opensky_protocol::{
    Account, Digest,
    ledger::{Call, Escrow, Fact, rules},
};

use super::Books;
use crate::rows::Key;

/// Something that the ledger did by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upkeep {
    /// As of when.
    pub at: u64,
    /// For which escrow.
    pub escrow: Digest,
    /// Whose escrow it is.
    pub payer: Account,
    /// What happened.
    pub facts: Vec<Fact>,
}

impl Books {
    /// When [`tend`](Self::tend) has something to do next.
    pub fn next_timer(&self) -> Option<u64> {
        self.timer().map(|(at, _)| at)
    }

    /// Does the first thing that is due, if there is one: the whole is bounded, and whoever keeps the
    /// books calls again until the next timer is in the future.
    pub fn tend(&mut self, now: u64) -> Option<Upkeep> {
        while let Some((at, id)) = self.timer().filter(|(at, _)| *at <= now) {
            self.rows.begin();
            let facts = rules::tend(self, &id, at, Call::MAX_UNITS);
            let facts = facts.unwrap_or_else(|_| {
                self.rows.roll_back();
                self.rows.remove(Key::Timer(at, id));
                Vec::new()
            });
            let escrow = self.escrow(&id).filter(|_| !facts.is_empty());
            if let Some(Escrow { payer, .. }) = escrow {
                return Some(Upkeep {
                    at,
                    escrow: id,
                    payer,
                    facts,
                });
            }
        }
        None
    }

    fn timer(&self) -> Option<(u64, Digest)> {
        match self.rows.first_timer()? {
            Key::Timer(at, id) => Some((*at, *id)),
            _ => None,
        }
    }
}
