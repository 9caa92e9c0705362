//! Serves the streams that strangers open: one task for each, all of them ended with the swarm.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    blob::{self, Shelf},
    config::Limits,
    control,
    inbound::Inbound,
    streams::{Incoming, Kind},
};

/// Runs until no connection is left that could bring a stream, then ends what is being served.
/// The number of tasks is bounded by the slots that streams hold.
pub async fn run(
    mut incoming: mpsc::Receiver<Incoming>,
    limits: Limits,
    inbox: mpsc::Sender<Inbound>,
    shelf: Shelf,
) {
    let (limits, shelf) = (Arc::new(limits), Arc::new(shelf));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            stream = incoming.recv() => {
                let Some(stream) = stream else { break };
                let (limits, inbox, shelf) = (limits.clone(), inbox.clone(), shelf.clone());
                tasks.spawn(async move {
                    match stream.kind {
                        Kind::Control => control::serve(stream, &limits, &inbox).await,
                        Kind::Blob => blob::serve(stream, &limits, &shelf).await,
                    }
                });
            }
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "serving a stream failed");
                }
            }
        }
    }
    tasks.shutdown().await;
}
