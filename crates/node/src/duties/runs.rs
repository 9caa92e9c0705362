//! The runs for requests: what each needs is looked for beside everything else, and what failed here is tried again.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::{Done, Event};
use opensky_ledger::{Chain, Seat};
use opensky_network::Network;
use opensky_protocol::{
    Abort, Digest, NodeKey, Turn,
    ledger::{Asked, Data},
};
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    depot::Depot,
    keepsake::{For, Keepsakes},
    shares::Shares,
    tasks::Tasks,
    workshop::{Workshop, short},
};

/// How long a run that failed is left alone at first; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// Runs for which somebody who has what they need is looked for at the same time, and those for one payer.
const FINDING: usize = 8;
const OF_ONE: usize = 2;

/// A handle. Cheap to clone.
#[derive(Clone)]
pub(super) struct Runs(Arc<Floor>);

/// What runs need.
pub(super) struct Tools {
    pub chain: Chain,
    pub network: Network,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    /// For these runs alone.
    pub workshop: Workshop,
    pub node: NodeKey,
    pub tasks: Tasks,
}

struct Floor {
    tools: Tools,
    finding: Shares,
    known: Mutex<BTreeMap<Turn, Run>>,
}

/// One of them.
#[derive(Clone, Copy)]
struct Run {
    state: State,
    /// How often it has failed.
    failed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Begun,
    /// It failed here, and may not the next time.
    Resting {
        until: Instant,
    },
    /// It can never be run here.
    Never,
}

impl Run {
    const BEGUN: Self = Self {
        state: State::Begun,
        failed: 0,
    };

    /// Whether it is begun now.
    fn begin(&mut self, now: Instant) -> bool {
        let is_time = matches!(self.state, State::Resting { until } if until <= now);
        if is_time {
            self.state = State::Begun;
        }
        is_time
    }

    fn fail(&mut self, is_final: bool, now: Instant) {
        let pause = FIRST_PAUSE * 2u32.saturating_pow(self.failed.min(16));
        self.failed = self.failed.saturating_add(1);
        self.state = match is_final {
            true => State::Never,
            false => State::Resting {
                until: now + pause.min(LAST_PAUSE),
            },
        };
    }
}

impl Runs {
    pub fn new(tools: Tools) -> Self {
        Self(Arc::new(Floor {
            tools,
            finding: Shares::new(FINDING, OF_ONE),
            known: Mutex::default(),
        }))
    }

    /// Begins a run, unless it is begun, or has failed and has to wait.
    pub fn begin(&self, seat: Seat) {
        let is_begun = match self.0.lock().entry(seat.turn) {
            Entry::Vacant(place) => {
                place.insert(Run::BEGUN);
                true
            }
            Entry::Occupied(mut run) => run.get_mut().begin(Instant::now()),
        };
        if !is_begun {
            return;
        }
        let floor = self.0.clone();
        self.0.tools.tasks.spawn(async move {
            floor.prepare(seat).await;
        });
    }

    /// Hears what became of one, and answers what it came to.
    pub fn end(&self, event: Event) -> Option<(Turn, Done)> {
        let (turn, result) = match event {
            Event::Executed { turn, result } => (turn, result.map_err(|abort| is_final(&abort))),
            Event::GivenBack { turn, .. } => (turn, Err(false)),
            _ => return None,
        };
        tracing::info!(request = %short(&turn.job), ran = result.is_ok(), "a request was run");
        match result {
            Ok(done) => {
                self.0.lock().remove(&turn);
                Some((turn, *done))
            }
            Err(is_final) => {
                self.0.fail(&turn, is_final);
                None
            }
        }
    }

    /// What came of one is lost: it is to be run again, later.
    pub fn again(&self, turn: Turn) {
        self.0.lock().insert(turn, Run::BEGUN);
        self.0.fail(&turn, false);
    }

    /// Stops all runs but those: nobody waits for the others any more.
    pub fn keep_only(&self, wanted: &BTreeSet<Turn>) {
        let mut known = self.0.lock();
        for (turn, _) in known.extract_if(.., |turn, _| !wanted.contains(turn)) {
            self.0.tools.workshop.stop(&turn);
        }
    }
}

/// Whether nothing will ever come of that unit here, however often it is tried.
fn is_final(abort: &Abort) -> bool {
    matches!(abort, Abort::Compile(_))
}

/// Whether a run is still wanted.
fn is_begun(known: &BTreeMap<Turn, Run>, turn: &Turn) -> bool {
    known.get(turn).is_some_and(|run| run.state == State::Begun)
}

impl Floor {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Turn, Run>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, turn: &Turn, is_final: bool) {
        if let Some(run) = self.lock().get_mut(turn) {
            run.fail(is_final, Instant::now());
        }
    }

    /// Finds out who has what it needs, and hands it to the workshop, if it is still wanted then.
    async fn prepare(&self, seat: Seat) {
        let turn = seat.turn;
        let _room = self.finding.room(seat.payer).await;
        if !is_begun(&self.lock(), &turn) {
            return;
        }
        let Some(asked) = self.asked(&turn.job).await else {
            return self.fail(&turn, false);
        };
        let work = asked.work(&seat.profile);
        let len = asked.input.len();
        let mut sources = self.holders(work.program).await;
        match asked.input {
            Data::Inline(bytes) => {
                if !self.keep(turn.job, bytes).await {
                    tracing::warn!(request = %short(&turn.job), "there is no room for its input");
                    return self.fail(&turn, false);
                }
            }
            Data::Blob { digest, .. } => sources.extend(self.holders(digest).await),
        }
        // Whoever asks has no node: it is run in this one's own name.
        sources.push(self.tools.node);
        // Until it is there, so that nobody stops it in between.
        let known = self.lock();
        if is_begun(&known, &turn) {
            let payer = Some(seat.payer);
            self.tools
                .workshop
                .take(turn, work, len, sources, None, payer);
        }
    }

    async fn asked(&self, request: &Digest) -> Option<Asked> {
        match self.tools.chain.asked(request).await {
            Ok(asked) => asked,
            Err(away) => {
                tracing::debug!(%away, request = %short(request), "the chain does not say what is asked");
                None
            }
        }
    }

    async fn holders(&self, blob: Digest) -> Vec<NodeKey> {
        if self.tools.depot.store().has(&blob) {
            return Vec::new();
        }
        let found = self.tools.network.providers(blob).await;
        found.unwrap_or_default()
    }

    /// Whether an input that is in the request itself is kept for it.
    async fn keep(&self, request: Digest, input: Vec<u8>) -> bool {
        let (depot, keepsakes) = (self.tools.depot.clone(), self.tools.keepsakes.clone());
        let kept = spawn_blocking(move || {
            let digest = Digest::of(&input);
            let kept = keepsakes.keep_for(For::Request(request), vec![digest]);
            kept.is_ok() && depot.store().put(&input).is_ok()
        });
        kept.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_that_failed_is_tried_again_ever_later() {
        let (mut run, mut now) = (Run::BEGUN, Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let failed = now;
            // So says a machine that was too busy to compile it in time.
            run.fail(is_final(&Abort::WorkerDied("late".into())), now);
            while !run.begin(now) {
                now += Duration::from_secs(1);
            }
            pauses.push((now - failed).as_secs());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert!(!run.begin(now), "it is begun");
        run.fail(is_final(&Abort::Compile("no component".into())), now);
        assert!(!run.begin(now + LAST_PAUSE), "it would never be run");
    }
}
