//! Keeps the books in a thread of its own, and hands over together what many ask at once.

use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use opensky_ledger::{Conduct, Ledger, LedgerError};
use opensky_protocol::ledger::{Genesis, LedgerReply, LedgerRequest};
use tokio::sync::oneshot;

use crate::{clock::Clock, config::LedgerHere};

/// Questions that may wait. Each is answered within one write of the disk.
const WAITING: usize = 1024;
/// How long nobody looks whether something is due, when nobody asks either.
const PAUSE: Duration = Duration::from_millis(20);
/// After a write failed the file is opened again, and not at once: a full disk stays so for a while.
const REOPEN: Duration = Duration::from_secs(1);

struct Asked {
    request: LedgerRequest,
    answer: oneshot::Sender<LedgerReply>,
}

/// A handle of the thread that keeps the books. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Keeper(SyncSender<Asked>);

impl Keeper {
    /// Opens the books at `path`, or begins them there.
    pub fn start(
        path: &Path,
        genesis: Genesis,
        config: &LedgerHere,
        clock: Clock,
    ) -> Result<Self, LedgerError> {
        let conduct = Conduct {
            delay: config.delay,
            drops: config.drops,
            ..Conduct::default()
        };
        let path = path.to_owned();
        let open = move || Ledger::open(&path, genesis.clone(), conduct.clone());
        let ledger = open()?;
        let (sender, receiver) = sync_channel(WAITING);
        let keep = move || keep(ledger, open, &receiver, &clock);
        thread::Builder::new()
            .name("ledger".into())
            .spawn(keep)
            .expect("the system starts one more thread");
        Ok(Self(sender))
    }

    /// Asks one question.
    pub async fn ask(&self, request: LedgerRequest) -> LedgerReply {
        let (answer, answered) = oneshot::channel();
        match self.0.try_send(Asked { request, answer }) {
            Ok(()) => answered.await.unwrap_or(LedgerReply::Unavailable),
            Err(_) => LedgerReply::Unavailable,
        }
    }
}

fn keep(
    mut ledger: Ledger,
    open: impl Fn() -> Result<Ledger, LedgerError>,
    asked: &Receiver<Asked>,
    clock: &Clock,
) {
    loop {
        let batch = match asked.recv_timeout(PAUSE) {
            Ok(first) => [first].into_iter().chain(asked.try_iter()).collect(),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        serve(&mut ledger, batch, clock.now());
        if let Some(error) = ledger.failure() {
            tracing::error!(error, "the ledger was not written, and is opened again");
            // Its file has to be closed before it is opened again.
            drop(ledger);
            ledger = match reopen(&open, asked) {
                Some(ledger) => ledger,
                None => return,
            };
        }
    }
}

fn serve(ledger: &mut Ledger, batch: Vec<Asked>, now: u64) {
    if batch.is_empty() {
        // Whether that went well the ledger itself knows.
        let _ = ledger.advance(now);
        return;
    }
    let (requests, answers): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|Asked { request, answer }| (request, answer))
        .unzip();
    for (answer, reply) in answers.into_iter().zip(ledger.serve_all(requests, now)) {
        // Whoever asked may have gone.
        let _ = answer.send(reply);
    }
}

/// Tries until it is open. `None` when nobody can ask any more.
fn reopen(
    open: &impl Fn() -> Result<Ledger, LedgerError>,
    asked: &Receiver<Asked>,
) -> Option<Ledger> {
    loop {
        match open() {
            Ok(ledger) => return Some(ledger),
            Err(error) => tracing::error!(%error, "the ledger does not open"),
        }
        match asked.recv_timeout(REOPEN) {
            Ok(Asked { answer, .. }) => drop(answer.send(LedgerReply::Unavailable)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
