//! The handle to a running node.

use std::sync::{Arc, Mutex, PoisonError};

use opensky_protocol::{Digest, NodeKey};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tracing::Instrument;

use crate::{
    blob::{self, Blobs, Fetched, Shelf, Sink},
    command::{Command, Find, Found},
    config::{Config, Limits},
    control,
    dialer::Dialer,
    driver::{Channels, Driver},
    error::{AnnounceError, AskError, FetchError, FindError, StartError},
    inbound::Inbox,
    porter,
    records::RECORD_BYTES,
    status::Status,
    streams::{Kind, OpenError},
};

/// Wishes that wait for the swarm's owner.
const COMMANDS: usize = 256;
/// Things that wait for whoever takes from the inbox.
const INBOX: usize = 1024;
/// Streams that wait to be served: more than this many at once are refused.
const INCOMING: usize = 256;

/// A handle to a running node. Clones are handles to the same node, which ends with the last of them
/// or with [`Network::shutdown`]. Every future may be dropped; what was sent before is sent.
#[derive(Clone, Debug)]
pub struct Network {
    commands: mpsc::Sender<Command>,
    dialer: Dialer,
    limits: Arc<Limits>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Network {
    /// Starts the node whose key is made of `seed`, and returns once it listens. What others ask
    /// comes out of the inbox; `blobs` are served without it.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing runs then.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and IO.
    pub async fn start(
        config: Config,
        seed: &[u8; 32],
        blobs: Arc<dyn Blobs>,
    ) -> Result<(Self, Inbox), StartError> {
        let (commands, obeyed) = mpsc::channel(COMMANDS);
        let (inbox, inbound) = mpsc::channel(INBOX);
        let (incoming, streams) = mpsc::channel(INCOMING);
        let (court, judged) = mpsc::channel(INBOX);
        let channels = Channels {
            commands: obeyed,
            inbox: inbox.clone(),
            incoming,
            court: court.clone(),
            judged,
        };
        let mut driver = Driver::new(&config, seed, channels)?;
        driver.listen(&config.listen).await?;
        let limits = config.limits;
        let porter = porter::run(streams, limits.clone(), inbox, court, Shelf::new(blobs));
        let tasks = vec![
            tokio::spawn(driver.run().instrument(tracing::info_span!("swarm"))),
            tokio::spawn(porter.instrument(tracing::info_span!("streams"))),
        ];
        let network = Self {
            dialer: Dialer::new(commands.clone(), &limits),
            commands,
            limits: Arc::new(limits),
            tasks: Arc::new(Mutex::new(tasks)),
        };
        Ok((network, Inbox::new(inbound)))
    }

    /// Sends a request and returns the reply. Finds and dials the peer if it is not connected, and
    /// waits while as many requests as the peer takes are on their way.
    ///
    /// # Errors
    /// See [`AskError`]. None of them says whether the peer acted on the request.
    pub async fn ask(&self, to: NodeKey, request: Vec<u8>) -> Result<Vec<u8>, AskError> {
        let limit = self.limits.message_bytes;
        if request.len() > limit {
            return Err(AskError::TooLong {
                length: request.len(),
                limit,
            });
        }
        let exchange = async {
            let opened = self.dialer.open(to, Kind::Control).await;
            let mut opened = opened.map_err(|error| self.ask_error(to, error))?;
            control::ask(to, &mut opened.stream, &request, limit).await
        };
        let reply = timeout(self.limits.ask_time, exchange).await;
        reply.unwrap_or(Err(AskError::Timeout { peer: to }))
    }

    fn ask_error(&self, peer: NodeKey, error: OpenError) -> AskError {
        match error {
            _ if self.commands.is_closed() => AskError::Down,
            OpenError::Unreachable => AskError::Unreachable { peer },
            OpenError::Foreign | OpenError::Lost => AskError::NoReply { peer },
            OpenError::Busy => AskError::Busy { peer },
        }
    }

    /// Tells everybody. At most 1 KiB: a digest of what can be asked for, and what helps to decide
    /// whether to. Nobody says who heard it.
    ///
    /// # Errors
    /// See [`AnnounceError`].
    pub async fn announce(&self, bytes: Vec<u8>) -> Result<(), AnnounceError> {
        let (reply, sent) = oneshot::channel();
        let command = Command::Announce { bytes, reply };
        let obeyed = self.commands.send(command).await;
        obeyed.map_err(|_| AnnounceError::Down)?;
        sent.await.unwrap_or(Err(AnnounceError::Down))
    }

    /// Fetches a blob of at most `limit` bytes from `sources`, all at once, into `sink`. Every byte is
    /// verified before the sink gets it. Dropping the future ends the fetch; a later one with the
    /// same sink goes on where it ended.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        digest: Digest,
        sources: &[NodeKey],
        sink: &mut dyn Sink,
        limit: u64,
    ) -> Result<Fetched, FetchError> {
        let stall = self.limits.stall_time;
        blob::fetch(&self.dialer, stall, digest, sources, sink, limit).await
    }

    /// Tells the table of peers that this node has a blob, now and again until
    /// [`Network::unprovide`]. Returns once the nearest peers have been told.
    ///
    /// # Errors
    /// See [`FindError`].
    pub async fn provide(&self, digest: Digest) -> Result<(), FindError> {
        self.find(Find::Provide(digest)).await.map(drop)
    }

    /// No longer tells that this node has a blob. What others were told is forgotten in time.
    pub async fn unprovide(&self, digest: Digest) {
        // A network that is shut down tells nobody anything.
        let _ = self.commands.send(Command::Unprovide { digest }).await;
    }

    /// Who says it has a blob: at most 64, in no order.
    ///
    /// # Errors
    /// See [`FindError`].
    pub async fn providers(&self, digest: Digest) -> Result<Vec<NodeKey>, FindError> {
        Ok(self.find(Find::Providers(digest)).await?.peers)
    }

    /// Keeps a record of at most 8 KiB here, and asks the peers nearest to its key to keep it too, now
    /// and again for as long as this node runs. They decide for themselves.
    ///
    /// # Errors
    /// See [`FindError`].
    pub async fn put_record(&self, key: Digest, bytes: Vec<u8>) -> Result<(), FindError> {
        if bytes.len() > RECORD_BYTES {
            return Err(FindError::TooLong {
                length: bytes.len(),
                limit: RECORD_BYTES,
            });
        }
        self.find(Find::Put(key, bytes)).await.map(drop)
    }

    /// The different records under `key` that peers have: at most 16. Anyone may have made them; the
    /// caller checks signatures and takes the newest.
    ///
    /// # Errors
    /// See [`FindError`].
    pub async fn records(&self, key: Digest) -> Result<Vec<Vec<u8>>, FindError> {
        Ok(self.find(Find::Get(key)).await?.records)
    }

    async fn find(&self, find: Find) -> Result<Found, FindError> {
        let (reply, found) = oneshot::channel();
        let command = Command::Find { find, reply };
        let obeyed = self.commands.send(command).await;
        obeyed.map_err(|_| FindError::Down)?;
        found.await.unwrap_or(Err(FindError::Down))
    }

    /// How this node stands in the network; `None` once it is shut down.
    pub async fn status(&self) -> Option<Status> {
        let (reply, status) = oneshot::channel();
        self.commands.send(Command::Status { reply }).await.ok()?;
        status.await.ok()
    }

    /// Ends the node for all its handles. Returns when none of its tasks is left.
    pub async fn shutdown(self) {
        // It may be down already.
        let _ = self.commands.send(Command::Shutdown).await;
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the network failed");
            }
        }
    }
}
