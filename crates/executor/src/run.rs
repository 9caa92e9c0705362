//! Runs one unit: from work to the guest's own result, or to the host's reason for having none.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use opensky_protocol::{
    Abort, Class, Digest, GuestError, Transcript, Work, WorkError, codec, names,
};
use rustix::io::Errno;
use wasmtime::{Error, Store, Trap, WasmBacktrace, component::Instance};

use crate::{
    Blob, Inputs,
    engine::{Sandbox, THREAD_STACK},
    fuel::{self, Cause},
    host::{Host, Observer, Stop, Unit},
    profile::Rules,
    program::{Export, Program},
    world,
};

/// What the guest did with its unit.
#[derive(Clone, Debug)]
pub struct Run {
    /// The class of the outcome.
    pub class: Class,
    /// Fuel used where that is exact: for `Ok`, `Err` and, from profile 1 on, most panics. Else the
    /// limit.
    pub fuel: u64,
    /// The outputs by name. For `Err` they include [`names::ERROR`]; for the classes after it there
    /// are none.
    pub outputs: BTreeMap<String, Vec<u8>>,
    /// The host calls.
    pub transcript: Transcript,
    /// A stepper's states, in order; empty in every other world.
    pub states: Vec<Digest>,
    /// The guest's own error, for `Err`.
    pub error: Option<GuestError>,
    /// Why the guest ended, for people. Not part of the result.
    pub detail: Option<String>,
    /// Log and standard error.
    pub log: Vec<u8>,
    /// The most linear memory in use at once, in bytes.
    pub memory: u64,
    /// Wall-clock time from work to result.
    pub wall: Duration,
}

/// How far a unit went within a claim of its fuel.
#[derive(Clone, Debug)]
pub enum Within {
    /// It ended.
    Ended(Run),
    /// It uses more, and was stopped there. Its host calls so far.
    Stopped(Transcript),
}

/// Why a unit cannot be run at all, by anyone.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This host has no result.
    #[error(transparent)]
    Abort(#[from] Abort),
    /// The work is impossible.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The work is of another profile than the sandbox.
    #[error("the work is of profile `{work}`, the sandbox of `{sandbox}`")]
    Profile {
        /// The work's.
        work: String,
        /// The sandbox's.
        sandbox: &'static str,
    },
    /// The program does not export what the work's world calls.
    #[error("the program does not export {0:?}")]
    World(Export),
}

