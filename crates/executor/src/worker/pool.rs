//! The pool of run workers: some wait, started and locked in, so that a unit need not; none ever sees
//! a second program or a second requester.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError},
    thread::{Builder, JoinHandle, available_parallelism},
    time::{Duration, Instant},
};

use opensky_protocol::{Abort, Digest, NodeKey, Profile, Work};

use crate::{
    Inputs, Rules, Run, RunError,
    artifact::Artifact,
    engine::{Backend, THREAD_STACK},
    worker::{
        Kind, Launcher, SandboxReport,
        hand::{Hand, Watchdog},
        message::{EngineKind, Setup},
        process::Process,
        stops::Stops,
    },
};

/// How many workers there are, and what each may use.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Workers that wait for a program.
    pub spares: usize,
    /// Workers that are alive at once, whatever they do. More calls than that wait.
    pub most: usize,
    /// The profile that spares are made for. Programs of another take a little longer.
    pub profile: Profile,
    /// The backend that spares are made for.
    pub backend: Backend,
    /// Bytes of memory of one worker: the largest unit's, with its outputs and stacks. From 2 GiB on
    /// half a GiB of it is set aside for a pool, from which units start several times faster.
    pub memory: u64,
    /// Processor time of one worker over its whole life.
    pub cpu: Duration,
    /// How long a worker without units waits for more from the same requester.
    pub idle: Duration,
    /// How long a unit may take.
    pub watchdog: Watchdog,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            spares: 2,
            most: cores + 4,
            profile: Rules::DEFAULT.profile(),
            backend: Backend::Cranelift,
            memory: 6 << 30,
            cpu: Duration::from_secs(24 * 3600),
            idle: Duration::from_secs(20),
            watchdog: Watchdog::default(),
        }
    }
}

/// Runs strangers' units, each program and requester in a process of its own. Shared by all threads.
/// Dropping it kills and reaps every worker.
pub struct Pool {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

struct Shared {
    launcher: Launcher,
    options: PoolOptions,
    state: Mutex<State>,
    changed: Condvar,
    /// Said of the first worker: what holds one in holds them all.
    told: Once,
}

#[derive(Default)]
struct State {
    spares: Vec<Process>,
    warm: Vec<Warm>,
    /// Workers in any state: waiting, warm, busy, starting.
    alive: usize,
    /// Calls that wait for a spare.
    waiting: usize,
    /// Attempts to start a worker that failed, and why the last one did.
    failures: u64,
    failure: Option<Abort>,
    closing: bool,
}

/// What a worker is bound to once it has a program.
#[derive(Clone, PartialEq, Eq)]
struct Purpose {
    program: Digest,
    engine: EngineKind,
    requester: NodeKey,
}

/// A worker that has done its units and may get more of the same.
struct Warm {
    purpose: Purpose,
    hand: Hand,
    since: Instant,
}

/// After a worker did not start, the next attempt waits this long.
const BACKOFF: Duration = Duration::from_millis(200);
/// After so many failed attempts no worker will start. One that was killed at its start is no reason
/// to give up.
const ATTEMPTS: u64 = 3;

impl Pool {
    /// Starts the pool's spares in the background.
    pub fn new(launcher: Launcher, options: PoolOptions) -> Self {
        let shared = Arc::new(Shared {
            launcher,
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
            told: Once::new(),
        });
        let keeper = {
            let shared = shared.clone();
            let keeper = Builder::new().name("worker keeper".into());
            keeper
                .spawn(move || shared.keep())
                .expect("the system starts one more thread")
        };
        Self {
            shared,
            keeper: Some(keeper),
        }
    }

    /// Runs units of one program for one requester, in order, and returns as many results. Blocks.
    ///
    /// A unit whose worker dies or hangs is aborted; the units after it run in another worker. For
    /// units side by side, call from several threads.
    pub fn run(
        &self,
        program: &Artifact,
        requester: &NodeKey,
        works: &[Arc<Work>],
        inputs: &Inputs,
    ) -> Vec<Result<Run, RunError>> {
        self.run_until_stopped(program, requester, works, inputs, &Stops::default())
    }

