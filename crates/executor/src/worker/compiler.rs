//! Compiles a component in a process that can be killed, or takes its code from the cache.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::AsFd,
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use opensky_protocol::{Abort, Digest};

use crate::{
    CompileError,
    artifact::{self, Artifact},
    cache::Cache,
    engine::Sandbox,
    program::Program,
    worker::{
        Kind, Launcher,
        line::Lost,
        message::{Compile, Compiled, EngineKind, Setup},
        process::Process,
        sealed::{Sealed, blank},
    },
};

/// What a compilation may take before it is killed.
#[derive(Clone, Debug)]
pub struct CompileLimits {
    /// Time for any component.
    pub base: Duration,
    /// Time for each MiB of component, beyond that.
    pub per_mib: Duration,
    /// Time that no component gets more than.
    pub longest: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of native code.
    pub native: u64,
    /// Threads.
    pub threads: NonZeroUsize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(10),
            per_mib: Duration::from_secs(20),
            longest: Duration::from_secs(600),
            memory: 4 << 30,
            native: 1 << 30,
            threads: available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

impl CompileLimits {
    /// How long a component of `len` bytes may take.
    fn time(&self, len: usize) -> Duration {
        let mib = len as f64 / f64::from(1 << 20);
        (self.base + self.per_mib.mul_f64(mib)).min(self.longest)
    }
}

/// Turns components into programs. Shared by all threads; each compilation is a process of its own.
pub struct Compiler {
    cache: Cache,
    launcher: Launcher,
    limits: CompileLimits,
}

impl Compiler {
    /// A compiler with the usual limits.
    pub fn new(cache: Cache, launcher: Launcher) -> Self {
        Self::with_limits(cache, launcher, CompileLimits::default())
    }

    /// A compiler with limits of one's own.
    pub fn with_limits(cache: Cache, launcher: Launcher, limits: CompileLimits) -> Self {
        Self {
            cache,
            launcher,
            limits,
        }
    }

    /// The program that `component` is, for running it in this process. Blocks while it compiles.
    pub fn compile(&self, sandbox: &Sandbox, component: &[u8]) -> Result<Program, CompileError> {
        Ok(self.artifact(sandbox, component)?.load(sandbox)?)
    }

    /// The component's native code for engines like the sandbox's. Blocks while it compiles.
    ///
    /// # Errors
    /// [`CompileError`]: an [`Abort::Compile`] in it is the compiler's own word, and it would say the same again. One that
    /// is cut off has said nothing: the machine may have been busy, or short of memory.
    pub fn artifact(&self, sandbox: &Sandbox, component: &[u8]) -> Result<Artifact, CompileError> {
        let program = Digest::of(component);
        let key = artifact::key(sandbox, &program, &self.launcher);
        let native = match self.cache.load(&key) {
            Some(native) => native,
            None => {
                let native = self.in_worker(sandbox, component)?;
                self.cache.store(&key, &native);
                native
            }
        };
        Ok(made(sandbox, program, native))
    }

    /// The native code of a component that nobody else may see: it is neither looked for in the cache
    /// nor kept there. Works call it `program`, which is no digest of its bytes. Blocks while it
    /// compiles.
    pub fn secret(
        &self,
        sandbox: &Sandbox,
        component: &[u8],
        program: Digest,
    ) -> Result<Artifact, CompileError> {
        let native = self.in_worker(sandbox, component)?;
        Ok(made(sandbox, program, native))
    }

    fn in_worker(&self, sandbox: &Sandbox, component: &[u8]) -> Result<Sealed, CompileError> {
        let time = self.limits.time(component.len());
        let setup = Setup {
            engine: EngineKind::new(sandbox.rules().profile(), sandbox.backend()),
            memory: self.limits.memory,
            file: self.limits.native,
            // Behind the watchdog: should the parent be stopped, the worker still ends.
            cpu: (time.as_secs() + 1) * self.limits.threads.get() as u64 + 60,
            threads: u32::try_from(self.limits.threads.get()).unwrap_or(u32::MAX),
        };
        let mut worker = Process::start(&self.launcher, Kind::Compile, &setup)?;
        worker.ready()?;

        let host = |error: io::Error| Abort::Internal(format!("no file in memory: {error}"));
        let component = Sealed::of([component]).map_err(host)?;
        let native = blank().map_err(host)?;
        let deadline = Instant::now() + time;
        let files = [component.as_fd(), native.as_fd()];
        let answer = worker
            .send(&Compile, &files, deadline)
            .and_then(|()| worker.receive(deadline));
        let len = match answer {
            Ok(Compiled(answer)) => answer?,
            Err(Lost::Late) => {
                let how = format!("compiling took longer than {time:.1?}");
                return Err(Abort::WorkerDied(how).into());
            }
            Err(lost) => {
                let how = worker.obituary(&lost);
                return Err(Abort::WorkerDied(format!("when compiling: {how}")).into());
            }
        };
        // Nobody else has the file once the worker is gone, so what is sealed is what is checked.
        drop(worker);
        let native = Sealed::seal(native).map_err(host)?;
        if native.len() as u64 != len || len > self.limits.native {
            let text = "the compile worker did not write what it said";
            return Err(Abort::Compile(text.into()).into());
        }
        Ok(native)
    }
}

fn made(sandbox: &Sandbox, program: Digest, native: Sealed) -> Artifact {
    Artifact {
        native: Arc::new(native),
        program,
        profile: sandbox.rules().profile(),
        backend: sandbox.backend(),
    }
}
