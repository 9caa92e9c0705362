//! Whether the books add up: what must be true after every step, whoever asks for what.

use std::collections::BTreeMap;

use opensky_protocol::{
    Account,
    ledger::{Objection, Purse},
};

use super::Books;
use crate::rows::{Key, Row};

impl Books {
    /// Says what does not add up: that money is made or lost, that an account's held money is not the
    /// sum of what it is held for, that an escrow gave more than it had, that an account is below the
    /// existential deposit. For tests and simulations: it looks at every row.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let treasury = self.treasury();
        let mut total = treasury.pot;
        let mut held: BTreeMap<Account, u128> = BTreeMap::new();
        let mut purses: BTreeMap<Account, Purse> = BTreeMap::new();
        for (key, row) in self.rows.iter() {
            let holds = match (key, row) {
                (Key::Purse(account), Row::Purse(purse)) => {
                    total += purse.free + purse.held;
                    purses.insert(*account, *purse);
                    None
                }
                (Key::Operator(account), Row::Operator(operator)) => {
                    Some((*account, operator.at_stake()))
                }
                (Key::Escrow(_), Row::Escrow(escrow)) => {
                    if escrow.paid + escrow.refunded > escrow.locked {
                        return Err(format!("{key:?} gave more than it had: {escrow:?}"));
                    }
                    if escrow.reserved > escrow.left() {
                        return Err(format!("{key:?} reserves more than it has: {escrow:?}"));
                    }
                    Some((escrow.payer, escrow.left()))
                }
                (Key::Case(..), Row::Case(case)) => {
                    let staked = |Objection { by, bond }| (by, bond);
                    case.objection.map(staked)
                }
                _ => None,
            };
            if let Some((account, amount)) = holds {
                *held.entry(account).or_default() += amount;
            }
        }
        if total != treasury.issued {
            return Err(format!(
                "there is {total}, and {} was made",
                treasury.issued
            ));
        }
        held.retain(|_, amount| *amount > 0);
        let least = self.terms().existential;
        for (account, purse) in &purses {
            if held.remove(account).unwrap_or_default() != purse.held {
                return Err(format!("{account} holds {purse:?} for something else"));
            }
            if purse.free < least {
                return Err(format!("{account} is below the deposit: {purse:?}"));
            }
        }
        match held.first_key_value() {
            Some((account, amount)) => Err(format!("{amount} of {account} are not there")),
            None => self.check_cases(),
        }
    }

    fn check_cases(&self) -> Result<(), String> {
        for (key, row) in self.rows.iter() {
            let (Key::Escrow(id), Row::Escrow(escrow)) = (key, row) else {
                continue;
            };
            let units = self.cases(id, None, usize::MAX);
            let cases = units.iter().filter_map(|unit| self.case(id, unit));
            let kept = cases.flat_map(|case| case.filed).map(|claim| claim.kept);
            let kept: u128 = kept.sum();
            if units.len() != escrow.cases as usize || kept != escrow.reserved {
                return Err(format!("{key:?} has other claims: {escrow:?}, {kept} kept"));
            }
        }
        Ok(())
    }
}
