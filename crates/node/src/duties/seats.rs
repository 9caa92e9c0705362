//! The seats in committees: what is asked is run, promised and shown, and what that took is let go when nobody needs it.

use std::collections::BTreeSet;

use opensky_core::Event;
use opensky_ledger::{Chain, ChainAway, Duty};
use opensky_protocol::{Account, Digest, Turn, ledger::OnChain};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    runs::Runs,
    secrets::Secrets,
    shelf::{Kept, Shelf},
    words::Words,
};
use crate::{
    clock::Clock,
    keepsake::{For, Keepsakes},
    tasks::Tasks,
};

/// The task.
pub(super) struct Seats {
    pub chain: Chain,
    pub operator: Account,
    pub keepsakes: Keepsakes,
    /// What came of runs.
    pub events: mpsc::Receiver<Event>,
    pub runs: Runs,
    pub shelf: Shelf,
    pub words: Words,
    pub secrets: Secrets,
    pub clock: Clock,
    pub tasks: Tasks,
}

impl Seats {
    /// Runs until the node ends.
    pub async fn keep(mut self) {
        let mut changes = self.chain.changes();
        loop {
            tokio::select! {
                changed = changes.next() => if changed.is_none() { return },
                event = self.events.recv() => match event {
                    Some(event) => self.note(event).await,
                    None => return,
                },
            }
            if let Err(away) = self.look().await {
                tracing::debug!(%away, "the chain does not say what it wants");
            }
        }
    }

    async fn note(&mut self, event: Event) {
        let Some((turn, done)) = self.runs.end(event) else {
            return;
        };
        if let Err(error) = self.shelf.put(turn, done).await {
            // Nothing is promised that could be lost.
            tracing::warn!(%error, "what came of a request was not written down");
            self.runs.again(turn);
        }
    }

    async fn look(&mut self) -> Result<(), ChainAway> {
        let duties = self.chain.duties(&self.operator).await?;
        let wanted = duties.iter().map(Duty::turn).collect();
        for duty in duties {
            if let Some(call) = self.answer(duty) {
                self.words.say(call);
            }
        }
        self.forget(&wanted);
        Ok(())
    }

    /// What is to be said, if it can be said already.
    fn answer(&self, duty: Duty) -> Option<OnChain> {
        let (seat, say): (_, fn(&Secrets, &Turn, &Kept) -> OnChain) = match duty {
            Duty::Promise(seat) => (seat, Secrets::promise),
            Duty::Show(seat) => (seat, Secrets::show),
            Duty::Keep(_) => return None,
        };
        match self.shelf.of(&seat.turn) {
            Some(kept) => Some(say(&self.secrets, &seat.turn, kept)),
            None => {
                self.runs.begin(seat);
                None
            }
        }
    }

    /// Lets go of all but those turns.
    fn forget(&mut self, wanted: &BTreeSet<Turn>) {
        self.runs.keep_only(wanted);
        let fetched = match self.shelf.keep_only(wanted, self.clock.now()) {
            Ok(fetched) => fetched,
            Err(error) => return tracing::warn!(%error, "what came of requests is not let go"),
        };
        let gone = idle(self.keepsakes.requests(), wanted, &fetched);
        if gone.is_empty() {
            return;
        }
        let keepsakes = self.keepsakes.clone();
        // Removing files blocks.
        let drop_all = move || {
            for reason in gone {
                if let Err(error) = keepsakes.drop_for(&reason) {
                    tracing::warn!(%error, "what a request needed is not let go");
                }
            }
        };
        self.tasks.spawn(async move {
            // One that panicked has said so.
            let _ = spawn_blocking(drop_all).await;
        });
    }
}

/// Of what is kept for requests, what nobody needs: of those that are over only results are fetched.
fn idle(mut kept: Vec<For>, wanted: &BTreeSet<Turn>, fetched: &BTreeSet<Turn>) -> Vec<For> {
    let requests = |turns: &BTreeSet<Turn>| -> BTreeSet<Digest> {
        turns.iter().map(|turn| turn.job).collect()
    };
    let (wanted, fetched) = (requests(wanted), requests(fetched));
    kept.retain(|reason| match reason {
        For::Request(request) => !wanted.contains(request),
        For::Result(request) => !wanted.contains(request) && !fetched.contains(request),
        _ => false,
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_took_goes_with_its_request_and_what_it_gave_later() {
        let turns = [1, 2, 3].map(|request| Turn {
            job: Digest([request; 32]),
            unit: Digest([9; 32]),
            attempt: 0,
        });
        let kept = turns.map(|turn| [For::Request(turn.job), For::Result(turn.job)]);
        let [wanted, fetched, _] = turns.map(|turn| BTreeSet::from([turn]));
        let idle = |wanted, fetched| idle(kept.concat(), wanted, fetched);
        let [_, [took, _], both] = kept;
        assert_eq!(idle(&wanted, &fetched), [&[took], &both[..]].concat());
        assert_eq!(idle(&turns.into(), &BTreeSet::new()), []);
    }
}
