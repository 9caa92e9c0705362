//! What a chain wants of this node's operator: it runs the requests of whose committees it is, promises what came of
//! each, and shows it when all have promised; and it helps to make the random numbers by which committees are drawn.
//!
//! What is to be done is read from the chain after each block. What came of a run is on the disk before it is promised, and
//! so is what a secret for the random numbers follows from, beside the node's own.

mod beacon;
mod listing;
mod rounds;
mod runs;
mod seats;
mod secrets;
mod shelf;
mod words;

use std::sync::Arc;

use opensky_core::{Event, Identity};
use opensky_ledger::Chain;
use opensky_network::Network;
use opensky_storage::{Rows, RowsError};
use tokio::sync::mpsc;

use self::{
    beacon::Beacon, listing::Listing, rounds::Rounds, runs::Runs, seats::Seats, secrets::Secrets,
    shelf::Shelf, words::Words,
};
use crate::{
    clock::Clock,
    config::Config,
    depot::Depot,
    keepsake::Keepsakes,
    ledger::{Books, Teller},
    pins::Pins,
    tasks::Tasks,
    workshop::Workshop,
};

/// What the tasks work with.
pub(crate) struct Tools<'a> {
    pub config: &'a Config,
    pub chain: Chain,
    pub teller: Teller,
    pub network: Network,
    pub rows: Arc<Rows>,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    pub pins: Pins,
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

/// The tasks.
pub(crate) struct Duties {
    beacon: Beacon,
    listing: Listing,
    seats: Seats,
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
        let beacon = Beacon {
            chain: tools.chain.clone(),
            words: words.clone(),
            operator,
            rounds: Rounds::load(tools.rows.clone(), secrets, operator)?,
        };
        let listing = Listing {
            chain: tools.chain.clone(),
            words: words.clone(),
            pins: tools.pins,
            operator,
            offer: listing::offer(tools.config),
            clock: tools.clock.clone(),
        };
        let shelf = Shelf::load(tools.rows, tools.depot.store().clone())?;
        let runs = Runs::new(runs::Tools {
            chain: tools.chain.clone(),
            network: tools.network,
            depot: tools.depot,
            keepsakes: tools.keepsakes.clone(),
            workshop: tools.workshop,
            node: tools.who.node,
            tasks: tools.tasks.clone(),
        });
        let seats = Seats {
            chain: tools.chain,
            operator,
            keepsakes: tools.keepsakes,
            events: tools.events,
            runs,
            shelf,
            words,
            secrets,
            clock: tools.clock,
            tasks: tools.tasks.clone(),
        };
        Ok(Self {
            beacon,
            listing,
            seats,
            tasks: tools.tasks,
        })
    }

    /// Runs until the node ends. None of them waits for another: what a chain has to say about many requests may take long.
    pub async fn watch(self) {
        self.tasks.spawn(self.beacon.keep());
        self.tasks.spawn(self.listing.keep());
        self.seats.keep().await;
    }
}