/// How a guest ended without output.
pub(crate) enum Ended {
    /// It said so itself.
    Error(GuestError),
    /// The engine or a host function stopped it.
    Stopped(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

impl From<GuestError> for Ended {
    fn from(error: GuestError) -> Self {
        Self::Error(error)
    }
}

/// Why a session knows what fuel it has left when it goes on.
const GOES_ON: &str = "nothing follows what was stopped";

/// One unit while it runs: what it has left, and what it has made.
pub(crate) struct Session<'a> {
    pub sandbox: &'a Sandbox,
    pub program: &'a Program,
    pub work: Arc<Work>,
    pub inputs: Arc<Inputs>,
    pub outputs: BTreeMap<String, Vec<u8>>,
    pub states: Vec<Digest>,
    host: Option<Host>,
    /// Fuel that the unit began with, at most its limit.
    tank: u64,
    /// Fuel that is left of it, as long as that is known: no instance comes after one that was
    /// stopped.
    left: Option<u64>,
}

impl Sandbox {
    /// Runs one unit. Blocks; the guest's native stack is that of a thread with room for it, so
    /// outside of [`on_guest_thread`] each call starts one.
    pub fn run(
        &self,
        program: &Program,
        work: &Arc<Work>,
        inputs: &Inputs,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Run, RunError> {
        match self.run_within(program, work, inputs, observer, u64::MAX)? {
            Within::Ended(run) => Ok(run),
            Within::Stopped(_) => unreachable!("a unit's own limit ends it"),
        }
    }

    /// Runs one unit like [`Sandbox::run`] does, but no further than it takes to see that it uses
    /// more than `fuel`. The unit cannot tell; its own limit still holds.
    pub fn run_within(
        &self,
        program: &Program,
        work: &Arc<Work>,
        inputs: &Inputs,
        observer: Option<Arc<dyn Observer>>,
        fuel: u64,
    ) -> Result<Within, RunError> {
        on_guest_thread(|| self.run_here(program, work, inputs, observer, fuel))?
    }

    fn run_here(
        &self,
        program: &Program,
        work: &Arc<Work>,
        inputs: &Inputs,
        observer: Option<Arc<dyn Observer>>,
        fuel: u64,
    ) -> Result<Within, RunError> {
        let start = Instant::now();
        work.check()?;
        if work.profile.id() != self.rules.id {
            let work = work.profile.id().to_owned();
            return Err(RunError::Profile {
                work,
                sandbox: self.rules.id,
            });
        }
        let inputs = Arc::new(inputs.of(work)?);
        let id = work.unit();
        let unit = Unit {
            id,
            seed: Work::seed(&id),
            work: work.clone(),
            inputs: inputs.clone(),
        };
        // One more than asked for: the engine stops a guest that has used up its last unit of fuel,
        // even if it would have used no other.
        let tank = fuel.saturating_add(1).min(work.limits.fuel);
        let session = Session {
            sandbox: self,
            program,
            work: work.clone(),
            inputs,
            outputs: BTreeMap::new(),
            states: Vec::new(),
            host: Some(Host::new(unit, self.rules, observer)),
            tank,
            left: Some(tank),
        };
        session.run(start)
    }
}

impl Session<'_> {
    fn run(mut self, start: Instant) -> Result<Within, RunError> {
        let ended = world::run(&mut self).map_err(RunError::World)?;
        let host = self
            .host
            .take()
            .expect("every instance gives the host back");
        let (class, error, detail) = classify(self.sandbox.rules, ended)?;
        let left = self.left.filter(|_| self.work.profile.counts(class));
        if self.wants_more(class, left) {
            return Ok(Within::Stopped(host.transcript));
        }
        if matches!(class, Class::Ok | Class::Err) {
            let put = host
                .put
                .into_iter()
                .map(|(digest, data)| (names::blob(&digest), data));
            self.outputs.extend(put);
        } else {
            self.outputs.clear();
        }
        // A stepper that ended early has put out no list that its states could be checked by.
        if !self.outputs.contains_key(names::STATES) {
            self.states.clear();
        }
        if let Some(error) = &error {
            self.outputs
                .insert(names::ERROR.into(), codec::encode(error));
        }
        let limit = self.work.limits.fuel;
        Ok(Within::Ended(Run {
            class,
            fuel: left.map_or(limit, |left| self.tank - left),
            outputs: self.outputs,
            transcript: host.transcript,
            states: self.states,
            error,
            detail,
            log: host.log,
            memory: host.limiter.peak as u64,
            wall: start.elapsed(),
        }))
    }

    /// Whether it used up a tank that is smaller than its own limit. Nobody looks at the tank after
    /// the last operation, so a guest may have succeeded and used it up.
    fn wants_more(&self, class: Class, left: Option<u64>) -> bool {
        let used_up = class == Class::OutOfFuel || left == Some(0);
        used_up && self.tank < self.work.limits.fuel
    }

