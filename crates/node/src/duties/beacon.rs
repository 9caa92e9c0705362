//! Takes part in the rounds of random numbers, beside everything else: whoever has committed and is late with the reveal
//! loses a penalty.

use opensky_ledger::{Chain, ChainAway, Part};
use opensky_protocol::{Account, Digest, ledger::OnChain};

use super::{rounds::Rounds, words::Words};

/// The task.
pub(super) struct Beacon {
    pub chain: Chain,
    pub words: Words,
    pub operator: Account,
    pub rounds: Rounds,
}

impl Beacon {
    /// Runs until the node ends.
    pub async fn keep(mut self) {
        let mut changes = self.chain.changes();
        while changes.next().await.is_some() {
            if let Err(away) = self.look().await {
                tracing::debug!(%away, "the chain does not say whether it makes random numbers");
            }
        }
    }

    async fn look(&mut self) -> Result<(), ChainAway> {
        let call = match self.chain.part(&self.operator).await? {
            Some(Part::Commit { round }) => self.commit(round).await,
            Some(Part::Reveal { round, commitment }) => self.reveal(round, commitment).await,
            None => None,
        };
        if let Some(call) = call {
            self.words.say(call);
        }
        Ok(())
    }

    async fn commit(&mut self, round: u64) -> Option<OnChain> {
        let commits = self.rounds.commit(round).await;
        commits
            .inspect_err(|error| tracing::warn!(%error, round, "no random number is committed to"))
            .ok()
    }

    async fn reveal(&mut self, round: u64, commitment: Digest) -> Option<OnChain> {
        let reveals = self.rounds.reveal(round, commitment).await;
        if reveals.is_none() {
            tracing::warn!(round, "a random number is not this node's to reveal");
        }
        reveals
    }
}
