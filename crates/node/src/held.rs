//! What the ledger holds for jobs of this node, and when it comes back.

use opensky_core::JobState;
use opensky_protocol::{
    Digest,
    ledger::{Escrow, Phase, Terms},
};

use crate::{ledger::LedgerAway, node::Node};

/// Jobs that are asked about at most: each is a question to the ledger.
const LOOKED_AT: usize = 64;

/// What the ledger holds for one job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// How much it still holds.
    pub amount: u128,
    /// How much has come back.
    pub returned: u128,
    /// Units that providers have claimed by evidence, and that are not settled.
    pub claimed: u32,
    /// When the rest comes back, in Unix milliseconds: at the latest, if units are claimed by
    /// evidence. Nothing while work goes on.
    pub back: Option<u64>,
}

/// What the ledger holds for jobs that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Returning {
    /// How much, all together.
    pub amount: u128,
    /// When the next part of it comes back, in Unix milliseconds.
    pub next: Option<u64>,
}

impl Held {
    fn of(escrow: &Escrow, now: u64, terms: &Terms) -> Self {
        let last = match escrow.cases {
            0 => terms.claims,
            _ => terms.dispute_horizon(),
        };
        let is_open = escrow.phase(now, terms) == Phase::Open;
        Self {
            amount: escrow.left(),
            returned: escrow.refunded,
            claimed: escrow.cases,
            back: (!is_open && escrow.left() > 0).then(|| escrow.ends().saturating_add(last)),
        }
    }
}

impl Node {
    /// What the ledger holds for a job. Nothing if it knows no escrow of it.
    ///
    /// # Errors
    /// [`LedgerAway`].
    pub async fn held(&self, job: Digest) -> Result<Option<Held>, LedgerAway> {
        let escrow = self.0.wallet.escrow(job).await?;
        let now = self.0.clock.now();
        Ok(escrow.map(|escrow| Held::of(&escrow, now, &self.0.terms)))
    }

    /// What the ledger holds for jobs of this node that have ended: of the last ones, where they are
    /// many.
    ///
    /// # Errors
    /// [`LedgerAway`].
    pub async fn returning(&self) -> Result<Returning, LedgerAway> {
        let horizon = self.0.terms.dispute_horizon();
        let since = self.0.clock.now().saturating_sub(horizon);
        let jobs = self.jobs().await.unwrap_or_default();
        let ended = |state: &JobState| matches!(state, JobState::Over(_));
        let mut ended: Vec<_> = jobs
            .into_iter()
            .filter(|job| ended(&job.state) && job.ended.0 >= since)
            .map(|job| (job.ended, job.id))
            .collect();
        ended.sort_unstable();
        let mut sum = Returning::default();
        for (_, job) in ended.into_iter().rev().take(LOOKED_AT) {
            let Some(held) = self.held(job).await? else {
                continue;
            };
            if let Some(back) = held.back {
                sum.amount = sum.amount.saturating_add(held.amount);
                sum.next = Some(sum.next.map_or(back, |next| next.min(back)));
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Account, NodeKey};

    use super::*;

    #[test]
    fn rest_comes_back_once_nothing_can_be_claimed() {
        let terms = Terms::DEVELOPMENT;
        let mut escrow = Escrow::new(Account([1; 32]), NodeKey([1; 32]), 100, 1_000_000);
        let held = |escrow: &Escrow, now| Held::of(escrow, now, &terms);
        assert_eq!(held(&escrow, 999_999).back, None);
        escrow.closed = Some(500_000);
        escrow.paid = 30;
        let closed = held(&escrow, 500_000);
        assert_eq!(closed.back, Some(500_000 + terms.claims));
        assert_eq!((closed.amount, closed.returned), (70, 0));
        escrow.cases = 1;
        let claimed = held(&escrow, 600_000);
        assert_eq!(claimed.back, Some(500_000 + terms.dispute_horizon()));
        escrow.cases = 0;
        escrow.refund();
        let over = held(&escrow, 2_000_000);
        assert_eq!((over.amount, over.returned, over.back), (0, 70, None));
    }
}
