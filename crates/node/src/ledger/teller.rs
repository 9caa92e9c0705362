//! Signs what this node asks of the ledger, hands it in until the ledger has taken it on, and waits
//! for what becomes of it.

use std::{sync::Arc, time::Duration};

use opensky_protocol::{
    Account, Digest, NodeKey, SecretKey, Signed, Verified,
    ledger::{Call, Event, Fact, Intent, LedgerRequest, Refused, Rejection, Status},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{Books, LedgerAway, is_passing};
use crate::tasks::Tasks;

/// Calls that may wait to be handed in.
const WAITING: usize = 1024;
/// How long a ledger that does not answer is left alone at first; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How long to wait before asking what became of an intent; it doubles up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How often a call that the ledger dropped is asked for again.
const TRIES: u32 = 20;

/// What the ledger made of a call.
pub(crate) type Outcome = Result<Vec<Fact>, TellerError>;

/// Why a call had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TellerError {
    /// The ledger did not take it on.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The ledger took it on, and did not do it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much waits to be handed in, or the node stops.
    #[error("too much waits for the ledger")]
    Full,
}

struct Wanted {
    call: Call,
    answer: oneshot::Sender<Outcome>,
}

/// A handle of the task that hands calls in. One task, because nonces have no gaps.
#[derive(Clone)]
pub(crate) struct Teller(mpsc::Sender<Wanted>);

/// Signs for one account.
#[derive(Clone)]
pub(crate) struct Signer {
    pub secret: Arc<SecretKey>,
    pub account: Account,
    pub ledger: Digest,
}

impl Teller {
    /// Starts the task. It ends when the last handle is dropped.
    pub fn start(books: Books, signer: Signer, tasks: Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let task = Task {
            books,
            signer,
            nonce: None,
            wanted: receiver,
            tasks: tasks.clone(),
        };
        tasks.spawn(task.run());
        Self(sender)
    }

    /// Has the ledger do something, and waits for its last word: as long as the ledger is away, if it
    /// has to be. May be dropped: the call is handed in all the same.
    pub async fn call(&self, call: Call) -> Outcome {
        for _ in 0..TRIES {
            match self.once(call.clone()).await {
                Err(TellerError::Rejected(reason)) if is_passing(reason) => {}
                outcome => return outcome,
            }
        }
        Err(Rejection::Dropped.into())
    }

    /// The same, but what the ledger dropped is not asked for again.
    pub async fn once(&self, call: Call) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { call, answer };
        self.0.try_send(wanted).map_err(|_| TellerError::Full)?;
        answered.await.unwrap_or(Err(TellerError::Full))
    }
}

struct Task {
    books: Books,
    signer: Signer,
    /// The next one, as far as is known.
    nonce: Option<u64>,
    wanted: mpsc::Receiver<Wanted>,
    tasks: Tasks,
}

impl Task {
    async fn run(mut self) {
        let mut batch = Vec::new();
        while self
            .wanted
            .recv_many(&mut batch, LedgerRequest::MAX_INTENTS)
            .await
            > 0
        {
            let mut left = std::mem::take(&mut batch);
            let mut pause = FIRST_PAUSE;
            loop {
                let before = left.len();
                left = self.hand_in(left).await;
                if left.is_empty() {
                    break;
                }
                if left.len() == before {
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    /// Hands a batch in, once the ledger answers. What it was too busy for, or what had a wrong nonce,
    /// comes back.
    async fn hand_in(&mut self, batch: Vec<Wanted>) -> Vec<Wanted> {
        let first = match self.nonce {
            Some(nonce) => nonce,
            None => until_there(|| self.books.nonce(self.signer.secret.node())).await,
        };
        let calls = batch.iter().map(|wanted| &wanted.call);
        let intents = self.signer.sign(first, calls);
        // The same bytes again: what was taken on before is not taken on twice.
        let answers = until_there(|| self.books.submit(intents.clone())).await;
        let mut left = Vec::new();
        let mut taken = 0;
        let mut answers = answers.into_iter();
        for wanted in batch {
            match answers.next() {
                Some(Ok(intent)) => {
                    taken += 1;
                    let tell = tell(self.books.clone(), intent, wanted.answer);
                    self.tasks.spawn(tell);
                }
                Some(Err(Refused::Nonce { .. } | Refused::Full | Refused::Busy)) | None => {
                    left.push(wanted);
                }
                Some(Err(refused)) => drop(wanted.answer.send(Err(refused.into()))),
            }
        }
        // A nonce that was not used makes those after it wrong: the ledger knows best.
        self.nonce = (taken == intents.len() as u64).then(|| first + taken);
        left
    }
}

impl Signer {
    fn sign<'a>(&self, first: u64, calls: impl Iterator<Item = &'a Call>) -> Vec<Signed<Intent>> {
        let signer: NodeKey = self.secret.node();
        let intent = |(nonce, call): (u64, &Call)| Intent {
            ledger: self.ledger,
            account: self.account,
            signer,
            nonce,
            call: call.clone(),
        };
        let intents = (first..).zip(calls).map(intent).collect();
        let signed = Verified::sign_all(&self.secret, intents);
        signed.into_iter().map(Verified::into_signed).collect()
    }
}

/// Asks until the ledger answers.
async fn until_there<T, F>(ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, LedgerAway>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(away) => tracing::debug!(%away, "the ledger is away"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Waits until the intent is decided.
async fn tell(books: Books, intent: Digest, answer: oneshot::Sender<Outcome>) {
    let mut pause = FIRST_LOOK;
    loop {
        let event: Option<Event> = until_there(|| books.status(intent)).await;
        match event.map(|event| event.status) {
            Some(Status::Final { facts, .. }) => return drop(answer.send(Ok(facts))),
            Some(Status::Rejected { reason, .. }) => {
                return drop(answer.send(Err(reason.into())));
            }
            Some(Status::Pending) | None => {}
        }
        if answer.is_closed() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}