    /// Makes a fresh instance, which is paid for first, and lets `call` use it. The fuel it used and
    /// the host's state carry over to the next one.
    pub fn with_instance<R>(
        &mut self,
        call: impl FnOnce(&mut Guest<'_>) -> Result<R, Ended>,
    ) -> Result<R, Ended> {
        self.pay(self.sandbox.rules.instance)?;
        let host = self
            .host
            .take()
            .expect("every instance gives the host back");
        let mut store = Store::new(&self.sandbox.engine, host);
        store.limiter(|host| &mut host.limiter);
        store.set_hostcall_fuel(self.sandbox.rules.call_bytes);
        let left = self.left.expect(GOES_ON);
        fuel::fill(&mut store, left);
        let instance = self.instantiate(&mut store);
        let counter = instance.as_ref().ok().copied().zip(self.program.counter);
        let ended = instance.map_err(Ended::from).and_then(|instance| {
            call(&mut Guest {
                store: &mut store,
                instance,
                sandbox: self.sandbox,
            })
        });
        let (left, ended) = fuel::settle(&mut store, counter, ended);
        self.left = left;
        self.host = Some(store.into_data());
        ended
    }

    fn instantiate(&self, store: &mut Store<Host>) -> Result<Instance, Error> {
        let made = self.program.pre.instantiate(&mut *store);
        made.map_err(|error| match store.data().limiter.refused {
            Some(what) if !has_cause(&error) => Stop::Limit(what).into(),
            _ => error,
        })
    }

    /// Charges what the host itself does with `bytes` bytes between instances: as much as a call that
    /// carries them.
    pub fn charge(&mut self, bytes: u64) -> Result<(), Error> {
        let load = Load { bytes, parts: 0 };
        self.pay(load.cost(self.sandbox.rules))
    }

    /// Takes fuel between instances.
    fn pay(&mut self, cost: u64) -> Result<(), Error> {
        self.left = self.left.expect(GOES_ON).checked_sub(cost);
        self.left.map(drop).ok_or_else(|| Stop::OutOfFuel.into())
    }

    /// The unit's host, between instances.
    pub fn host(&mut self) -> &mut Host {
        self.host.as_mut().expect("no instance is running")
    }

    /// The input of that name.
    pub fn input(&self, name: &str) -> Option<Blob> {
        self.inputs.get(self.work.inputs.get(name)?).cloned()
    }

    /// The unit's seed.
    pub fn seed(&self) -> Digest {
        Work::seed(&self.work.unit())
    }

    /// Makes `bytes` an output.
    pub fn output(&mut self, name: impl Into<String>, bytes: Vec<u8>) -> Result<(), Error> {
        self.host().spend_output(bytes.len())?;
        self.outputs.insert(name.into(), bytes);
        Ok(())
    }
}

/// An instance while it is called.
pub(crate) struct Guest<'a> {
    pub store: &'a mut Store<Host>,
    pub instance: Instance,
    sandbox: &'a Sandbox,
}

impl Guest<'_> {
    /// Charges a call that carries so much between host and guest.
    pub fn charge(&mut self, load: Load) -> Result<(), Error> {
        let cost = load.cost(self.sandbox.rules);
        Ok(fuel::charge(&mut *self.store, cost)?)
    }
}

/// What a call carries.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Load {
    pub bytes: u64,
    /// Items of lists, which are allocated one by one.
    pub parts: u64,
}

impl Load {
    pub fn bytes(bytes: usize) -> Self {
        let bytes = bytes as u64;
        Self { bytes, parts: 0 }
    }

    /// What such a call costs.
    fn cost(self, rules: &Rules) -> u64 {
        let bytes = rules.byte.saturating_mul(self.bytes);
        let parts = rules.part.saturating_mul(self.parts);
        rules.call.saturating_add(bytes).saturating_add(parts)
    }
}

type Classified = (Class, Option<GuestError>, Option<String>);

fn classify(rules: &Rules, ended: Result<(), Ended>) -> Result<Classified, Abort> {
    let error = match ended {
        Ok(()) => return Ok((Class::Ok, None, None)),
        Err(Ended::Error(error)) => return Ok((Class::Err, Some(error), None)),
        Err(Ended::Stopped(error)) => error,
    };
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return of_stop(stop);
    }
    let detail = Some(told(&error));
    match fuel::cause(rules, &error) {
        Cause::OutOfFuel => return Ok((Class::OutOfFuel, None, None)),
        Cause::Panic { .. } => return Ok((Class::Panic, None, detail)),
        Cause::Depth => return of_stop(&Stop::Limit("the depth of calls")),
        Cause::Other => {}
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Err(Abort::Stack),
        // It would have a place, were there memory to say it in.
        Some(Trap::UnreachableCodeReached | Trap::AllocationTooLarge) => Err(Abort::HostMemory),
        Some(_) => Ok((Class::Trap, None, detail)),
        None if is_host_fault(&error) => Err(Abort::Internal(format!("{error:#}"))),
        // The engine found that the guest broke the component model's rules.
        None => Ok((Class::Trap, None, detail)),
    }
}

