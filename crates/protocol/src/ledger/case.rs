//! A case: what was claimed by evidence for one unit of one job, and how it ends.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Digest, NodeKey,
    ledger::{Phase, Rejection},
};

/// One operator's claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Filed {
    /// Who is paid.
    pub operator: Account,
    /// Its node that ran the unit.
    pub node: NodeKey,
    /// Which of the unit's assignments it was.
    pub attempt: u32,
    /// Its result.
    pub compare_key: Digest,
    /// What that costs.
    pub amount: u128,
    /// What the escrow keeps for it.
    pub kept: u128,
}

/// Somebody's word that a claimed result is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Objection {
    /// Who says so.
    pub by: Account,
    /// What it stakes on that.
    pub bond: u128,
}

/// What a committee found when it ran a unit again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Verdict {
    /// The result has this compare key.
    Result(Digest),
    /// The engine is at fault, or nobody can tell: nobody is paid and nobody loses anything.
    Fault,
}

/// All claims of one unit of one escrow.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Case {
    /// How many of them the requester pays, by its ticket.
    pub seats: u8,
    /// The claims in the order in which they were filed, one of each operator at most.
    pub filed: Vec<Filed>,
    /// The objection, if there is one.
    pub objection: Option<Objection>,
    /// The verdict, if there is one.
    pub verdict: Option<Verdict>,
}

/// How a case ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Whoever has this result is paid.
    Agreed(Digest),
    /// The same, and whoever has another one loses the penalty.
    Judged(Digest),
    /// Nobody is paid, nobody loses anything.
    Void,
}

impl Case {
    /// Operators that can claim one unit.
    pub const MAX_FILED: usize = 32;

    /// Adds a claim, by a ticket that has so many seats.
    ///
    /// # Errors
    /// [`Rejection::Claimed`] if the operator has claimed the unit before, [`Rejection::Claims`] if
    /// too many others have.
    pub fn file(&mut self, claim: Filed, seats: u8) -> Result<(), Rejection> {
        if self
            .filed
            .iter()
            .any(|other| other.operator == claim.operator)
        {
            return Err(Rejection::Claimed);
        }
        if self.filed.len() >= Self::MAX_FILED {
            return Err(Rejection::Claims);
        }
        self.seats = self.seats.max(seats);
        self.filed.push(claim);
        Ok(())
    }

    /// What the requester pays of a right claim of `amount`, where there are so many that are owed
    /// anything: all of it as long as its ticket has seats for all of them, else the same part of each,
    /// rounded down. Whoever chose which claims come first would choose its own: the requester numbers
    /// the turns, and knows best when claims begin.
    pub fn part(&self, amount: u128, claims: usize) -> u128 {
        let (seats, claims) = (u128::from(self.seats), claims.max(1) as u128);
        if claims <= seats {
            return amount;
        }
        // Multiples of the number of claims first, so that nothing in between is larger than the amount.
        amount / claims * seats + amount % claims * seats / claims
    }

    /// Whether two results differ, or somebody objects.
    pub fn is_disputed(&self) -> bool {
        let differs = |pair: &[Filed]| pair[0].compare_key != pair[1].compare_key;
        self.objection.is_some() || self.filed.windows(2).any(differs)
    }

    /// Objects to the result that all claims have.
    ///
    /// # Errors
    /// [`Rejection::Disputed`] if there is a dispute already.
    pub fn object(&mut self, objection: Objection) -> Result<(), Rejection> {
        if self.is_disputed() {
            return Err(Rejection::Disputed);
        }
        self.objection = Some(objection);
        Ok(())
    }

    /// Gives the verdict.
    ///
    /// # Errors
    /// [`Rejection::Undisputed`], or [`Rejection::Disputed`] if there was a verdict before.
    pub fn judge(&mut self, verdict: Verdict) -> Result<(), Rejection> {
        if !self.is_disputed() {
            return Err(Rejection::Undisputed);
        }
        if self.verdict.is_some() {
            return Err(Rejection::Disputed);
        }
        self.verdict = Some(verdict);
        Ok(())
    }

    /// How it ends, if it does in this phase: without a dispute or with a verdict once nobody can
    /// object any more, else when the time for verdicts is over.
    ///
    /// # Errors
    /// [`Rejection::Phase`] if it is too early.
    pub fn ending(&self, phase: Phase) -> Result<Ending, Rejection> {
        match (self.verdict, self.filed.first()) {
            _ if phase < Phase::Verdicts => Err(Rejection::Phase),
            (Some(Verdict::Result(key)), _) => Ok(Ending::Judged(key)),
            (None, Some(claim)) if !self.is_disputed() => Ok(Ending::Agreed(claim.compare_key)),
            (None, _) if phase < Phase::Over => Err(Rejection::Phase),
            _ => Ok(Ending::Void),
        }
    }

    /// Whether the verdict says that whoever objected was wrong: every claim has the right result.
    pub fn objection_failed(&self, right: &Digest) -> bool {
        self.filed.iter().all(|claim| claim.compare_key == *right)
    }
}

/// How what somebody lost is shared out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slash {
    /// For right results beyond the seats that the requester pays.
    pub owed: u128,
    /// For whoever was right in the dispute.
    pub reward: u128,
    /// For the protocol's pot.
    pub pot: u128,
}

impl Slash {
    /// First come those who worked and whom the requester need not pay. Of the rest half, rounded
    /// down, goes to whoever was right, if there is anyone: less than all of it, or one could object
    /// to oneself for nothing. What is left goes to the pot.
    pub fn split(lost: u128, owed: u128, winners: usize) -> Self {
        let owed = owed.min(lost);
        let rest = lost - owed;
        let reward = match winners {
            0 => 0,
            _ => rest / 2,
        };
        Self {
            owed,
            reward,
            pot: rest - reward,
        }
    }
}
