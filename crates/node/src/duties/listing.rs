//! What a chain knows of this node's operator: what it offers, and which programs it keeps at hand.

use std::time::Duration;

use opensky_ledger::{Chain, ChainAway};
use opensky_protocol::{
    Account,
    ledger::{LedgerReply, LedgerRequest, Offered, OnChain},
};
use tokio::time::Instant;

use super::words::Words;
use crate::{clock::Clock, config::Config, keepsake::Keepsakes, machine};

/// How often it is looked whether the chain knows it.
const LOOK: Duration = Duration::from_secs(30);
/// For how long a program is said to be kept at hand, and how much of that is left when it is said again: half a year, and
/// a month.
const TERM: u64 = 180 * DAY;
const AGAIN: u64 = 30 * DAY;
const DAY: u64 = 86_400_000;
/// Programs of which that is said: as many as a chain takes of one operator.
const PROGRAMS: usize = 64;
/// Fuel that one unit may use: about an hour of a core.
const FUEL: u64 = 4_000_000_000_000;

/// What the task works with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Listing {
    pub chain: Chain,
    pub words: Words,
    pub keepsakes: Keepsakes,
    pub operator: Account,
    pub offer: Offered,
    pub clock: Clock,
}

/// What a node offers: its prices, its memory for one unit, and an hour of one core.
pub(super) fn offer(config: &Config) -> Offered {
    Offered {
        ask: config.price.into(),
        memory: machine::memory_of_request(config),
        fuel: FUEL,
    }
}

impl Listing {
    /// Runs until the node ends.
    pub async fn keep(self) {
        let mut changes = self.chain.changes();
        let mut looked = None::<Instant>;
        let mut bond = None;
        while changes.next().await.is_some() {
            if looked.is_some_and(|last| last.elapsed() < LOOK) {
                continue;
            }
            looked = Some(Instant::now());
            if let Err(away) = self.look(&mut bond).await {
                tracing::debug!(%away, "the chain does not say what it knows of this node");
            }
        }
    }

    async fn look(&self, known: &mut Option<u128>) -> Result<(), ChainAway> {
        let account = LedgerRequest::Account(self.operator);
        let LedgerReply::Account(account) = self.chain.ask(account).await? else {
            return Ok(());
        };
        let bond = account.operator.bond;
        // Whoever had too little for a place may have enough now.
        if known.replace(bond) != Some(bond) {
            self.words.forgive();
        }
        // Without a bond nobody is believed.
        let offer = (bond > 0).then_some(self.offer);
        if self.chain.offered(&self.operator).await? != offer {
            self.words.say(OnChain::SetOffer(offer));
        }
        if offer.is_some() {
            self.pin().await?;
        }
        Ok(())
    }

    async fn pin(&self) -> Result<(), ChainAway> {
        let now = self.clock.now();
        for program in self.keepsakes.pinned().into_iter().take(PROGRAMS) {
            let until = self.chain.pinned(&self.operator, &program).await?;
            if until.is_none_or(|until| until < now + AGAIN) {
                let until = now + TERM;
                self.words.say(OnChain::Pin { program, until });
            }
        }
        Ok(())
    }
}
