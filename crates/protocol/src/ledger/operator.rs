//! An operator's bond: what it can lose, for as long as a dispute about its work may take.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::ledger::Rejection;

/// An amount on its way out of a bond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Unbonding {
    /// How much.
    pub amount: u128,
    /// When it can be withdrawn, in Unix milliseconds.
    pub ready: u64,
}

/// What an operator has bonded. All of it is held in the account's purse.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Operator {
    /// What stands for the operator's work.
    pub bond: u128,
    /// What will not for much longer; it can still be lost.
    pub unbonding: Vec<Unbonding>,
}

impl Operator {
    /// Amounts that may be unbonding at the same time.
    pub const MAX_UNBONDINGS: usize = 16;

    /// All that can be lost.
    pub fn at_stake(&self) -> u128 {
        let amounts = self.unbonding.iter().map(|part| part.amount);
        amounts.fold(self.bond, u128::saturating_add)
    }

    /// Bonds more.
    ///
    /// # Errors
    /// [`Rejection::Overflow`].
    pub fn add(&mut self, amount: u128) -> Result<(), Rejection> {
        self.bond = self.bond.checked_add(amount).ok_or(Rejection::Overflow)?;
        Ok(())
    }

    /// Begins to unbond; it can be withdrawn at `ready`.
    ///
    /// # Errors
    /// [`Rejection::Bond`] or [`Rejection::Unbondings`].
    pub fn unbond(&mut self, amount: u128, ready: u64) -> Result<(), Rejection> {
        let bond = self.bond.checked_sub(amount).ok_or(Rejection::Bond)?;
        if self.unbonding.len() >= Self::MAX_UNBONDINGS {
            return Err(Rejection::Unbondings);
        }
        self.bond = bond;
        self.unbonding.push(Unbonding { amount, ready });
        Ok(())
    }

    /// Takes out all that is ready, and says how much that is.
    ///
    /// # Errors
    /// [`Rejection::TooEarly`] if that is nothing.
    pub fn withdraw(&mut self, now: u64) -> Result<u128, Rejection> {
        let is_ready = |part: &&Unbonding| part.ready <= now;
        let amounts = self.unbonding.iter().filter(is_ready);
        let sum = amounts.map(|part| part.amount).sum();
        if sum == 0 {
            return Err(Rejection::TooEarly);
        }
        self.unbonding.retain(|part| part.ready > now);
        Ok(sum)
    }

    /// Loses up to `amount`: first of the bond, then of what is unbonding, the latest first. Returns
    /// how much it was.
    pub fn slash(&mut self, amount: u128) -> u128 {
        let mut missing = amount;
        let parts = self.unbonding.iter_mut().rev();
        let parts = parts.map(|part| &mut part.amount);
        for part in core::iter::once(&mut self.bond).chain(parts) {
            let taken = missing.min(*part);
            *part -= taken;
            missing -= taken;
        }
        self.unbonding.retain(|part| part.amount > 0);
        amount - missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbonding_money_can_be_lost_until_it_is_withdrawn() {
        let mut operator = Operator::default();
        operator.add(100).unwrap();
        assert_eq!(operator.unbond(101, 5), Err(Rejection::Bond));
        operator.unbond(30, 5).unwrap();
        operator.unbond(40, 9).unwrap();
        assert_eq!(operator.at_stake(), 100);
        assert_eq!(operator.withdraw(4), Err(Rejection::TooEarly));
        assert_eq!(operator.slash(50), 50);
        assert_eq!(operator.withdraw(5), Ok(30));
        assert_eq!(operator.at_stake(), 20);
        assert_eq!(operator.slash(50), 20);
        assert_eq!(operator, Operator::default());
    }
}
