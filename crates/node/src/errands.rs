//! Does what the core wants, in its order: first rows are made durable, then comes what follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::{Effect, EscrowState, Event, Funding, Proof, Refused, Time};
use opensky_protocol::{
    Digest, SecretKey, Turn,
    ledger::{Call, Escrow, Rejection},
};
use opensky_storage::{Pending, RowsError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::sleep,
};

use crate::{
    asides::Untold,
    cashier::Cashier,
    clock::Clock,
    collector::Collector,
    keepsake::{For, Keepsakes},
    ledger::{Books, Teller, TellerError, may_pass},
    market::Market,
    metrics::Metrics,
    post::Post,
    seal::showing,
    tasks::Tasks,
    workshop::{Workshop, short},
};

/// Questions for escrows of others that are asked at once.
pub(crate) const FINDING: usize = 8;
/// How long to wait before a ledger that is away is asked again; it doubles up to the last.
const FIRST_TRY: Duration = Duration::from_millis(500);
const LAST_TRY: Duration = Duration::from_secs(30);
/// How long to look for an escrow that the ledger does not show yet: its keeper may be slow.
const LOOKS: u32 = 8;
const LOOK: Duration = Duration::from_millis(100);

/// What the core wanted between two batches of rows.
pub(crate) struct Errands {
    /// Done when the rows before these effects are durable.
    pub durable: Option<Pending>,
    /// What is to be done then.
    pub effects: Vec<Effect>,
    /// Given back when the last of what was wanted together is being done.
    pub turn: Option<OwnedSemaphorePermit>,
}

/// What the ledger is to do about a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Matter {
    Open,
    Close,
    Show,
}

/// What the ledger was asked to do, and has not answered. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<BTreeSet<(Matter, Digest)>>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Matter, Digest)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a job was taken on, and whom to tell.
type Answer = Result<(), Refused>;
type Waiting = BTreeMap<Digest, Vec<oneshot::Sender<Answer>>>;

/// Who waits to be told of a job of this node.
#[derive(Default)]
pub(crate) struct Waiters {
    taken: Mutex<Waiting>,
}

/// Whoever does errands.
pub(crate) struct Runner {
    pub secret: Arc<SecretKey>,
    pub keepsakes: Keepsakes,
    pub untold: Untold,
    pub post: Post,
    pub market: Market,
    pub books: Books,
    pub teller: Teller,
    pub cashier: Cashier,
    /// Where units are run; nothing on a node that runs none.
    pub workshop: Option<Workshop>,
    pub events: mpsc::Sender<Event>,
    pub waiters: Arc<Waiters>,
    /// Counts jobs that have ended, for those who wait for one.
    pub ended: watch::Sender<u64>,
    pub metrics: Metrics,
    pub collector: Collector,
    /// Questions for escrows of others that are asked at once.
    pub finding: Semaphore,
    pub under_way: UnderWay,
    pub clock: Clock,
    pub tasks: Tasks,
}

impl Waiters {
    /// Told once the job is taken on, or not.
    pub fn wait(&self, job: Digest) -> oneshot::Receiver<Answer> {
        let (teller, told) = oneshot::channel();
        self.lock().entry(job).or_default().push(teller);
        told
    }

