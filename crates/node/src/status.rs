//! How the node stands, truthfully: reachable or not and why, what it has done, why nothing comes.

use std::time::Duration;

use opensky_ledger::ChainStatus;
use opensky_network::{Reachability, Status as NetworkStatus};
use opensky_protocol::{
    Account, Digest, NodeKey, Offer,
    ledger::{AccountState, Event, Terms},
};
use tokio::time::timeout;

use crate::{ledger::LedgerAway, node::Node, wallet::Turnover};

/// How long the ledger may take to say what the account has gained and spent: whoever asks how the node is
/// has not asked how the ledger is.
const LEDGER: Duration = Duration::from_secs(5);

/// How a node stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// The node.
    pub node: NodeKey,
    /// The account that pays and is paid.
    pub account: Account,
    /// The ledger's id.
    pub ledger: Digest,
    /// The ledger's rules.
    pub terms: Terms,
    /// How the chain is, where the ledger is one.
    pub chain: Option<ChainStatus>,
    /// Why the ledger does not answer, if it does not.
    pub ledger_away: Option<LedgerAway>,
    /// How it stands in the network; nothing once that is down.
    pub network: Option<NetworkStatus>,
    /// Its offer, if it has one.
    pub offer: Option<Offer>,
    /// How many others offer.
    pub offers: usize,
    /// Fuel per second of one core, as measured.
    pub speed: u64,
    /// Units of others that run now.
    pub running: i64,
    /// Units of others that wait.
    pub queued: i64,
    /// Units of others that came to a result, since the start.
    pub executed: u64,
    /// Units of others that had no result here, since the start.
    pub aborted: u64,
    /// Fuel of those that came to a result.
    pub fuel: u64,
    /// Paid to and by the account, as far as the ledger says.
    pub turnover: Option<Turnover>,
    /// Why no work comes, if none does: all that is known to be in the way, the worst first.
    pub hindrances: Vec<Hindrance>,
}

/// What keeps work from coming.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Hindrance {
    /// Its configuration says so.
    #[error("it does not provide: `provide` is false in its configuration")]
    NotProviding,
    /// The network is down.
    #[error("its part in the network has ended")]
    Down,
    /// Nobody is connected.
    #[error("it is connected to nobody: see that `bootstrap` names a node that runs")]
    Alone,
    /// Others cannot reach it.
    #[error("others cannot reach it: {0}")]
    Unreachable(String),
    /// Escrows cannot be seen.
    #[error("it cannot see who would pay, for as long as its ledger does not answer")]
    Ledger(LedgerAway),
    /// There is no offer yet.
    #[error("it has not offered anything yet")]
    NoOffer,
    /// All that it has is taken.
    #[error("all its cores are taken")]
    Full,
    /// It is expensive.
    #[error("it asks more for fuel than {cheaper} of {all} others")]
    Price {
        /// Others that ask less.
        cheaper: usize,
        /// All others.
        all: usize,
    },
    /// Nothing is in the way, and nothing ever came.
    #[error("nobody has asked")]
    NoDemand,
    /// Nothing is in the way of more.
    #[error("nobody asks for more at the moment")]
    Quiet,
}

impl Node {
    /// How the node stands.
    pub async fn status(&self) -> Status {
        let parts = &self.0;
        let network = parts.network.status().await;
        let turnover = timeout(LEDGER, parts.wallet.turnover()).await;
        let turnover = turnover.unwrap_or(Err(LedgerAway::Slow(LEDGER.as_secs())));
        let chain = timeout(LEDGER, parts.wallet.books.chain()).await;
        let silent = chain.is_err();
        let metrics = &parts.metrics;
        let mut status = Status {
            node: parts.who.node,
            account: parts.who.operator,
            ledger: parts.who.ledger,
            terms: parts.terms.clone(),
            chain: chain.ok().flatten(),
            // What is known of a chain is known while it is away, too.
            ledger_away: turnover
                .as_ref()
                .err()
                .cloned()
                .or(parts.wallet.books.away())
                .or(silent.then_some(LedgerAway::Slow(LEDGER.as_secs()))),
            network,
            offer: parts.market.own().map(|offer| offer.value),
            offers: parts.market.known().len(),
            speed: parts.pace.speed(),
            running: metrics.running.get(),
            queued: metrics.queued.get(),
            executed: metrics.executed.get(),
            aborted: metrics.aborted.get(),
            fuel: metrics.fuel.get(),
            turnover: turnover.ok(),
            hindrances: Vec::new(),
        };
        if status.running == 0 && status.queued == 0 {
            status.hindrances = self.hindrances(&status);
        }
        status
    }

    fn hindrances(&self, status: &Status) -> Vec<Hindrance> {
        if !self.0.config.provide {
            return vec![Hindrance::NotProviding];
        }
        let mut found = Vec::new();
        match &status.network {
            None => found.push(Hindrance::Down),
            Some(network) => {
                if network.connected.is_empty() {
                    found.push(Hindrance::Alone);
                }
                if let Reachability::Private { why } = &network.reachability
                    && network.relays.is_empty()
                {
                    found.push(Hindrance::Unreachable(why.clone()));
                }
            }
        }
        found.extend(status.ledger_away.clone().map(Hindrance::Ledger));
        match &status.offer {
            None => found.push(Hindrance::NoOffer),
            Some(offer) if offer.free == 0 => found.push(Hindrance::Full),
            Some(offer) => found.extend(self.price(offer)),
        }
        if found.is_empty() {
            found.push(match status.executed + status.aborted {
                0 => Hindrance::NoDemand,
                _ => Hindrance::Quiet,
            });
        }
        found
    }

    fn price(&self, own: &Offer) -> Option<Hindrance> {
        let others = self.0.market.known();
        let cheaper = |offer: &&Offer| offer.ask.per_gfuel < own.ask.per_gfuel;
        let cheaper = others.iter().filter(cheaper).count();
        let all = others.len();
        (all > 0 && 2 * cheaper > all).then_some(Hindrance::Price { cheaper, all })
    }

    /// The offers of others that have not ended.
    pub fn offers(&self) -> Vec<Offer> {
        self.0.market.known()
    }

    /// What the account has.
    ///
    /// # Errors
    /// [`LedgerAway`].
    pub async fn balance(&self) -> Result<AccountState, LedgerAway> {
        self.0.wallet.state().await
    }

    /// The newest events that moved the account's money, before that sequence number, the newest
    /// first: at most 256.
    ///
    /// # Errors
    /// [`LedgerAway`].
    pub async fn history(&self, before: u64, limit: u32) -> Result<Vec<Event>, LedgerAway> {
        self.0.wallet.history(before, limit).await
    }
}
