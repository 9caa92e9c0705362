//! The books: a state machine whose every step is decided by the call and the time alone.

mod check;
mod money;
mod state;
mod upkeep;

use std::ops::Bound;

pub use self::upkeep::Upkeep;
use crate::{
    rows::{Key, Row, Rows},
    treasury::Treasury,
};
use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        AccountState, Call, Case, Escrow, Fact, Genesis, GenesisError, Intent, NodeState, Operator,
        Purse, Rejection, Status, Tab, Terms,
        rules::{self, Caller},
    },
};

/// The ledger's state. It believes its caller that intents are signed, as is everything in them:
/// [`Ledger`](crate::Ledger) looks at that before.
#[derive(Clone, Debug)]
pub struct Books {
    id: Digest,
    genesis: Genesis,
    rows: Rows,
}

impl Books {
    /// Those of a new ledger.
    ///
    /// # Errors
    /// What [`Genesis::check`] says.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let issued = genesis.issued().ok_or(GenesisError::Overflow)?;
        let mut books = Self::load(genesis, []);
        books.rows.put(Key::Treasury, Treasury { pot: 0, issued });
        for (account, free) in books.genesis.balances.clone() {
            let purse = Purse { free, held: 0 };
            books.rows.put(Key::Purse(account), purse);
        }
        Ok(books)
    }

    pub(crate) fn load(genesis: Genesis, rows: impl IntoIterator<Item = (Key, Row)>) -> Self {
        Self {
            id: genesis.id(),
            genesis,
            rows: Rows::load(rows),
        }
    }

    pub(crate) fn take_changed(&mut self) -> Vec<(Key, Option<&Row>)> {
        self.rows.take_changed()
    }

    /// The ledger's id.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// What it began with.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Does what an intent asks, or nothing but take its fee. The intent is for this ledger, and its
    /// nonce is used up already.
    pub fn apply(&mut self, intent: &Intent, now: u64) -> Status {
        self.rows.begin();
        match self.may_sign(intent) {
            true if intent.is_owners() => self.apply_for_owner(intent, now),
            true => self.apply_for_node(intent, now),
            false => Status::Rejected {
                fee: 0,
                reason: Rejection::Unauthorised,
            },
        }
    }

    /// Whether the signer may ask for this: see [`Call::is_for_nodes`].
    pub fn may_sign(&self, intent: &Intent) -> bool {
        rules::may_sign(self, &caller(intent), &intent.call)
    }

    /// What an account pays for a call that it signs itself, whatever becomes of it.
    pub fn fee(&self, call: &Call) -> u128 {
        match call {
            Call::Faucet { .. } => 0,
            _ => self.terms().fee,
        }
    }

    fn apply_for_owner(&mut self, intent: &Intent, now: u64) -> Status {
        let fee = self.fee(&intent.call);
        if self.charge(&intent.account, fee).is_err() {
            self.rows.roll_back();
            let reason = Rejection::Fee;
            return Status::Rejected { fee: 0, reason };
        }
        self.rows.begin();
        match self.call(intent, now) {
            Ok(facts) => Status::Final { fee, facts },
            Err(reason) => {
                self.rows.roll_back();
                Status::Rejected { fee, reason }
            }
        }
    }

    /// A node's signature costs the account no more than it brings in.
    fn apply_for_node(&mut self, intent: &Intent, now: u64) -> Status {
        let facts = match self.call(intent, now) {
            Ok(facts) => facts,
            Err(reason) => {
                self.rows.roll_back();
                return Status::Rejected { fee: 0, reason };
            }
        };
        let brought = facts.iter().map(|fact| brings(fact, &intent.account));
        let fee = self.terms().fee.min(brought.sum());
        let fee = match self.charge(&intent.account, fee) {
            Ok(()) => fee,
            Err(_) => 0,
        };
        Status::Final { fee, facts }
    }

    fn charge(&mut self, account: &Account, fee: u128) -> Result<(), Rejection> {
        let mut purse = self.purse(account);
        purse.withdraw(fee, self.terms().existential)?;
        self.put_purse(account, purse);
        self.add_to_pot(fee);
        Ok(())
    }

    fn call(&mut self, intent: &Intent, now: u64) -> Result<Vec<Fact>, Rejection> {
        match &intent.call {
            Call::Faucet { amount } => self.make(&intent.account, *amount),
            Call::Transfer { to, amount } => self.transfer(&intent.account, to, *amount),
            call => rules::carry_out(self, &caller(intent), call, now),
        }
    }
}

