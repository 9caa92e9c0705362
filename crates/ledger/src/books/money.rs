//! Money that is made and given.

use opensky_protocol::{
    Account,
    ledger::{Fact, Rejection},
};

use super::{Books, some};
use crate::rows::Key;

type Done = Result<Vec<Fact>, Rejection>;

impl Books {
    pub(super) fn make(&mut self, to: &Account, amount: u128) -> Done {
        some(amount)?;
        if amount > self.terms().faucet {
            return Err(Rejection::Faucet);
        }
        let mut treasury = self.treasury();
        let issued = treasury.issued.checked_add(amount);
        treasury.issued = issued.ok_or(Rejection::Overflow)?;
        self.change_purse(to, |purse, least| purse.deposit(amount, least))?;
        self.rows.put(Key::Treasury, treasury);
        Ok([Fact::Made { to: *to, amount }].into())
    }

    pub(super) fn transfer(&mut self, from: &Account, to: &Account, amount: u128) -> Done {
        some(amount)?;
        self.change_purse(from, |purse, least| purse.withdraw(amount, least))?;
        self.change_purse(to, |purse, least| purse.deposit(amount, least))?;
        let (from, to) = (*from, *to);
        Ok([Fact::Transferred { from, to, amount }].into())
    }
}
