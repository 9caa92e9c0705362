//! Where units of others are run: their inputs are brought, a core becomes free, and what came of
//! them is stored, signed and told to the core.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use opensky_core::{Done, Event};
use opensky_executor::{Inputs, Run, worker::Stops};
use opensky_protocol::{
    Abort, Account, ContentKey, Digest, NodeKey, Outputs, Receipt, SecretKey, Turn, Work,
    WrappedKey,
};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

use crate::{
    asides::Untold,
    content::concealed,
    depot::Depot,
    execute::{Batch, Execute},
    keepsake::{For, Keepsakes},
    metrics::Metrics,
    pace::Pace,
    supply::{Needs, NoRun, Supply},
    tasks::Tasks,
};

/// Tiny units are handed over together, as many as take about this long: the hop does not show then,
/// and no result waits long for another.
const HANDFUL: Duration = Duration::from_millis(10);
/// And never more than this.
const MOST: usize = 64;

/// A handle of the workshop. Its threads end when [`close`](Self::close) is called.
#[derive(Clone)]
pub(crate) struct Workshop(Arc<Floor>, Arc<Mutex<Vec<JoinHandle<()>>>>);

/// What a workshop works with.
pub(crate) struct Tools {
    pub execute: Arc<dyn Execute>,
    pub supply: Supply,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    /// What the blobs are kept for that a turn takes, and that it gives, by its job.
    pub taken: fn(Digest) -> For,
    pub given: fn(Digest) -> For,
    pub secret: Arc<SecretKey>,
    pub untold: Untold,
    pub events: mpsc::Sender<Event>,
    pub metrics: Metrics,
    pub pace: Pace,
    pub tasks: Tasks,
}

struct Floor {
    tools: Tools,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// All turns that were taken on and are not told yet. What is brought for one is not once it is
    /// no longer here.
    known: BTreeMap<Turn, Wanted>,
    ready: VecDeque<Task>,
    /// Those that cores are at: with which others, and in which place.
    running: BTreeMap<Turn, (Stops, usize)>,
    closing: bool,
}

/// Dropped when a turn is not wanted any more.
type Wanted = oneshot::Sender<()>;

#[derive(Clone)]
struct Task {
    turn: Turn,
    work: Arc<Work>,
    /// Who asks; of an encrypted job, a name for that job of theirs.
    requester: NodeKey,
    content: Option<ContentKey>,
}

impl Workshop {
    /// Opens one with so many cores: units at once.
    pub fn open(tools: Tools, cores: usize) -> Self {
        let floor = Arc::new(Floor {
            tools,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let start = |core| {
            let floor = floor.clone();
            thread::Builder::new()
                .name(format!("core {core}"))
                .spawn(move || floor.work())
                .expect("the system starts one more thread")
        };
        let cores = (0..cores).map(start).collect();
        Self(floor, Arc::new(Mutex::new(cores)))
    }

    /// Takes a unit on, unless it is here already. Its inputs may have `input_len` bytes together.
    /// `sources` may have its blobs; the last of them ordered it, and has wrapped `key` for this node if
    /// they are encrypted. It pays, too, unless somebody else does.
    pub fn take(
        &self,
        turn: Turn,
        work: Work,
        input_len: u64,
        sources: Vec<NodeKey>,
        key: Option<WrappedKey>,
        payer: Option<Account>,
    ) {
        let Some(requester) = sources.last().copied() else {
            return;
        };
        let on_behalf_of = on_behalf_of(requester, &turn.job, key.as_ref());
        let content = match key.map(|key| self.0.content_key(&key, &requester, &turn.job)) {
            None => None,
            Some(Ok(content)) => Some(content),
            Some(Err(abort)) => return self.0.give_up(turn, abort),
        };
        let (wanted, unwanted) = oneshot::channel();
        match self.0.lock().known.entry(turn) {
            Entry::Occupied(_) => return,
            Entry::Vacant(place) => {
                place.insert(wanted);
            }
        }
        self.0.tools.metrics.queued.inc();
        let task = Task {
            turn,
            work: Arc::new(work),
            requester: on_behalf_of,
            content,
        };
        let span = tracing::info_span!("unit", unit = %short(&turn.unit), job = %short(&turn.job), attempt = turn.attempt);
        let floor = self.0.clone();
        let payer = payer.unwrap_or(requester.into());
        let prepare = async move {
            tokio::select! {
                biased;
                // Nobody sends anything.
                _ = unwanted => {}
                () = floor.prepare(task, payer, input_len, &sources) => {}
            }
        };
        self.0.tools.tasks.spawn(prepare.instrument(span));
    }

    /// Forgets a unit. If it runs its worker is killed, so that the core is free.
    pub fn stop(&self, turn: &Turn) {
        let mut state = self.0.lock();
        let is_known = state.known.remove(turn).is_some();
        match state.running.get(turn) {
            Some((stops, place)) => stops.stop(*place),
            None if is_known => drop(self.0.tools.metrics.queued.dec()),
            None => {}
        }
        state.ready.retain(|task| task.turn != *turn);
    }

    /// Ends the threads, and what they run: it is begun again after the next start. Waits for that.
    /// Blocks.
    pub fn close(&self) {
        {
            let mut state = self.0.lock();
            state.closing = true;
            let running = state.running.values();
            running.for_each(|(stops, place)| stops.stop(*place));
        }
        self.0.changed.notify_all();
        let cores = {
            let mut cores = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *cores)
        };
        for core in cores {
            // One that panicked has ended too.
            let _ = core.join();
        }
    }
}

/// The first digits, enough for people to tell things apart.
pub(crate) fn short(digest: &Digest) -> String {
    let mut digits = digest.to_string();
    digits.truncate(8);
    digits
}

impl Floor {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content_key(
        &self,
        key: &WrappedKey,
        from: &NodeKey,
        job: &Digest,
    ) -> Result<ContentKey, Abort> {
        let key = self.tools.secret.unwrap(key, from, job);
        key.ok_or_else(|| Abort::MissingInput("the key".into()))
    }

