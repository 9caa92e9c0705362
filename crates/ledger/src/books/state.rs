//! The rows of the books as the rule book wants them.

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        Case, Escrow, NodeState, Operator, Rejection, Tab, Terms,
        rules::{Purpose, Register, State},
    },
};

use super::Books;
use crate::rows::Key;

impl Register for Books {
    fn id(&self) -> Digest {
        self.id
    }

    fn terms(&self) -> Terms {
        self.genesis.terms.clone()
    }

    fn operator(&self, account: &Account) -> Operator {
        Books::operator(self, account)
    }

    fn put_operator(&mut self, account: &Account, operator: Operator) {
        match operator == Operator::default() {
            true => self.rows.remove(Key::Operator(*account)),
            false => self.rows.put(Key::Operator(*account), operator),
        }
    }

    fn node(&self, node: &NodeKey) -> Option<NodeState> {
        Books::node(self, node)
    }

    fn put_node(&mut self, node: &NodeKey, state: NodeState) {
        self.rows.put(Key::Node(*node), state);
    }

    fn hold(&mut self, of: &Account, _: Purpose, amount: u128) -> Result<(), Rejection> {
        self.change_purse(of, |purse, least| purse.hold(amount, least))
    }

    fn release(&mut self, of: &Account, _: Purpose, amount: u128) -> Result<(), Rejection> {
        self.change_purse(of, |purse, _| purse.release(amount))
    }
}

impl State for Books {
    fn escrow(&self, id: &Digest) -> Option<Escrow> {
        Books::escrow(self, id)
    }

    fn put_escrow(&mut self, id: &Digest, escrow: Escrow) {
        self.rows.put(Key::Escrow(*id), escrow);
    }

    fn tab(&self, escrow: &Digest, operator: &Account) -> Tab {
        Books::tab(self, escrow, operator)
    }

    fn put_tab(&mut self, escrow: &Digest, operator: &Account, tab: Tab) {
        self.rows.put(Key::Tab(*escrow, *operator), tab);
    }

    fn case(&self, escrow: &Digest, unit: &Digest) -> Option<Case> {
        Books::case(self, escrow, unit)
    }

    fn put_case(&mut self, escrow: &Digest, unit: &Digest, case: Option<Case>) {
        let key = Key::Case(*escrow, *unit);
        match case {
            Some(case) => self.rows.put(key, case),
            None => self.rows.remove(key),
        }
    }

    fn unsettled(&self, escrow: &Digest) -> Vec<Digest> {
        self.cases(escrow, None, usize::MAX)
    }

    fn remind(&mut self, at: u64, escrow: &Digest) {
        self.rows.put(Key::Timer(at, *escrow), ());
    }

    fn forget(&mut self, at: u64, escrow: &Digest) {
        self.rows.remove(Key::Timer(at, *escrow));
    }

    fn pay(
        &mut self,
        from: &Account,
        _: Purpose,
        to: &Account,
        amount: u128,
    ) -> Result<(), Rejection> {
        if amount == 0 {
            return Ok(());
        }
        let least = self.terms().existential;
        let mut payer = self.purse(from);
        payer.spend(amount)?;
        if from == to {
            payer.deposit(amount, least)?;
            self.put_purse(from, payer);
            return Ok(());
        }
        let mut payee = self.purse(to);
        payee.deposit(amount, least)?;
        self.put_purse(from, payer);
        self.put_purse(to, payee);
        Ok(())
    }

    fn forfeit(&mut self, from: &Account, _: Purpose, amount: u128) -> Result<(), Rejection> {
        self.change_purse(from, |purse, _| purse.spend(amount))?;
        self.add_to_pot(amount);
        Ok(())
    }

    fn reward(&mut self, to: &Account, amount: u128) -> Result<(), Rejection> {
        let mut treasury = self.treasury();
        treasury.pot = treasury.pot.checked_sub(amount).ok_or(Rejection::Balance)?;
        self.change_purse(to, |purse, least| purse.deposit(amount, least))?;
        self.rows.put(Key::Treasury, treasury);
        Ok(())
    }
}
