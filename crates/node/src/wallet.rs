//! The node's account: what it has, what it has earned, and how it got its first money.

use std::sync::{Arc, Mutex, PoisonError};

use opensky_protocol::{
    Account, Digest, Verified,
    ledger::{AccountState, Call, Consent, Escrow, Event, Fact, LedgerRequest, Status, Terms},
};
use tokio::sync::Notify;

use crate::ledger::{Books, LedgerAway, Signer, Teller, TellerError};

/// What an account has gained and spent, added up from the ledger's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turnover {
    /// Paid to it for units.
    pub earned: u128,
    /// Paid by it for units.
    pub spent: u128,
    /// Taken by the ledger for what it asked for.
    pub fees: u128,
}

/// The account, with what is known of its past.
pub(crate) struct Wallet {
    pub books: Books,
    pub teller: Teller,
    pub account: Account,
    /// Who gives money away, where it is an account that does.
    faucet: Option<Account>,
    /// Something is on its way out of the bond.
    pub unbonding: Arc<Notify>,
    seen: Mutex<Seen>,
}

/// All up to an event, added up.
#[derive(Clone, Default)]
struct Seen {
    /// A chain may lose it, and another one have its number then.
    newest: Option<Event>,
    turnover: Turnover,
}

impl Seen {
    /// Adds up a page of events, the newest first, of those before the last one that was. Answers before which one the next
    /// page is to be, if it is not all: what is newer than `old`, or all if its newest event is gone.
    fn take(
        &mut self,
        old: &Self,
        page: Vec<Event>,
        add: impl Fn(&mut Turnover, &Event),
    ) -> Option<u64> {
        let next = page.last()?.sequence;
        for event in page {
            let is_known = old.newest.as_ref() == Some(&event);
            match is_known {
                true => self.turnover.join(&old.turnover),
                false => add(&mut self.turnover, &event),
            }
            self.newest.get_or_insert(event);
            if is_known {
                return None;
            }
        }
        Some(next)
    }
}

impl Turnover {
    fn join(&mut self, other: &Self) {
        self.earned = self.earned.saturating_add(other.earned);
        self.spent = self.spent.saturating_add(other.spent);
        self.fees = self.fees.saturating_add(other.fees);
    }
}

impl Wallet {
    pub fn new(account: Account, books: Books, teller: Teller, terms: &Terms) -> Self {
        Self {
            account,
            faucet: books.faucet(terms),
            books,
            teller,
            unbonding: Arc::default(),
            seen: Mutex::default(),
        }
    }

    /// What it has.
    pub async fn state(&self) -> Result<AccountState, LedgerAway> {
        self.books.account(self.account).await
    }

    /// What the ledger says of the escrow of a job, if there is one.
    pub async fn escrow(&self, job: Digest) -> Result<Option<Escrow>, LedgerAway> {
        self.books.escrow(job).await
    }

    /// The newest events that moved its money, before that sequence number, the newest first.
    pub async fn history(&self, before: u64, limit: u32) -> Result<Vec<Event>, LedgerAway> {
        self.books.history(self.account, before, limit).await
    }

    /// All that it has gained and spent.
    pub async fn turnover(&self) -> Result<Turnover, LedgerAway> {
        let old = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut new = Seen::default();
        let mut before = Some(u64::MAX);
        while let Some(next) = before {
            let page = self.history(next, LedgerRequest::MAX_EVENTS).await?;
            before = new.take(&old, page, |sum, event| self.add(sum, event));
        }
        let turnover = new.turnover;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(turnover)
    }

    fn add(&self, turnover: &mut Turnover, event: &Event) {
        let (fee, facts) = match &event.status {
            Status::Pending => return,
            Status::Rejected { fee, .. } => (*fee, &[][..]),
            Status::Final { fee, facts } => (*fee, &facts[..]),
        };
        // The faucet costs nothing: where it is an account, that pays for its gifts.
        if event.account == self.account && !facts.iter().any(|fact| self.is_gift(fact)) {
            turnover.fees = turnover.fees.saturating_add(fee);
        }
        for fact in facts {
            if let Fact::Paid {
                payer,
                operator,
                amount,
                ..
            } = fact
            {
                if *operator == self.account {
                    turnover.earned = turnover.earned.saturating_add(*amount);
                }
                if *payer == self.account {
                    turnover.spent = turnover.spent.saturating_add(*amount);
                }
            }
        }
    }

    fn is_gift(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Made { .. } => true,
            Fact::Transferred { from, to, .. } => Some(*from) == self.faucet && *to == self.account,
            _ => false,
        }
    }

    /// Gets the account ready: where the ledger has a faucet and the account has nothing, it takes
    /// what that gives; and it answers for its node, so that it can be paid by evidence.
    pub async fn prepare(&self, terms: &Terms, signer: &Signer) -> Result<(), TellerError> {
        let teller = &self.teller;
        let is_empty = |state: AccountState| state.purse.is_empty();
        if terms.faucet > 0 && self.state().await.is_ok_and(is_empty) {
            let amount = terms.faucet;
            teller.call(Call::Faucet { amount }).await?;
        }
        let node = signer.secret.node();
        // An account's own key is its node without being certified.
        if Account::from(node) != self.account
            && let Ok(None) = self.books.node(node).await
        {
            let consent = Consent {
                ledger: signer.ledger,
                operator: self.account,
                node,
            };
            let consent = Verified::sign(&signer.secret, consent).into_signed();
            teller.call(Call::Certify { consent }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn event(sequence: u64, at: u64, fee: u128) -> Event {
        Event {
            sequence,
            at,
            intent: Digest([0; 32]),
            account: Account([1; 32]),
            status: Status::Final {
                fee,
                facts: Vec::new(),
            },
        }
    }

    /// What is paid in fees by these, two a page, and how many of them were looked at.
    fn fees(seen: &mut Seen, events: &[Event]) -> (u128, usize) {
        let looked = Cell::new(0);
        let add = |sum: &mut Turnover, event: &Event| {
            looked.set(looked.get() + 1);
            if let Status::Final { fee, .. } = event.status {
                sum.fees += fee;
            }
        };
        let mut new = Seen::default();
        let mut before = Some(u64::MAX);
        while let Some(next) = before {
            let older = events.iter().rev().filter(|event| event.sequence < next);
            before = new.take(seen, older.take(2).cloned().collect(), add);
        }
        *seen = new;
        (seen.turnover.fees, looked.get())
    }

    #[test]
    fn what_a_chain_has_lost_is_not_added_up_and_nothing_twice() {
        let mut seen = Seen::default();
        assert_eq!(fees(&mut seen, &[]), (0, 0));
        let mut events: Vec<_> = (1..6).map(|at| event(at, at, 1)).collect();
        assert_eq!(fees(&mut seen, &events), (5, 5));
        assert_eq!(fees(&mut seen, &events), (5, 0));
        events.push(event(6, 6, 10));
        assert_eq!(fees(&mut seen, &events), (15, 1));
        // Two blocks are gone, and others in their place.
        events.truncate(4);
        assert_eq!(fees(&mut seen, &events), (4, 4));
        events.extend([event(5, 7, 20), event(6, 8, 20)]);
        assert_eq!(fees(&mut seen, &events), (44, 2));
        events.truncate(5);
        events.push(event(6, 9, 30));
        assert_eq!(fees(&mut seen, &events), (54, 6));
    }
}
