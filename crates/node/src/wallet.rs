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

#[derive(Clone, Copy, Default)]
struct Seen {
    newest: u64,
    turnover: Turnover,
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
        let old = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = old;
        let mut before = u64::MAX;
        loop {
            let page = self.history(before, LedgerRequest::MAX_EVENTS).await?;
            let mut unseen = page.iter().filter(|event| event.sequence > old.newest);
            let Some(first) = unseen.next() else {
                break;
            };
            new.newest = new.newest.max(first.sequence);
            for event in [first].into_iter().chain(unseen) {
                self.add(&mut new.turnover, event);
            }
            before = page.last().map_or(0, |event| event.sequence);
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(new.turnover)
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
