//! Drives the core: one task owns the participant, hands it what happens, and passes on what it
//! wants.

use std::{sync::Arc, time::Duration};

use opensky_core::{Effect, Event, Participant};
use opensky_storage::{Rows, RowsError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::sleep,
};

use crate::{
    clock::Clock,
    errands::{Errands, now},
    metrics::Metrics,
    rows,
};

/// Events that are handled before anybody looks at what is wanted: what they want goes out together, one
/// message to each node, and waits for the disk once.
const TOGETHER: usize = 1_024;
/// When the core wants to be called at no time, it is called all the same, in case clocks jump.
const LONGEST: Duration = Duration::from_secs(1);

/// A look at the participant, for people.
pub(crate) type Look = Box<dyn FnOnce(&Participant) + Send>;

/// Something for the task that owns the participant.
pub(crate) enum Wish {
    /// To be handled, as this node's user wants it.
    Event(Event),
    /// To be answered.
    Look(Look),
}

/// What the task listens to.
pub(crate) struct Ears {
    /// The user's wishes.
    pub wishes: mpsc::Receiver<Wish>,
    /// What this node's own parts say. They come first: they free what is bounded.
    pub local: mpsc::Receiver<Event>,
    /// What other nodes say.
    pub remote: mpsc::Receiver<Event>,
}

/// The task's belongings.
pub(crate) struct Driver {
    pub participant: Participant,
    pub clock: Clock,
    pub rows: Arc<Rows>,
    pub errands: mpsc::Sender<Errands>,
    pub metrics: Metrics,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Driver {
    /// Runs until nobody can wish for anything or does errands any more, or rows cannot be written.
    pub async fn run(mut self, mut ears: Ears) -> Result<(), RowsError> {
        let turns = Arc::new(Semaphore::new(1));
        loop {
            let mut next = self.wait(&mut ears).await;
            let mut handled = 1;
            // While rows are being written, more can happen: it goes out together with this.
            let turn = loop {
                handled += self.catch_up(&mut ears);
                tokio::select! {
                    biased;
                    turn = turns.clone().acquire_owned() => break turn,
                    more = self.wait(&mut ears), if next == Next::GoOn && handled < TOGETHER => {
                        (next, handled) = (more, handled + 1);
                    }
                }
            };
            // Nobody closes it.
            let passed = self.pass_on(turn.ok()).await?;
            if next == Next::End || passed == Next::End {
                return Ok(());
            }
        }
    }

    /// Handles what has happened already, and says how much that was.
    fn catch_up(&mut self, ears: &mut Ears) -> usize {
        for count in 0..TOGETHER {
            let Ok(event) = ears.local.try_recv().or_else(|_| ears.remote.try_recv()) else {
                return count;
            };
            self.handle(event);
        }
        TOGETHER
    }

    /// Waits for one thing, and handles it.
    async fn wait(&mut self, ears: &mut Ears) -> Next {
        let pause = self.pause();
        tokio::select! {
            biased;
            wish = ears.wishes.recv() => match wish {
                Some(Wish::Event(event)) => self.handle(event),
                Some(Wish::Look(look)) => look(&self.participant),
                None => return Next::End,
            },
            Some(event) = ears.local.recv() => self.handle(event),
            Some(event) = ears.remote.recv() => self.handle(event),
            () = sleep(pause) => self.handle(Event::Timeout),
        }
        Next::GoOn
    }

    fn pause(&self) -> Duration {
        let now = now(&self.clock);
        let due = self.participant.poll_timeout();
        due.map_or(LONGEST, |due| {
            Duration::from_millis(due.since(now)).min(LONGEST)
        })
    }

    fn handle(&mut self, event: Event) {
        self.metrics.events.inc();
        self.participant.handle(now(&self.clock), event);
    }

    /// Hands in rows, and passes on what follows them. Waits while too much is under way.
    async fn pass_on(&mut self, turn: Option<OwnedSemaphorePermit>) -> Result<Next, RowsError> {
        let mut errands = Errands {
            durable: None,
            effects: Vec::new(),
            turn: None,
        };
        while let Some(effect) = self.participant.poll_effect() {
            let Effect::Persist(batch) = effect else {
                errands.effects.push(effect);
                continue;
            };
            let durable = self.rows.submit(rows::stored(batch))?;
            let before = std::mem::replace(
                &mut errands,
                Errands {
                    durable: Some(durable),
                    effects: Vec::new(),
                    turn: None,
                },
            );
            if self.send(before).await == Next::End {
                return Ok(Next::End);
            }
        }
        errands.turn = turn;
        Ok(self.send(errands).await)
    }

    async fn send(&self, errands: Errands) -> Next {
        if errands.durable.is_none() && errands.effects.is_empty() {
            return Next::GoOn;
        }
        // Who runs errands ends with the node, or has said itself that rows cannot be written.
        match self.errands.send(errands).await {
            Ok(()) => Next::GoOn,
            Err(_) => Next::End,
        }
    }
}

/// Asks the task that owns the participant.
#[derive(Clone)]
pub(crate) struct Wishes(pub mpsc::Sender<Wish>);

impl Wishes {
    /// Has an event handled. `false` if the node has ended.
    pub async fn event(&self, event: Event) -> bool {
        self.0.send(Wish::Event(event)).await.is_ok()
    }

    /// Looks at the participant. `None` if the node has ended.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Participant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |participant| drop(answer.send(look(participant))));
        self.0.send(Wish::Look(look)).await.ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use opensky_core::{Identity, Policy};
    use opensky_protocol::{Account, Digest, NodeKey};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        config::{Config, LedgerConfig},
        machine,
        nearby::PATIENCE,
    };

    fn participant() -> Participant {
        let who = Identity {
            node: NodeKey([1; 32]),
            operator: Account([1; 32]),
            ledger: Digest([2; 32]),
        };
        let new = Participant::restore(who, Policy::default(), [3; 32], [].into_iter());
        new.expect("there are no rows")
    }

    /// When a node ends, its tasks end one after the other, and some are at something still.
    #[tokio::test]
    async fn driver_whose_errands_nobody_runs_any_more_ends_and_blames_nobody() {
        let folder = tempfile::tempdir().expect("there is a disk");
        let rows = Rows::open(&folder.path().join("rows")).expect("the folder is new");
        let (errands, runner) = mpsc::channel(1);
        let driver = Driver {
            participant: participant(),
            clock: Clock::default(),
            rows: Arc::new(rows),
            errands,
            metrics: Metrics::new(),
        };
        let (wish, wishes) = mpsc::channel(1);
        let (_local, local) = mpsc::channel(1);
        let (_remote, remote) = mpsc::channel(1);
        let ears = Ears {
            wishes,
            local,
            remote,
        };
        drop(runner);
        let config = Config::new(folder.path(), LedgerConfig::Here(Default::default()));
        let terms = machine::terms(&config, 1_000_000);
        let offer = Wish::Event(Event::Capacity(Box::new(terms)));
        wish.send(offer).await.expect("the driver listens");
        let ended = timeout(PATIENCE, driver.run(ears)).await;
        let ended = ended.expect("it ends in time");
        assert!(ended.is_ok(), "{ended:?}");
    }
}
