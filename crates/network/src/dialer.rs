//! Opens streams to peers, and no more at once than a peer with the same limits takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use libp2p::Stream;
use opensky_protocol::NodeKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    command::Command,
    config::Limits,
    streams::{Kind, Open, OpenError},
};

/// Peers that something was sent to. Past this many those with nothing on the way are forgotten.
const MOST_LANES: usize = 1024;

/// What is open to each peer, for as long as it is.
type Lanes = HashMap<(NodeKey, Kind), Weak<Semaphore>>;

/// Opens streams to peers.
#[derive(Clone, Debug)]
pub struct Dialer {
    commands: mpsc::Sender<Command>,
    lanes: Arc<Mutex<Lanes>>,
    requests: usize,
    blobs: usize,
}

/// A stream and its place in the lane.
#[derive(Debug)]
pub struct Opened {
    pub stream: Stream,
    _lane: OwnedSemaphorePermit,
}

impl Dialer {
    pub fn new(commands: mpsc::Sender<Command>, limits: &Limits) -> Self {
        Self {
            commands,
            lanes: Arc::default(),
            // Half of what the peer takes: it may notice the end of a stream later than we do.
            requests: (limits.requests_per_peer / 2).max(1),
            blobs: (limits.blob_streams_per_peer / 2).max(1),
        }
    }

    /// Opens a stream: at once to a connected peer, else the peer is looked up and dialled. Waits
    /// while as many as the peer takes are open.
    pub async fn open(&self, to: NodeKey, kind: Kind) -> Result<Opened, OpenError> {
        let lane = self.lane(to, kind).acquire_owned().await;
        let lane = lane.map_err(|_| OpenError::Lost)?;
        // A connection may end while it is asked for a stream: then the next one serves.
        let first = self.try_open(to, kind).await;
        let stream = match first {
            Err(OpenError::Lost) => self.try_open(to, kind).await?,
            first => first?,
        };
        Ok(Opened {
            stream,
            _lane: lane,
        })
    }

    async fn try_open(&self, to: NodeKey, kind: Kind) -> Result<Stream, OpenError> {
        let (reply, opened) = oneshot::channel();
        let open = Open { kind, reply };
        let command = Command::Open { to, open };
        let sent = self.commands.send(command).await;
        sent.map_err(|_| OpenError::Lost)?;
        opened.await.unwrap_or(Err(OpenError::Lost))
    }

    fn lane(&self, to: NodeKey, kind: Kind) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&(to, kind)).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= MOST_LANES {
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let width = match kind {
            Kind::Control => self.requests,
            Kind::Blob => self.blobs,
        };
        let lane = Arc::new(Semaphore::new(width));
        lanes.insert((to, kind), Arc::downgrade(&lane));
        lane
    }
}
