//! An account's money: what it can spend, and what is held for escrows, bonds and objections.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::ledger::Rejection;

/// An account's money. Where there is an existential deposit, a purse has at least that much free
/// money or it is empty: whoever is owed a refund is there to take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct Purse {
    /// What can be spent.
    pub free: u128,
    /// What is promised: all escrows, bonds and objections of the account together.
    pub held: u128,
}

impl Purse {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes `amount` out. `existential` is the ledger's deposit.
    ///
    /// # Errors
    /// [`Rejection::Balance`], or [`Rejection::Existential`] if less than the deposit would be left,
    /// unless that is nothing at all.
    pub fn withdraw(&mut self, amount: u128, existential: u128) -> Result<(), Rejection> {
        let left = self.free.checked_sub(amount).ok_or(Rejection::Balance)?;
        let is_gone = left == 0 && self.held == 0;
        if amount > 0 && left < existential && !is_gone {
            return Err(Rejection::Existential);
        }
        self.free = left;
        Ok(())
    }

    /// Puts `amount` in.
    ///
    /// # Errors
    /// [`Rejection::Existential`] if that would be an account of less than the deposit;
    /// [`Rejection::Overflow`].
    pub fn deposit(&mut self, amount: u128, existential: u128) -> Result<(), Rejection> {
        let sum = self.free.checked_add(amount).ok_or(Rejection::Overflow)?;
        if amount > 0 && sum < existential {
            return Err(Rejection::Existential);
        }
        self.free = sum;
        Ok(())
    }

    /// Sets `amount` aside.
    ///
    /// # Errors
    /// [`Rejection::Balance`], or [`Rejection::Existential`] if less than the deposit would be free.
    pub fn hold(&mut self, amount: u128, existential: u128) -> Result<(), Rejection> {
        let left = self.free.checked_sub(amount).ok_or(Rejection::Balance)?;
        let held = self.held.checked_add(amount).ok_or(Rejection::Overflow)?;
        if amount > 0 && left < existential {
            return Err(Rejection::Existential);
        }
        (self.free, self.held) = (left, held);
        Ok(())
    }

    /// Gives back what was set aside.
    ///
    /// # Errors
    /// [`Rejection::Balance`] if so much is not held.
    pub fn release(&mut self, amount: u128) -> Result<(), Rejection> {
        let free = self.free.checked_add(amount).ok_or(Rejection::Overflow)?;
        self.spend(amount)?;
        self.free = free;
        Ok(())
    }

    /// Takes out what was set aside: it belongs to somebody else now.
    ///
    /// # Errors
    /// [`Rejection::Balance`] if so much is not held.
    pub fn spend(&mut self, amount: u128) -> Result<(), Rejection> {
        self.held = self.held.checked_sub(amount).ok_or(Rejection::Balance)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purse_has_the_deposit_or_nothing() {
        let mut purse = Purse::default();
        assert_eq!(purse.deposit(9, 10), Err(Rejection::Existential));
        purse.deposit(100, 10).unwrap();
        assert_eq!(purse.hold(91, 10), Err(Rejection::Existential));
        purse.hold(60, 10).unwrap();
        assert_eq!(purse.withdraw(31, 10), Err(Rejection::Existential));
        // The last 40 cannot go while 60 are held: a refund would make an account of no deposit.
        assert_eq!(purse.withdraw(40, 10), Err(Rejection::Existential));
        assert_eq!(purse.withdraw(41, 10), Err(Rejection::Balance));
        purse.release(20).unwrap();
        purse.spend(40).unwrap();
        assert_eq!(purse.spend(1), Err(Rejection::Balance));
        assert_eq!(purse, Purse { free: 60, held: 0 });
        purse.withdraw(60, 10).unwrap();
        assert!(purse.is_empty());
    }

    #[test]
    fn without_a_deposit_every_amount_is_as_good() {
        let mut purse = Purse { free: 3, held: 0 };
        purse.hold(3, 0).unwrap();
        purse.deposit(1, 0).unwrap();
        purse.withdraw(1, 0).unwrap();
        assert_eq!(purse, Purse { free: 0, held: 3 });
    }
}
