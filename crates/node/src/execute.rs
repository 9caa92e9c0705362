//! Runs units in processes for strangers' code, and compiles their programs once.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use opensky_executor::{
    Artifact, Backend, Cache, CompileError, Inputs, Run, RunError, Sandbox, admit,
    worker::{Compiler, Launcher, Pool, PoolOptions, Stops},
};
use opensky_protocol::{Abort, Digest, NodeKey, Profile, Work};

use crate::programs::{New, Programs};

/// What runs units: [`Sandboxed`] for everyone who means it well.
///
/// Whoever wraps one can spoil its results, and the node around it will sign and defend them like its
/// own: that is how nodes that lie are made, for tests, without a line about lying in this crate.
pub trait Execute: Send + Sync + 'static {
    /// Runs units of one program for one requester, in order, and returns as many results. Called from
    /// a thread that may block.
    fn run(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>>;
}

/// Units of one program for one requester.
pub struct Batch<'a> {
    /// Who asks; of an encrypted job, a name that stands for that job of theirs alone.
    pub requester: NodeKey,
    /// The units. All name the same program and profile.
    pub works: &'a [Arc<Work>],
    /// All that they take in.
    pub inputs: &'a Inputs,
    /// Reads the component, for whoever has not compiled it yet. Where that is encrypted its bytes have
    /// another digest than the works name.
    pub component: &'a (dyn Fn() -> Result<Vec<u8>, Abort> + Sync),
    /// Which of the units, by their places, nobody wants any more: one that runs ends at once, without a
    /// result.
    pub stops: &'a Stops,
}

/// Runs units in the sandbox, each program and requester in a process of its own.
pub struct Sandboxed {
    pool: Pool,
    compiler: Compiler,
    engines: Mutex<BTreeMap<Profile, Arc<Sandbox>>>,
    programs: Programs,
}

impl Sandboxed {
    /// A place for `cores` units at once, that starts workers with `launcher` and keeps compiled code
    /// in the folder `cache`.
    pub fn new(launcher: Launcher, cache: &Path, cores: NonZeroUsize) -> Self {
        let options = PoolOptions {
            // Beside those that run, some that wait for the next requester.
            most: cores.get() * 2 + 2,
            spares: cores.get().min(4),
            ..PoolOptions::default()
        };
        let cache = Cache::open(cache, Cache::DEFAULT_LIMIT);
        Self {
            pool: Pool::new(launcher.clone(), options),
            compiler: Compiler::new(cache, launcher),
            engines: Mutex::default(),
            programs: Programs::default(),
        }
    }

    /// The program's code. A core that compiles runs nothing else meanwhile, and holds up no other.
    fn program(&self, batch: &Batch<'_>, work: &Work) -> Result<Artifact, Abort> {
        let make = || {
            let component = match (batch.component)() {
                Ok(component) => component,
                Err(abort) => return New::Nothing(abort),
            };
            let is_public = Digest::of(&component) == work.program;
            match self.compile(&component, work, is_public) {
                made @ (Ok(_) | Err(Abort::Compile(_))) if is_public => New::Public(made),
                made @ (Ok(_) | Err(Abort::Compile(_))) => New::Secret(made),
                Err(abort @ Abort::WorkerDied(_)) => New::CutOff { abort, is_public },
                Err(abort) => New::Nothing(abort),
            }
        };
        let name = (work.program, work.profile.clone());
        self.programs.find_or_make(name, batch.requester, make)
    }

    /// What is not public leaves no trace on the disk.
    fn compile(&self, component: &[u8], work: &Work, is_public: bool) -> Result<Artifact, Abort> {
        admit(component).map_err(|refusal| Abort::Compile(refusal.to_string()))?;
        let engine = self.engine(&work.profile)?;
        let artifact = match is_public {
            true => self.compiler.artifact(&engine, component),
            false => self.compiler.secret(&engine, component, work.program),
        };
        artifact.map_err(|error| match error {
            CompileError::Refused(reason) => Abort::Compile(reason),
            CompileError::Abort(abort) => abort,
        })
    }

    fn engine(&self, profile: &Profile) -> Result<Arc<Sandbox>, Abort> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(profile) {
            return Ok(engine.clone());
        }
        let engine = Sandbox::without_pool(profile, Backend::Cranelift);
        let engine = Arc::new(engine.map_err(|error| Abort::Internal(error.to_string()))?);
        engines.insert(profile.clone(), engine.clone());
        Ok(engine)
    }
}

impl Execute for Sandboxed {
    fn run(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>> {
        let Some(first) = batch.works.first() else {
            return Vec::new();
        };
        let program = match self.program(batch, first) {
            Ok(program) => program,
            Err(abort) => return batch.works.iter().map(|_| Err(abort.clone())).collect(),
        };
        let results = self.pool.run_until_stopped(
            &program,
            &batch.requester,
            batch.works,
            batch.inputs,
            batch.stops,
        );
        let nobodys = |error| match error {
            RunError::Abort(abort) => abort,
            // Every host says so, in the same words: nobody can run it.
            error => Abort::Compile(error.to_string()),
        };
        results
            .into_iter()
            .map(|result| result.map_err(nobodys))
            .collect()
    }
}