    /// Says that there will be no result of a unit that was not taken on.
    fn give_up(self: &Arc<Self>, turn: Turn, abort: Abort) {
        let floor = self.clone();
        self.tools.tasks.spawn(async move {
            tracing::warn!(%abort, "a unit is not taken on");
            floor.tools.metrics.aborted.inc();
            // The core ends before those who tell it things.
            let _ = floor.tools.events.send(over(turn, Err(abort.into()))).await;
        });
    }

    /// Brings all that a unit needs, and puts it where a core finds it.
    async fn prepare(&self, task: Task, payer: Account, input_len: u64, sources: &[NodeKey]) {
        let needs = Needs {
            reason: (self.tools.taken)(task.turn.job),
            work: &task.work,
            input_len,
            sources,
            payer,
        };
        match self.tools.supply.bring(&needs).await {
            Ok(()) => {
                let mut state = self.lock();
                if state.known.contains_key(&task.turn) {
                    state.ready.push_back(task);
                    self.changed.notify_one();
                }
            }
            Err(why) => {
                tracing::warn!(%why, "a unit cannot begin");
                // Held until it is told: without it this would end here.
                let wanted = self.lock().known.remove(&task.turn);
                if wanted.is_some() {
                    self.tools.metrics.queued.dec();
                    self.tools.metrics.aborted.inc();
                    let event = over(task.turn, Err(why));
                    // The core ends before those who tell it things.
                    let _ = self.tools.events.send(event).await;
                }
            }
        }
    }

    /// A core's whole life.
    fn work(&self) {
        while let Some(batch) = self.next() {
            self.run(&batch.tasks, &batch.stops);
            self.tools.metrics.running.dec_by(batch.tasks.len() as i64);
        }
    }

