//! Serves the streams that strangers open: one task for each, all of them ended with the swarm.

use std::sync::Arc;

use opensky_protocol::NodeKey;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    blob::{self, Pace, Shelf},
    config::Limits,
    control,
    inbound::{Inbound, Judged, Judgement, Subject},
    streams::{Incoming, Kind},
};

/// Runs until no connection is left that could bring a stream, then ends what is being served.
/// The number of tasks is bounded by the slots that streams hold.
pub async fn run(
    mut incoming: mpsc::Receiver<Incoming>,
    limits: Limits,
    inbox: mpsc::Sender<Inbound>,
    court: mpsc::Sender<Judged>,
    shelf: Shelf,
) {
    let pace = Arc::new(Pace::new(limits.blob_bytes_per_second));
    let (limits, shelf) = (Arc::new(limits), Arc::new(shelf));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            stream = incoming.recv() => {
                let Some(stream) = stream else { break };
                let (limits, inbox, shelf) = (limits.clone(), inbox.clone(), shelf.clone());
                let (court, pace) = (court.clone(), pace.clone());
                tasks.spawn(async move {
                    match stream.kind {
                        Kind::Control => {
                            let from = stream.from;
                            if control::serve(stream, &limits, &inbox).await.is_err() {
                                accuse(from, &court);
                            }
                        }
                        Kind::Blob => blob::serve(stream, &limits, &shelf, &pace).await,
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

fn accuse(peer: NodeKey, court: &mpsc::Sender<Judged>) {
    // Who finds the court full is accused again, the next time.
    let _ = court.try_send(Judged {
        subject: Subject::Peer(peer),
        judgement: Judgement::Reject,
    });
}
