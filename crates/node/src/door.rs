//! Answers what other nodes ask: decodes it within limits, checks its signatures, and hands it on.

use std::{sync::Arc, time::Duration};

use opensky_core::{Checked, Event};
use opensky_network::{Inbound, Inbox, Reply as Place};
use opensky_protocol::{
    Aside, Digest, Message, NodeKey, Reply, Request, codec, ledger::LedgerRequest,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    asides::{Asides, Shown},
    deployments::{Deployments, Heard as Known},
    depot::Depot,
    drive::Wishes,
    ledger::{Books, Turnstile},
    market::Market,
    metrics::Metrics,
    pins::Pins,
    tasks::Tasks,
};

/// Messages that are decoded and checked at once: each keeps a core busy.
const CHECKS: usize = 2;
/// A message longer than this is one of few: decoding it takes many times its length.
const LONG: usize = 256 << 10;
/// Blobs that are asked about at once.
const MOST_ASKED: usize = 4_096;
/// What is not answered by then is given up: the network gives its place to others soon after.
const ANSWER: Duration = Duration::from_secs(25);

/// What stands behind the door.
pub(crate) struct Rooms {
    pub depot: Depot,
    /// The programs of others, on a node that keeps any.
    pub pins: Option<Pins>,
    pub market: Market,
    pub deployments: Deployments,
    pub asides: Asides,
    /// The core, to be asked what it waits for.
    pub wishes: Wishes,
    /// The ledger, if this node keeps it.
    pub books: Option<Books>,
    /// Where messages for the core go. If it is full others have to wait.
    pub events: mpsc::Sender<Event>,
    pub metrics: Metrics,
    pub tasks: Tasks,
}

/// Where other nodes are answered.
pub(crate) struct Door {
    rooms: Rooms,
    checks: Arc<Semaphore>,
    long: Arc<Semaphore>,
    turnstile: Turnstile,
}

/// Why a message was not taken.
enum Unfit {
    Busy,
    Bad,
}

impl Door {
    /// A door to these rooms.
    pub fn new(rooms: Rooms) -> Arc<Self> {
        Arc::new(Self {
            rooms,
            checks: Arc::new(Semaphore::new(CHECKS)),
            long: Arc::new(Semaphore::new(1)),
            turnstile: Turnstile::default(),
        })
    }

    /// Answers until the network is down. How many are answered at once the network bounds, as no
    /// answer takes longer than it waits.
    pub async fn serve(self: Arc<Self>, mut inbox: Inbox) {
        while let Some(inbound) = inbox.next().await {
            match inbound {
                Inbound::Request { from, bytes, reply } => {
                    self.rooms
                        .tasks
                        .spawn(self.clone().answer(from, bytes, reply));
                }
                Inbound::Announcement {
                    via,
                    author,
                    bytes,
                    verdict,
                } => self.rooms.market.announced(via, author, &bytes, verdict),
                Inbound::Record {
                    from,
                    key,
                    bytes,
                    verdict,
                } => match self.rooms.deployments.learn_bytes(from, &key, &bytes) {
                    Known::Newest => verdict.accept(),
                    // The newer one stays where it is.
                    Known::Old => verdict.ignore(),
                    Known::Unsound => verdict.reject(),
                },
                Inbound::Connected(node) => self.rooms.market.ask(node),
                Inbound::Disconnected(node) => tracing::debug!(%node, "disconnected"),
            }
        }
    }

    async fn answer(self: Arc<Self>, from: NodeKey, bytes: Vec<u8>, place: Place) {
        let reply = timeout(ANSWER, self.consider(from, bytes)).await;
        let reply = reply.unwrap_or(Reply::Busy);
        if matches!(reply, Reply::Busy) {
            self.rooms.metrics.turned_away.inc();
        }
        place.send(codec::encode(&reply));
    }

    async fn consider(&self, from: NodeKey, bytes: Vec<u8>) -> Reply {
        match self.decode(from, bytes).await {
            Ok(Heard::Message(message)) => self.pass_on(from, message),
            Ok(Heard::Reveal(message, shown, asides)) => {
                let rooms = &self.rooms;
                rooms.asides.hear(shown, asides, &rooms.wishes).await;
                self.pass_on(from, message)
            }
            Ok(Heard::Other(request)) => self.reply(from, request).await,
            Err(Unfit::Busy) => Reply::Busy,
            Err(Unfit::Bad) => {
                self.rooms.metrics.unsound.inc();
                tracing::debug!(%from, "a request is unsound");
                Reply::Refused
            }
        }
    }