    /// The same, for units that may be stopped meanwhile: such a one is aborted, as if its worker had
    /// died, which it has. Those after it are run.
    pub fn run_until_stopped(
        &self,
        program: &Artifact,
        requester: &NodeKey,
        works: &[Arc<Work>],
        inputs: &Inputs,
        stops: &Stops,
    ) -> Vec<Result<Run, RunError>> {
        let mut results: Vec<_> = works
            .iter()
            .map(|work| check(program, work, inputs).err().map(Err))
            .collect();
        let open: Vec<usize> = (0..works.len()).filter(|i| results[*i].is_none()).collect();
        let mut next = 0;
        while next < open.len() {
            if stops.is_stopped(open[next]) {
                let abort = Abort::WorkerDied("the unit was stopped".into());
                results[open[next]] = Some(Err(abort.into()));
                next += 1;
                continue;
            }
            let wanted = open[next..].iter().take_while(|i| !stops.is_stopped(**i));
            let places = &open[next..next + wanted.count()];
            let left: Vec<_> = places.iter().map(|i| &works[*i]).collect();
            let ended = self.shared.serve(
                program,
                requester,
                &left,
                inputs,
                (stops, places),
                |result| {
                    results[open[next]] = Some(result);
                    next += 1;
                },
            );
            stops.ended();
            match ended {
                Ok(()) => {}
                // It is run again, in another worker.
                Err(Ended::Unit(_)) if stops.missed(open[next]) => {}
                Err(Ended::Unit(abort)) => {
                    results[open[next]] = Some(Err(abort.into()));
                    next += 1;
                }
                Err(Ended::All(abort)) => {
                    for i in &open[next..] {
                        results[*i] = Some(Err(abort.clone().into()));
                    }
                    next = open.len();
                }
            }
        }
        results
            .into_iter()
            .map(|result| result.expect("every unit was answered"))
            .collect()
    }
}

/// What a unit must be before it is handed over: the same checks, in the same order, as in process.
fn check(program: &Artifact, work: &Work, inputs: &Inputs) -> Result<(), RunError> {
    work.check()?;
    if work.profile != program.profile {
        let sandbox = Rules::of(&program.profile).map_or("unknown", |rules| rules.id);
        return Err(RunError::Profile {
            work: work.profile.id().to_owned(),
            sandbox,
        });
    }
    inputs.of(work)?;
    if work.program != program.program {
        let text = "the unit is of another program than the code";
        return Err(Abort::Internal(text.into()).into());
    }
    Ok(())
}

/// Why a worker does not go on.
enum Ended {
    /// The unit that was running took it down.
    Unit(Abort),
    /// No worker can do this.
    All(Abort),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change below leaves the state whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn serve(
        &self,
        program: &Artifact,
        requester: &NodeKey,
        works: &[&Arc<Work>],
        inputs: &Inputs,
        stops: (&Stops, &[usize]),
        done: impl FnMut(Result<Run, RunError>),
    ) -> Result<(), Ended> {
        let purpose = Purpose {
            program: program.program,
            engine: EngineKind::new(program.profile.clone(), program.backend),
            requester: *requester,
        };
        let taken = self.take(&purpose).map_err(Ended::All)?;
        let busy = Busy(self);
        let mut hand = match taken {
            Taken::Warm(hand) => hand,
            Taken::Spare(process) => Hand::load(process, program).map_err(|abort| match abort {
                Abort::WorkerDied(_) => Ended::Unit(abort),
                abort => Ended::All(abort),
            })?,
        };
        hand.run(works, inputs, &self.options.watchdog, stops, done)
            .map_err(Ended::Unit)?;
        std::mem::forget(busy);
        self.lock().warm.push(Warm {
            purpose,
            hand,
            since: Instant::now(),
        });
        self.changed.notify_all();
        Ok(())
    }

    /// Makes sure that there are spares, and that nobody idles too long. The pool's one thread that
    /// starts workers: they die with it.
    fn keep(&self) {
        let mut state = self.lock();
        while !state.closing {
            let freed = state.expire(self.options.idle);
            if freed.is_empty() {
                state = self.keep_once(state);
            } else {
                // Reaping takes a moment, which nobody should wait for with the lock.
                drop(state);
                drop(freed);
                state = self.lock();
                self.changed.notify_all();
            }
        }
    }