fn caller(intent: &Intent) -> Caller {
    Caller {
        account: intent.account,
        signer: intent.signer,
    }
}

/// What a fact brings into an account's free money.
fn brings(fact: &Fact, account: &Account) -> u128 {
    match fact {
        Fact::Paid {
            operator, amount, ..
        } if operator == account => *amount,
        Fact::Refunded { payer, amount, .. } if payer == account => *amount,
        _ => 0,
    }
}

/// Looking things up.
impl Books {
    /// The ledger's rules.
    pub fn terms(&self) -> &Terms {
        &self.genesis.terms
    }

    /// The money that is nobody's.
    pub fn treasury(&self) -> Treasury {
        self.rows.find(&Key::Treasury).unwrap_or_default()
    }

    /// What an account has.
    pub fn account(&self, account: &Account) -> AccountState {
        AccountState {
            purse: self.purse(account),
            operator: self.operator(account),
        }
    }

    /// An account's money.
    pub fn purse(&self, account: &Account) -> Purse {
        self.rows.find(&Key::Purse(*account)).unwrap_or_default()
    }

    /// An account's bond.
    pub fn operator(&self, account: &Account) -> Operator {
        self.rows.find(&Key::Operator(*account)).unwrap_or_default()
    }

    /// Whose a node is.
    pub fn node(&self, node: &NodeKey) -> Option<NodeState> {
        self.rows.find(&Key::Node(*node))
    }

    /// The nodes of an operator that it has not let go, at most `limit`.
    pub fn nodes(&self, operator: &Account, limit: usize) -> Vec<NodeKey> {
        let own = self.rows.iter().filter_map(|row| match row {
            (Key::Node(node), Row::Node(state)) => {
                let is_own = state.operator == *operator && state.revoked.is_none();
                is_own.then_some(*node)
            }
            _ => None,
        });
        own.take(limit).collect()
    }

    /// How many intents that the key signed were accepted: the next one's nonce.
    pub fn nonce(&self, signer: &NodeKey) -> u64 {
        self.rows.find(&Key::Nonce(*signer)).unwrap_or_default()
    }

    /// Uses up a key's next nonce. Whoever accepts an intent does this.
    pub fn use_nonce(&mut self, signer: &NodeKey) {
        let next = self.nonce(signer) + 1;
        self.rows.put(Key::Nonce(*signer), next);
    }

    /// An escrow, also one that is over.
    pub fn escrow(&self, id: &Digest) -> Option<Escrow> {
        self.rows.find(&Key::Escrow(*id))
    }

    /// What an operator has coming from an escrow.
    pub fn tab(&self, escrow: &Digest, operator: &Account) -> Tab {
        let key = Key::Tab(*escrow, *operator);
        self.rows.find(&key).unwrap_or_default()
    }

    /// The unsettled claims of one unit.
    pub fn case(&self, escrow: &Digest, unit: &Digest) -> Option<Case> {
        self.rows.find(&Key::Case(*escrow, *unit))
    }

    /// The units of an escrow that have unsettled claims, after `after`, at most `limit`.
    pub fn cases(&self, escrow: &Digest, after: Option<Digest>, limit: usize) -> Vec<Digest> {
        let start = match after {
            Some(unit) => Bound::Excluded(Key::Case(*escrow, unit)),
            None => Bound::Included(Key::Case(*escrow, Digest([0; 32]))),
        };
        let rows = self.rows.from(start);
        let units = rows.map_while(|(key, _)| match key {
            Key::Case(id, unit) if id == escrow => Some(*unit),
            _ => None,
        });
        units.take(limit).collect()
    }
}

/// Writing things down.
impl Books {
    fn put_purse(&mut self, account: &Account, purse: Purse) {
        match purse.is_empty() {
            true => self.rows.remove(Key::Purse(*account)),
            false => self.rows.put(Key::Purse(*account), purse),
        }
    }

    fn add_to_pot(&mut self, amount: u128) {
        let mut treasury = self.treasury();
        treasury.pot += amount;
        self.rows.put(Key::Treasury, treasury);
    }

    /// Changes an account's purse, by one of the purse's own rules.
    fn change_purse(
        &mut self,
        account: &Account,
        change: impl FnOnce(&mut Purse, u128) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let mut purse = self.purse(account);
        change(&mut purse, self.terms().existential)?;
        self.put_purse(account, purse);
        Ok(())
    }
}

/// Nothing can be done with 0 of anything.
fn some(amount: u128) -> Result<(), Rejection> {
    match amount {
        0 => Err(Rejection::Zero),
        _ => Ok(()),
    }
}
