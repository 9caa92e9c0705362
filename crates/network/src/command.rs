//! What the handles ask of the task that owns the swarm.

use opensky_protocol::{Digest, NodeKey};
use tokio::sync::oneshot;

use crate::{
    error::{AnnounceError, FindError},
    status::Status,
    streams::Open,
};

/// One wish. Its reply is dropped if the network is shut down meanwhile.
#[derive(Debug)]
pub enum Command {
    Open {
        to: NodeKey,
        open: Open,
    },
    Announce {
        bytes: Vec<u8>,
        reply: oneshot::Sender<Result<(), AnnounceError>>,
    },
    Find {
        find: Find,
        reply: oneshot::Sender<Result<Found, FindError>>,
    },
    Unprovide {
        digest: Digest,
    },
    Status {
        reply: oneshot::Sender<Status>,
    },
    Shutdown,
}

/// A wish to the table of peers.
#[derive(Debug)]
pub enum Find {
    Provide(Digest),
    Providers(Digest),
    Put(Digest, Vec<u8>),
    Get(Digest),
}

/// What the table of peers has.
#[derive(Debug, Default)]
pub struct Found {
    pub peers: Vec<NodeKey>,
    pub records: Vec<Vec<u8>>,
}
