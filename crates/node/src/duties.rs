//! What a chain wants of this node's operator: it runs the requests of whose committees it is, promises what came of
//! each, and shows it when all have promised; and it helps to make the random numbers by which committees are drawn.
//!
//! What is to be done is read from the chain after each block. What came of a run is on the disk before it is promised, and
//! so is what a secret for the random numbers follows from, beside the node's own.

mod listing;
mod rounds;
mod runs;
mod secrets;
mod shelf;
mod words;

use std::{collections::BTreeSet, sync::Arc};

use opensky_core::{Event, Identity};
use opensky_ledger::{Chain, ChainAway, Duty};
use opensky_network::Network;
use opensky_protocol::{Account, Digest, Turn, ledger::OnChain};
use opensky_storage::{Rows, RowsError};
use tokio::{sync::mpsc, task::spawn_blocking};

use self::{
    listing::Listing,
    rounds::Rounds,
    runs::Runs,
    secrets::Secrets,
    shelf::{Kept, Shelf},
    words::Words,
};
use crate::{
    clock::Clock,
    config::Config,
    depot::Depot,
    keepsake::{For, Keepsakes},
    ledger::{Books, Teller},
    tasks::Tasks,
    workshop::Workshop,
};

/// What the task works with.
pub(crate) struct Tools<'a> {
    pub config: &'a Config,
    pub chain: Chain,
    pub teller: Teller,
    pub network: Network,
    pub rows: Arc<Rows>,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    /// For these runs alone.
    pub workshop: Workshop,
    /// What came of them.
    pub events: mpsc::Receiver<Event>,
    pub who: Identity,
    /// What secrets are made from.
    pub secret: [u8; 32],
    pub clock: Clock,
    pub tasks: Tasks,
}

/// The task.
pub(crate) struct Duties {
    chain: Chain,
    keepsakes: Keepsakes,
    events: mpsc::Receiver<Event>,
    listing: Listing,
    runs: Runs,
    shelf: Shelf,
    words: Words,
    operator: Account,
    secrets: Secrets,
    rounds: Rounds,
    clock: Clock,
    tasks: Tasks,
}

impl Duties {
    /// Takes up what was run before.
    pub fn load(tools: Tools<'_>) -> Result<Self, RowsError> {
        let books = Books::Chain(tools.chain.clone());
        let words = Words::new(books, tools.teller, tools.tasks.clone());
        let operator = tools.who.operator;
        let secrets = Secrets {
            own: tools.secret,
            node: tools.who.node,
            ledger: tools.who.ledger,
        };
        Ok(Self {
            operator,
            secrets,
            rounds: Rounds::load(tools.rows.clone(), secrets, operator)?,
            shelf: Shelf::load(tools.rows, tools.depot.store().clone())?,
            listing: Listing {
                chain: tools.chain.clone(),
                words: words.clone(),
                keepsakes: tools.keepsakes.clone(),
                operator,
                offer: listing::offer(tools.config),
                clock: tools.clock.clone(),
            },
            runs: Runs::new(runs::Tools {
                network: tools.network,
                depot: tools.depot,
                keepsakes: tools.keepsakes.clone(),
                workshop: tools.workshop,
                node: tools.who.node,
                tasks: tools.tasks.clone(),
            }),
            chain: tools.chain,
            keepsakes: tools.keepsakes,
            events: tools.events,
            words,
            clock: tools.clock,
            tasks: tools.tasks,
        })
    }

    /// Runs until the node ends.
    pub async fn watch(mut self) {
        self.tasks.spawn(self.listing.clone().keep());
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
        let wanted = duties.iter().filter_map(Duty::turn).collect();
        for duty in duties {
            if let Some(call) = self.answer(duty).await {
                self.words.say(call);
            }
        }
        self.forget(&wanted);
        Ok(())
    }

    /// What is to be said, if it can be said already.
    async fn answer(&mut self, duty: Duty) -> Option<OnChain> {
        let (seat, say): (_, fn(&Secrets, &Turn, &Kept) -> OnChain) = match duty {
            Duty::Commit(round) => return self.commit(round).await,
            Duty::Reveal { round, commitment } => return self.reveal(round, commitment).await,
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

    async fn commit(&mut self, round: u64) -> Option<OnChain> {
        let commits = self.rounds.commit(round).await;
        commits
            .inspect_err(|error| tracing::warn!(%error, round, "no random number is committed to"))
            .ok()
    }

    async fn reveal(&mut self, round: u64, commitment: Digest) -> Option<OnChain> {
        match self.rounds.reveal(round, commitment).await {
            Ok(Some(reveal)) => return Some(reveal),
            Ok(None) => tracing::warn!(round, "a random number is not this node's to reveal"),
            Err(error) => tracing::warn!(%error, round, "no random number is revealed"),
        }
        None
    }

    /// Lets go of all but those turns.
    fn forget(&mut self, wanted: &BTreeSet<Turn>) {
        self.runs.keep_only(wanted);
        let fetched = match self.shelf.keep_only(wanted, self.clock.now()) {
            Ok(fetched) => fetched,
            Err(error) => return tracing::warn!(%error, "what came of requests is not let go"),
        };
        let needed: BTreeSet<Digest> = wanted.union(&fetched).map(|turn| turn.job).collect();
        let kept = self.keepsakes.requests().into_iter();
        let gone: Vec<Digest> = kept.filter(|request| !needed.contains(request)).collect();
        if gone.is_empty() {
            return;
        }
        let keepsakes = self.keepsakes.clone();
        // Removing files blocks.
        let drop_all = move || {
            for request in gone {
                if let Err(error) = keepsakes.drop_for(&For::Request(request)) {
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