/// An error and what is below it, for people. The engine's own long form would add where in this
/// program it was made, if `RUST_BACKTRACE` is set. What comes from the guest, its functions' names,
/// may be long: it is cut.
fn told(error: &Error) -> String {
    const MOST: usize = 8_000;
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n\nCaused by:\n    {cause}"));
    }
    if text.len() > MOST {
        let last = error.root_cause();
        text.truncate(text.floor_char_boundary(MOST));
        text.push_str(&format!("…\n\nCaused by:\n    {last}"));
    }
    text
}

fn of_stop(stop: &Stop) -> Result<Classified, Abort> {
    match stop {
        Stop::Exit(0) => Ok((Class::Ok, None, None)),
        Stop::Exit(code) => Ok((Class::Err, Some(GuestError::Exit(*code)), None)),
        Stop::OutOfFuel => Ok((Class::OutOfFuel, None, None)),
        Stop::Limit(_) => Ok((Class::Limit, None, Some(stop.to_string()))),
        Stop::Trap(_) => Ok((Class::Trap, None, Some(stop.to_string()))),
        Stop::Abort(abort) => Err(abort.clone()),
    }
}

/// Whether an error itself says why no instance was made. One about memory that the limiter refused
/// does not; where the error comes from a guest that is running, the refusal was of its own growth.
fn has_cause(error: &Error) -> bool {
    error.is::<Stop>() || error.is::<Trap>() || error.is::<WasmBacktrace>() || is_host_fault(error)
}

/// Errors that are neither traps nor ours: those that say that this machine is short of something.
fn is_host_fault(error: &Error) -> bool {
    error
        .downcast_ref::<wasmtime::PoolConcurrencyLimitError>()
        .is_some()
        || error
            .downcast_ref::<wasmtime::error::OutOfMemory>()
            .is_some()
        || error.downcast_ref::<std::io::Error>().is_some()
        // The engine passes on what the system said when it maps memory for an instance.
        || error.downcast_ref::<Errno>().is_some()
}

thread_local! {
    static ON_GUEST_THREAD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Calls `f` on a thread whose stack has room for a guest. Units that `f` runs then start none of
/// their own; a call from such a thread is a plain call. Fails, with `f` not called, where the
/// system starts no more threads.
pub fn on_guest_thread<R: Send>(f: impl FnOnce() -> R + Send) -> Result<R, Abort> {
    if ON_GUEST_THREAD.get() {
        return Ok(f());
    }
    std::thread::scope(|scope| {
        let marked = || {
            ON_GUEST_THREAD.set(true);
            f()
        };
        let thread = std::thread::Builder::new()
            .name("guest".into())
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, marked)
            .map_err(|error| Abort::Internal(format!("no thread starts for guests: {error}")))?;
        let ended = thread.join();
        Ok(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use wasmtime::error::Context;

    use super::*;
    use crate::PROFILE_0;

    #[test]
    fn what_the_system_refuses_is_never_the_guests_result() {
        let refused = [
            Error::from(Errno::NOMEM),
            Error::from(std::io::Error::from(Errno::AGAIN)),
            Err::<(), _>(Errno::NOMEM)
                .context("mapping a memory")
                .unwrap_err(),
        ];
        for error in refused {
            let classified = classify(&PROFILE_0, Err(Ended::Stopped(error)));
            assert!(
                matches!(classified, Err(Abort::Internal(_))),
                "{classified:?}"
            );
        }
    }
}