    /// Waits for units: one, or some tiny ones of the same program and requester.
    fn next(&self) -> Option<Taken> {
        let mut state = self.lock();
        loop {
            if state.closing {
                return None;
            }
            if let Some(first) = state.ready.pop_front() {
                let most = self.tools.pace.fit(&first.work.program, HANDFUL).min(MOST);
                let tasks = state.more_like(first, most);
                let stops = state.begin(&tasks);
                self.tools.metrics.queued.dec_by(tasks.len() as i64);
                self.tools.metrics.running.inc_by(tasks.len() as i64);
                return Some(Taken { tasks, stops });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, batch: &[Task], stops: &Stops) {
        let works: Vec<_> = batch.iter().map(|task| task.work.clone()).collect();
        let content = batch[0].content.as_ref();
        let results = match self.inputs(&works, content) {
            Ok(inputs) => {
                let program = works[0].program;
                let component = || {
                    let name = "the program";
                    let blob = self.read(&program, name)?;
                    match content.filter(|_| ContentKey::is_sealed(&blob)) {
                        Some(key) => opened(key, &blob, name),
                        None => Ok(blob),
                    }
                };
                self.tools.execute.run(&Batch {
                    requester: batch[0].requester,
                    works: &works,
                    inputs: &inputs,
                    component: &component,
                    stops,
                })
            }
            Err(abort) => works.iter().map(|_| Err(abort.clone())).collect(),
        };
        let span = |task: &Task| tracing::info_span!("unit", unit = %short(&task.turn.unit), job = %short(&task.turn.job), attempt = task.turn.attempt);
        let finished = batch.iter().zip(results).map(|(task, result)| {
            let _inside = span(task).entered();
            let result = result.map_err(NoRun::from);
            (task, result.and_then(|run| self.finish(task, run)))
        });
        // All of them before any is told: so they wait for the disk once, and go out in one message.
        let finished: Vec<_> = finished.collect();
        for (task, result) in finished {
            let _inside = span(task).entered();
            self.tell(task.turn, result);
        }
    }

    fn read(&self, digest: &Digest, name: &str) -> Result<Vec<u8>, Abort> {
        let store = self.tools.depot.store();
        store.get(digest).map_err(|error| {
            tracing::warn!(%digest, name, %error, "a blob cannot be read");
            // If it is damaged it goes, so that it is fetched again when it is wanted again.
            let _ = store.verify(digest);
            Abort::MissingInput(name.into())
        })
    }

    /// What the units take in, as they see it: found by the digests of the blobs, which are opened
    /// here and nowhere else if they are encrypted.
    fn inputs(&self, works: &[Arc<Work>], key: Option<&ContentKey>) -> Result<Inputs, Abort> {
        let mut inputs = Inputs::default();
        for (name, digest) in works.iter().flat_map(|work| &work.inputs) {
            if inputs.get(digest).is_some() {
                continue;
            }
            let blob = self.read(digest, name)?;
            let bytes = match key {
                Some(key) => opened(key, &blob, name)?,
                None => blob,
            };
            inputs.insert_verified(*digest, Arc::new(bytes));
        }
        Ok(inputs)
    }

    /// Stores what a run put out, and signs what it came to.
    fn finish(&self, task: &Task, run: Run) -> Result<Box<Done>, NoRun> {
        let Tools {
            depot,
            keepsakes,
            given,
            secret,
            metrics,
            pace,
            ..
        } = &self.tools;
        let failed = |error: &dyn std::fmt::Display| Abort::Internal(error.to_string());
        let run = match &task.content {
            Some(key) => concealed(key, &task.turn.unit, run),
            None => run,
        };
        self.tools.untold.keep(task.turn, &run);
        let outputs = Outputs::of(&run.outputs);
        let digests = outputs.0.values().map(|output| output.digest).collect();
        // First, so that nobody removes an equal blob that is there already.
        keepsakes
            .keep_for(given(task.turn.job), digests)
            .map_err(|error| failed(&error))?;
        for bytes in run.outputs.values() {
            let put = depot.store().put(bytes);
            put.map_err(|error| NoRun::of_store(&error, || failed(&error)))?;
        }
        metrics.executed.inc();
        metrics.fuel.inc_by(run.fuel);
        metrics.unit_seconds.observe(run.wall.as_secs_f64());
        pace.note(&task.work.program, run.fuel, run.wall);
        let wall = run.wall;
        let receipt = Receipt::sign(
            secret,
            Work::clone(&task.work),
            run.class,
            run.fuel,
            run.transcript,
            outputs,
            run.states,
        );
        tracing::info!(class = %receipt.statement.class, fuel = receipt.statement.fuel, ?wall, "ran");
        Ok(Box::new(Done {
            statement: receipt.statement,
            signature: receipt.signature,
            outputs: receipt.outputs,
            transcript: receipt.transcript,
            states: receipt.states,
        }))
    }

    fn tell(&self, turn: Turn, result: Result<Box<Done>, NoRun>) {
        {
            let mut state = self.lock();
            state.running.remove(&turn);
            if state.known.remove(&turn).is_none() || state.closing {
                // It was stopped: nobody waits for it.
                return;
            }
        }
        if let Err(why) = &result {
            tracing::warn!(%why, "no result");
            self.tools.metrics.aborted.inc();
        }
        // The core ends before those who tell it things.
        let _ = self.tools.events.blocking_send(over(turn, result));
    }
}

/// Who shares a worker process: of an encrypted job nobody but its own units, so that whoever else
/// names its blobs finds none of them opened.
fn on_behalf_of(requester: NodeKey, job: &Digest, key: Option<&WrappedKey>) -> NodeKey {
    match key {
        Some(key) => NodeKey(Digest::derive("opensky worker 1", &(requester, job, key)).0),
        None => requester,
    }
}

fn opened(key: &ContentKey, blob: &[u8], name: &str) -> Result<Vec<u8>, Abort> {
    let opened = key.open(blob);
    opened.ok_or_else(|| Abort::MissingInput(name.into()))
}

/// That nothing more comes of a turn but this.
fn over(turn: Turn, result: Result<Box<Done>, NoRun>) -> Event {
    let result = match result {
        Ok(done) => Ok(done),
        Err(NoRun::Abort(abort)) => Err(abort),
        Err(NoRun::Refusal(why)) => return Event::GivenBack { turn, why },
    };
    Event::Executed { turn, result }
}

/// What a core is at.
struct Taken {
    tasks: Vec<Task>,
    stops: Stops,
}

impl State {
    /// From here on these run.
    fn begin(&mut self, tasks: &[Task]) -> Stops {
        let stops = Stops::default();
        let places = tasks.iter().enumerate();
        let places = places.map(|(place, task)| (task.turn, (stops.clone(), place)));
        self.running.extend(places);
        stops
    }

    /// `first`, and up to `most` in all of those that wait and could be in one batch with it.
    fn more_like(&mut self, first: Task, most: usize) -> Vec<Task> {
        let alike = |task: &Task| {
            task.requester == first.requester
                && task.work.program == first.work.program
                && task.work.profile == first.work.profile
        };
        let mut batch = vec![first.clone()];
        let mut at = 0;
        while batch.len() < most && at < self.ready.len() {
            if alike(&self.ready[at]) {
                batch.extend(self.ready.remove(at));
            } else {
                at += 1;
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Limits, Profile, Shard, World, names};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        execute::Batch,
        nearby::{Nearby, PATIENCE, until},
    };

    /// Runs nothing.
    struct Idle;

    impl Execute for Idle {
        fn run(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>> {
            batch.works.iter().map(|_| Err(Abort::Watchdog)).collect()
        }
    }

    fn open(nearby: &Nearby) -> (Workshop, mpsc::Receiver<Event>) {
        let (events, told) = mpsc::channel(1);
        let tools = Tools {
            execute: Arc::new(Idle),
            supply: nearby.supply(),
            depot: nearby.depot.clone(),
            keepsakes: nearby.keepsakes.clone(),
            taken: For::Turns,
            given: For::Turns,
            secret: Arc::new(SecretKey::from_seed(&[1; 32])),
            untold: Untold::default(),
            events,
            metrics: Metrics::new(),
            pace: Pace::new(),
            tasks: Tasks::new(),
        };
        (Workshop::open(tools, 1), told)
    }

    fn turn(attempt: u32) -> Turn {
        Turn {
            job: Digest([1; 32]),
            unit: Digest([1; 32]),
            attempt,
        }
    }

    fn work(program: Digest, input: Digest) -> Work {
        Work {
            profile: Profile::new("1"),
            program,
            world: World::Job,
            inputs: [(names::INPUT.into(), input)].into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: Limits::DEFAULT,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_brought_for_units_that_were_stopped() {
        let nearby = Nearby::start(&[b"silent", b"input", b"program"]).await;
        let [silent, input, program] = [&b"silent"[..], b"input", b"program"].map(Digest::of);
        nearby.gate.shut(silent);
        let (workshop, mut told) = open(&nearby);
        let sources = vec![nearby.source; 64];
        let take = |attempt, input| {
            workshop.take(
                turn(attempt),
                work(program, input),
                6,
                sources.clone(),
                None,
                None,
            );
        };
        // More than a requester has brought at once.
        (0..100).for_each(|attempt| take(attempt, silent));
        take(100, input);
        (0..100).for_each(|attempt| workshop.stop(&turn(attempt)));
        let event = timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
        assert!(matches!(event, Event::Executed { turn, .. } if turn.attempt == 100));
        assert_eq!(workshop.0.tools.metrics.queued.get(), 0);
        tokio::task::spawn_blocking(move || workshop.close())
            .await
            .unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn units_whose_inputs_do_not_come_are_all_told() {
        let nearby = Nearby::start(&[b"input", b"program"]).await;
        let (workshop, mut told) = open(&nearby);
        let [input, program] = [&b"input"[..], b"program"].map(Digest::of);
        // More than wait to be told.
        for attempt in 0..10 {
            let sources = vec![nearby.source];
            workshop.take(turn(attempt), work(program, input), 4, sources, None, None);
        }
        let all_failed = async || workshop.0.tools.metrics.aborted.get() == 10;
        until("all have failed", all_failed).await;
        for _ in 0..10 {
            let event = timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
            let lacks = Abort::MissingInput(names::INPUT.into());
            assert!(matches!(event, Event::Executed { result: Err(why), .. } if why == lacks));
        }
        tokio::task::spawn_blocking(move || workshop.close())
            .await
            .unwrap();
    }
}
