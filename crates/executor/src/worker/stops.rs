//! How units that run are stopped: the worker that runs one is killed.

use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Says which units of a batch nobody wants any more. Shared between whoever runs the batch and whoever
/// stops it.
#[derive(Clone, Debug, Default)]
pub struct Stops(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped: BTreeSet<usize>,
    running: Option<(usize, Arc<Target>)>,
    /// Whether a worker was killed, and nobody has asked why yet.
    killed: bool,
}

/// A worker process, to be killed from any thread: after it was reaped that does nothing.
#[derive(Debug)]
pub(super) struct Target(Option<OwnedFd>);

impl Target {
    /// The process of that id, which is not reaped yet.
    pub fn of(id: u32) -> Self {
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let opened = id.map(|id| pidfd_open(id, PidfdFlags::empty()));
        Self(opened.and_then(Result::ok))
    }

    fn kill(&self) {
        if let Some(process) = &self.0 {
            // It fails only for a process that is gone.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

impl Stops {
    /// Stops the unit at that place of the batch: if it runs its worker is killed, at once; if it does
    /// not run yet it will not. One that is done stays as it is.
    pub fn stop(&self, unit: usize) {
        let mut state = self.lock();
        state.stopped.insert(unit);
        if let Some((running, worker)) = &state.running
            && *running == unit
        {
            worker.kill();
            state.killed = true;
        }
    }

    /// Whether a unit was stopped.
    pub fn is_stopped(&self, unit: usize) -> bool {
        self.lock().stopped.contains(&unit)
    }

    /// A unit runs from here on, in that worker, until the next one does or
    /// [`ended`](Self::ended) is called.
    pub(super) fn begun(&self, unit: usize, worker: &Arc<Target>) {
        let mut state = self.lock();
        if state.stopped.contains(&unit) {
            worker.kill();
            state.killed = true;
        }
        state.running = Some((unit, worker.clone()));
    }

    /// Whether a unit whose worker died was not meant: the one before it was stopped when it had just
    /// ended, and the worker had gone on.
    pub(super) fn missed(&self, unit: usize) -> bool {
        let mut state = self.lock();
        std::mem::take(&mut state.killed) && !state.stopped.contains(&unit)
    }

    /// No unit runs.
    pub(super) fn ended(&self) {
        self.lock().running = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