    async fn decode(&self, from: NodeKey, bytes: Vec<u8>) -> Result<Heard, Unfit> {
        let room = match bytes.len() > LONG {
            true => self.long.clone(),
            false => self.checks.clone(),
        };
        let _room = room.acquire_owned().await.map_err(|_| Unfit::Busy)?;
        let check = move || match codec::decode(&bytes).map_err(|_| Unfit::Bad)? {
            Request::Message(message) => checked(from, message).map(Heard::Message),
            Request::Reveal { reveals, asides } => {
                let together: usize = asides.iter().map(Aside::size).sum();
                if asides.len() > reveals.len() || together > Aside::MAX_TOGETHER {
                    return Err(Unfit::Bad);
                }
                let message = checked(from, Message::Reveal(reveals))?;
                // What is said beside a false result may be in another node's name.
                let shown = message.results().iter().map(Shown::from).collect();
                Ok(Heard::Reveal(message, shown, asides))
            }
            request => Ok(Heard::Other(request)),
        };
        spawn_blocking(check).await.unwrap_or(Err(Unfit::Busy))
    }

    fn pass_on(&self, from: NodeKey, message: Checked) -> Reply {
        self.rooms.metrics.received.inc();
        let count = message.count_false();
        if count > 0 {
            self.rooms.metrics.unsound.inc();
            tracing::debug!(%from, count, "results that cannot be true");
        }
        match self
            .rooms
            .events
            .try_send(Event::Received { from, message })
        {
            Ok(()) => Reply::Heard,
            Err(_) => Reply::Busy,
        }
    }

    async fn reply(&self, from: NodeKey, request: Request) -> Reply {
        match request {
            Request::Message(_) | Request::Reveal { .. } => Reply::Refused,
            Request::Offers => Reply::Offers(self.rooms.market.told()),
            Request::OffersOf(nodes) => match self.rooms.market.told_of(&nodes) {
                Some(offers) => Reply::Offers(offers),
                None => Reply::Refused,
            },
            Request::Has(blobs) if blobs.len() <= MOST_ASKED => self.has(blobs).await,
            Request::Has(_) => Reply::Refused,
            Request::Pin { blob, len, sources } => match &self.rooms.pins {
                Some(pins) => pins.pin(from, blob, len, sources).await,
                None => Reply::Refused,
            },
            Request::Deployment(id) => {
                Reply::Deployment(self.rooms.deployments.find(&id).map(Box::new))
            }
            Request::Deploy(record) => match self.rooms.deployments.learn(from, *record) {
                Known::Newest => Reply::Heard,
                Known::Old | Known::Unsound => Reply::Refused,
            },
            Request::Ledger(request) => self.ask_ledger(from, *request).await,
        }
    }

    async fn ask_ledger(&self, from: NodeKey, question: LedgerRequest) -> Reply {
        let Some(books) = &self.rooms.books else {
            return Reply::Refused;
        };
        let Some(_pass) = self.turnstile.pass(from, &question).await else {
            return Reply::Busy;
        };
        match books.ask(question).await {
            Ok(reply) => Reply::Ledger(Box::new(reply)),
            Err(_) => Reply::Busy,
        }
    }

    async fn has(&self, blobs: Vec<Digest>) -> Reply {
        let store = self.rooms.depot.store().clone();
        // Looking for files blocks.
        let look = move || blobs.iter().map(|blob| store.has(blob)).collect();
        spawn_blocking(look).await.map_or(Reply::Busy, Reply::Has)
    }
}

/// A request that is decoded, and believed if it is a message.
enum Heard {
    Message(Checked),
    /// Results, and what goes with them.
    Reveal(Checked, Vec<Shown>, Vec<Aside>),
    Other(Request),
}

fn checked(from: NodeKey, message: Message) -> Result<Checked, Unfit> {
    Checked::verify(from, message).map_err(|_| Unfit::Bad)
}