    fn tell(&self, job: &Digest, news: &Answer) {
        for waiter in self.lock().remove(job).unwrap_or_default() {
            // It may have gone.
            let _ = waiter.send(news.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner {
    /// Runs errands until there are none to come, or rows cannot be made durable: then nothing that
    /// follows may be done, and the node has to end.
    pub async fn run(
        self: Arc<Self>,
        mut errands: mpsc::Receiver<Errands>,
    ) -> Result<(), RowsError> {
        while let Some(errand) = errands.recv().await {
            if let Some(durable) = errand.durable {
                durable.await?;
                self.metrics.commits.inc();
            }
            for effect in errand.effects {
                self.carry_out(effect);
            }
            drop(errand.turn);
        }
        Ok(())
    }

    /// Does it, or begins to: never waits.
    fn carry_out(self: &Arc<Self>, effect: Effect) {
        match effect {
            // Whoever made the errands has handed these in already.
            Effect::Persist(_) => {}
            Effect::Send { to, message } => self.post.send(to, message),
            Effect::Accepted(job) => self.waiters.tell(&job, &Ok(())),
            Effect::Refused { job, reason } => self.waiters.tell(&job, &Err(reason)),
            Effect::Execute {
                turn,
                work,
                input_len,
                sources,
                key,
            } => {
                if let Some(workshop) = &self.workshop {
                    workshop.take(turn, *work, input_len, sources, key, None);
                }
            }
            Effect::Stop(turn) => {
                if let Some(workshop) = &self.workshop {
                    workshop.stop(&turn);
                }
            }
            Effect::Collect { job, blobs } => self.collector.begin(job, blobs),
            Effect::OpenEscrow {
                job,
                amount,
                deadline,
            } => self.once(Matter::Open, job, |this| {
                this.open_escrow(job, amount, deadline)
            }),
            Effect::CloseEscrow { job } => {
                self.once(Matter::Close, job, |this| this.close_escrow(job));
            }
            Effect::FindEscrow { job } => self.spawn(|this| this.find_escrow(job)),
            Effect::Claim(voucher) => self.cashier.claim(voucher),
            Effect::Show(proof) => {
                let job = proof.escrow;
                self.once(Matter::Show, job, |this| this.show(*proof));
            }
            Effect::Publish(offer) => self.market.publish(offer),
            Effect::Drop(job) => self.let_go(job),
            Effect::Ended(job) => {
                self.collector.end(&job);
                tracing::info!(job = %short(&job), "a job is over");
                self.metrics.jobs_ended.inc();
                self.ended.send_modify(|count| *count += 1);
            }
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        errand: impl FnOnce(Arc<Self>) -> F,
    ) {
        self.tasks.spawn(errand(self.clone()));
    }

    /// Has the ledger do something about a job, unless the same waits for it already: the core asks again
    /// and again while the ledger is away, and each call costs a fee.
    fn once<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        matter: Matter,
        job: Digest,
        errand: impl FnOnce(Arc<Self>) -> F,
    ) {
        if !self.under_way.lock().insert((matter, job)) {
            return;
        }
        let (under_way, errand) = (self.under_way.clone(), errand(self.clone()));
        self.tasks.spawn(async move {
            errand.await;
            under_way.lock().remove(&(matter, job));
        });
    }

    async fn tell(&self, event: Event) {
        // The core ends before those who tell it things.
        let _ = self.events.send(event).await;
    }

    fn let_go(&self, job: Digest) {
        self.untold.forget(&job);
        let keepsakes = self.keepsakes.clone();
        // Removing files blocks.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = keepsakes.drop_for(&For::Turns(job)) {
                tracing::warn!(%error, "blobs were not let go");
            }
        });
    }

    async fn open_escrow(self: Arc<Self>, job: Digest, amount: u128, deadline: Time) {
        let call = Call::OpenEscrow {
            escrow: job,
            requester: self.secret.node(),
            amount,
            deadline: deadline.0,
        };
        let state = match self.teller.call(call).await {
            Ok(_) => EscrowState::Locked { amount },
            // It was opened before a restart, or somebody has used up its id.
            Err(TellerError::Rejected(Rejection::EscrowTaken)) => self.own_escrow(job).await,
            // The core asks again.
            Err(TellerError::Full) => return,
            Err(error) => EscrowState::Rejected(error.to_string()),
        };
        tracing::info!(job = %short(&job), ?state, "escrow");
        self.tell(Event::Escrow { job, state }).await;
    }

    async fn own_escrow(&self, job: Digest) -> EscrowState {
        let mut pause = FIRST_TRY;
        loop {
            match self.books.escrow(job).await {
                Ok(Some(escrow)) if escrow.requester == self.secret.node() => {
                    return EscrowState::Locked {
                        amount: escrow.locked,
                    };
                }
                Ok(_) => return EscrowState::Rejected(Rejection::EscrowTaken.to_string()),
                Err(error) => tracing::debug!(%error, "the ledger is away"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_TRY);
        }
    }

    async fn close_escrow(self: Arc<Self>, job: Digest) {
        // One that has ended with its deadline is not closed any more: to ask for that costs a fee.
        if let Ok(Some(escrow)) = self.books.escrow(job).await
            && escrow.ends() <= self.clock.now()
        {
            let state = EscrowState::Closed;
            return self.tell(Event::Escrow { job, state }).await;
        }
        match self.teller.call(Call::Close { escrow: job }).await {
            // It is closed, was closed, or is over anyway.
            Ok(_) | Err(TellerError::Rejected(_)) => {
                let state = EscrowState::Closed;
                self.tell(Event::Escrow { job, state }).await;
            }
            Err(error) => tracing::warn!(job = %short(&job), %error, "an escrow was not closed"),
        }
    }

    async fn find_escrow(self: Arc<Self>, job: Digest) {
        let mut found = None;
        for look in 0..LOOKS {
            // Even a pause of nothing lasts until the timer's next millisecond.
            if look > 0 {
                sleep(LOOK * look).await;
            }
            // Strangers' orders can name escrows without end: they leave room for other questions.
            let Ok(_room) = self.finding.acquire().await else {
                return;
            };
            match self.books.escrow(job).await {
                Ok(Some(escrow)) => {
                    found = Some(self.funding(job, escrow).await);
                    break;
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the ledger is away"),
            }
        }
        self.tell(Event::Funding { job, found }).await;
    }

    /// What the ledger has paid this node's operator from an escrow; 0 if that cannot be known now.
    async fn tab(&self, job: Digest) -> u128 {
        let tab = self.books.tab(job, self.secret.node().into()).await;
        tab.map_or_else(
            |error| {
                tracing::debug!(%error, "the ledger is away");
                0
            },
            |tab| tab.paid,
        )
    }

    async fn funding(&self, job: Digest, mut escrow: Escrow) -> Funding {
        let mut received = 0;
        // Most have paid nobody yet.
        if escrow.paid > 0 {
            received = self.tab(job).await;
            // What was paid meanwhile would count twice.
            if let Ok(Some(now)) = self.books.escrow(job).await {
                escrow = now;
            }
        }
        Funding {
            requester: escrow.requester,
            payer: escrow.payer,
            amount: escrow.available(),
            left: escrow.left(),
            received,
            ends: Time(escrow.ends()),
        }
    }

    async fn show(self: Arc<Self>, proof: Proof) {
        let turns = proof.turns.iter();
        let turns: Vec<Turn> = turns
            .map(|turn| Turn::from(&turn.assignment.value))
            .collect();
        let job = proof.escrow;
        let showing = showing(&self.secret, proof);
        match self.teller.call(Call::Show(Box::new(showing))).await {
            Ok(facts) => tracing::info!(job = %short(&job), ?facts, "shown"),
            // The requester said that the job is over, and has not closed its escrow: that ends by itself.
            Err(TellerError::Rejected(Rejection::Phase)) if self.is_open(job).await => {
                return tracing::info!(job = %short(&job), "it is too early for evidence");
            }
            Err(TellerError::Rejected(reason)) if !may_pass(reason) => {
                tracing::warn!(job = %short(&job), %reason, "evidence does not count");
            }
            Err(error) => {
                return tracing::warn!(job = %short(&job), %error, "evidence was not shown");
            }
        }
        self.tell(Event::Filed(turns)).await;
    }

    /// Whether work on an escrow may still go on, as far as can be known.
    async fn is_open(&self, job: Digest) -> bool {
        let ends = |escrow: Option<Escrow>| escrow.map_or(0, |escrow| escrow.ends());
        let escrow = self.books.escrow(job).await;
        escrow.map_or(true, |escrow| ends(escrow) > self.clock.now())
    }
}

/// The time, as the core counts it.
pub(crate) fn now(clock: &Clock) -> Time {
    Time(clock.now())
}