    fn keep_once<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let missing = state.spares.len() < self.options.spares.max(1) + state.waiting;
        if missing && state.alive < self.options.most {
            state.alive += 1;
            drop(state);
            let started = self.start();
            state = self.lock();
            match started {
                Ok(process) => {
                    state.spares.push(process);
                    self.changed.notify_all();
                    state
                }
                Err(abort) => {
                    tracing::warn!(%abort, "a worker did not start");
                    state.alive -= 1;
                    state.failures += 1;
                    state.failure = Some(abort);
                    self.changed.notify_all();
                    self.wait(state, BACKOFF)
                }
            }
        } else if missing && !state.warm.is_empty() {
            // All seats are taken: who has waited longest for its own requester makes room, before
            // the next requester has to wait for it.
            let idle = state.warm.remove(0);
            state.alive -= 1;
            drop(state);
            drop(idle);
            self.lock()
        } else {
            self.wait(state, self.options.idle.min(Duration::from_secs(5)))
        }
    }

    fn start(&self) -> Result<Process, Abort> {
        let options = &self.options;
        let mut process = Process::start(&self.launcher, Kind::Run, &setup(options))?;
        let report = process.ready()?;
        self.told.call_once(|| tell(&report));
        Ok(process)
    }
}

/// Says what holds strangers' code in on this machine.
fn tell(report: &SandboxReport) {
    let lacking = report.lacking();
    match lacking.is_empty() {
        true => tracing::info!(landlock = report.landlock, "workers are locked in"),
        false => tracing::warn!(
            ?lacking,
            "strangers' code runs without all that locks it in"
        ),
    }
}

fn setup(options: &PoolOptions) -> Setup {
    Setup {
        engine: EngineKind::new(options.profile.clone(), options.backend),
        // The guest's stack counts whole, and hardly any of it is ever used.
        memory: options.memory.saturating_add(THREAD_STACK as u64),
        // What a program's memory holds at its start: it makes no other file.
        file: options.memory,
        cpu: options.cpu.as_secs().max(1),
        threads: 1,
    }
}

enum Taken {
    Warm(Hand),
    Spare(Process),
}

impl Shared {
    /// A worker for that purpose, which stays counted as alive: [`Busy`] counts it down.
    fn take(&self, purpose: &Purpose) -> Result<Taken, Abort> {
        let mut state = self.lock();
        let failures = state.failures;
        loop {
            let fit = state.warm.iter().rposition(|warm| warm.purpose == *purpose);
            if let Some(fit) = fit {
                let warm = state.warm.remove(fit);
                if !warm.hand.is_gone() {
                    return Ok(Taken::Warm(warm.hand));
                }
                state.alive -= 1;
                continue;
            }
            if let Some(process) = state.spares.pop() {
                self.changed.notify_all();
                if !process.line.has_news() {
                    return Ok(Taken::Spare(process));
                }
                state.alive -= 1;
                continue;
            }
            if state.failures >= failures + ATTEMPTS {
                return Err(state.failure.clone().expect("a failure has a reason"));
            }
            state.waiting += 1;
            self.changed.notify_all();
            state = self.wait(state, Duration::from_secs(1));
            state.waiting -= 1;
        }
    }
}

impl State {
    /// Takes out the workers that have idled too long.
    fn expire(&mut self, idle: Duration) -> Vec<Warm> {
        let expired: Vec<Warm> = self
            .warm
            .extract_if(.., |warm| warm.since.elapsed() > idle)
            .collect();
        self.alive -= expired.len();
        expired
    }
}

/// The seat of a worker that is in use: given back when it is not.
struct Busy<'a>(&'a Shared);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().alive -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(keeper) = self.keeper.take() {
            // Its panic has been reported where it happened.
            let _ = keeper.join();
        }
    }
}

impl SandboxReport {
    /// Starts a run worker to see what holds it in on this machine, and ends it.
    pub fn probe(launcher: &Launcher) -> Result<Self, Abort> {
        Process::start(launcher, Kind::Run, &setup(&PoolOptions::default()))?.ready()
    }
}
