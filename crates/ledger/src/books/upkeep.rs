//! What the ledger does by itself when its time has come: it settles what nobody disputes any more, and
//! gives back what is left. So nobody waits for money because somebody else does not ask.

use opensky_protocol::{
    Account, Digest,
    ledger::{Call, Escrow, Fact, Phase, Rejection},
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
            let facts = self.tend_escrow(&id, at).unwrap_or_else(|_| {
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

    /// Has something done for an escrow at that time. One timer too many does no harm.
    pub(super) fn remind(&mut self, at: u64, id: &Digest) {
        self.rows.put(Key::Timer(at, *id), ());
    }

    fn tend_escrow(&mut self, id: &Digest, at: u64) -> Result<Vec<Fact>, Rejection> {
        let escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        let phase = escrow.phase(at, self.terms());
        let mut facts = Vec::new();
        let mut ended = 0;
        for unit in self.endable(id, phase) {
            self.settle(id, &unit, phase, &mut facts)?;
            ended += 1;
        }
        if ended == Call::MAX_UNITS {
            return Ok(facts);
        }
        self.rows.remove(Key::Timer(at, *id));
        let escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        if escrow.cases == 0 && escrow.left() > 0 {
            facts.extend(self.refund(id, at)?);
        }
        if escrow.cases > 0 {
            self.remind_of_next(id, &escrow, phase);
        }
        Ok(facts)
    }

    /// Units whose case ends in this phase: as many as are settled at once.
    fn endable(&self, id: &Digest, phase: Phase) -> Vec<Digest> {
        let units = self.cases(id, None, usize::MAX).into_iter();
        let ends = |unit: &Digest| {
            let case = self.case(id, unit);
            case.is_some_and(|case| case.ending(phase).is_ok())
        };
        units.filter(ends).take(Call::MAX_UNITS).collect()
    }

    fn remind_of_next(&mut self, id: &Digest, escrow: &Escrow, phase: Phase) {
        let terms = self.terms();
        let claimed = escrow.ends().saturating_add(terms.claims);
        let next = match phase {
            Phase::Open | Phase::Claims => claimed,
            Phase::Objections => claimed.saturating_add(terms.objections),
            Phase::Verdicts | Phase::Over => escrow.ends().saturating_add(terms.dispute_horizon()),
        };
        self.remind(next, id);
    }
}
