//! The run worker: units of one program, for one requester.

use std::{io, ops::Range, os::fd::OwnedFd, sync::Arc};

use opensky_protocol::{Abort, Digest, Work};

use crate::{
    Inputs, Program, Run, RunError,
    engine::{Sandbox, SandboxError},
    on_guest_thread,
    worker::{
        SandboxReport, filter,
        line::{Lost, WorkerEnd},
        lockdown,
        message::{Answer, EngineKind, Loaded, Part, Parts, Request, Setup, Told, clip},
        ready,
        sealed::{Mapped, Sealed},
    },
};

/// Below this limit on memory the tables of a pool, which count whether they are used or not, would
/// take too much of it.
const POOL: u64 = 2 << 30;

/// The sandbox for units of the program to come. With a pool where there is room for one: units start
/// faster from it. The engine then looks into this process's own page map, so that it clears no more
/// memory than a unit has written; this is the one file that a run worker opens. With capabilities
/// the map would show where pages are.
pub(super) fn sandbox(setup: &Setup, report: SandboxReport) -> Result<Sandbox, SandboxError> {
    let (profile, backend) = (&setup.engine.profile, setup.engine.backend());
    if setup.memory >= POOL
        && report.no_capabilities
        && let Ok(sandbox) = Sandbox::for_one(profile, backend)
    {
        return Ok(sandbox);
    }
    Sandbox::without_pool(profile, backend)
}

pub(super) fn serve(
    parent: &mut WorkerEnd,
    setup: &Setup,
    sandbox: Result<Sandbox, SandboxError>,
    report: SandboxReport,
) -> Result<(), Lost> {
    let sandbox = match sandbox {
        Ok(sandbox) => sandbox,
        Err(error) => return ready(parent, Err(error.to_string())),
    };
    let worker = Worker {
        engine: setup.engine.clone(),
        sandbox,
        program: None,
        inputs: Inputs::default(),
    };
    let served = on_guest_thread(|| worker.serve(&mut *parent, report));
    match served {
        Ok(ended) => ended,
        Err(abort) => ready(parent, Err(abort.to_string())),
    }
}

struct Worker {
    engine: EngineKind,
    sandbox: Sandbox,
    program: Option<Program>,
    inputs: Inputs,
}

impl Worker {
    fn serve(mut self, parent: &mut WorkerEnd, mut report: SandboxReport) -> Result<(), Lost> {
        let alone = lockdown::close_threads();
        report.resource_limits &= alone.is_ok();
        report.seccomp = filter::before_load().is_ok();
        ready(parent, Ok(report))?;
        loop {
            let (request, files) = parent.receive::<Request>()?;
            self.handle(parent, request, files)?;
        }
    }

    fn handle(
        &mut self,
        parent: &mut WorkerEnd,
        request: Request,
        mut files: Vec<OwnedFd>,
    ) -> Result<(), Lost> {
        match request {
            Request::Load(engine) => {
                let native = files.pop().ok_or(Lost::Rules("a program is a file"))?;
                let loaded = self.load(engine, Sealed::accept(native)?)?;
                parent.send(&Loaded(loaded), &[])
            }
            Request::Inputs(list) => {
                let file = files.pop().map(Sealed::accept).transpose()?;
                self.inputs = inputs(list, file)?;
                Ok(())
            }
            Request::Run(works) => works.into_iter().try_for_each(|work| {
                let mut apart = Vec::new();
                let answer = self.answer(&work, &mut apart)?;
                parent.send(&answer, &apart)
            }),
        }
    }

    fn load(&mut self, engine: EngineKind, native: Sealed) -> Result<Result<(), Abort>, Lost> {
        if self.program.is_some() {
            return Err(Lost::Rules("a worker has one program in its life"));
        }
        if engine != self.engine {
            // Making a pool asks the system for more than is left to ask for.
            match Sandbox::without_pool(&engine.profile, engine.backend()) {
                Ok(sandbox) => (self.sandbox, self.engine) = (sandbox, engine),
                Err(error) => return Ok(Err(Abort::Internal(error.to_string()))),
            }
        }
        let native = native.map()?;
        // SAFETY: the parent vouches for the code, and it is sealed.
        let loaded = unsafe { self.sandbox.load(native.as_ref()) };
        // Where the first filter is missing, so is this one, and the report says so.
        let _ = filter::after_load();
        Ok(loaded.map(|program| self.program = Some(program)))
    }

    fn answer(&self, work: &Arc<Work>, apart: &mut Vec<Vec<u8>>) -> Result<Answer, Lost> {
        let program = self
            .program
            .as_ref()
            .ok_or(Lost::Rules("a unit before its program"))?;
        Ok(match self.sandbox.run(program, work, &self.inputs, None) {
            Ok(run) => Answer::Run(told(run, apart)),
            Err(RunError::Abort(abort)) => Answer::Abort(abort),
            Err(RunError::World(_)) => Answer::NoExport,
            Err(error @ (RunError::Work(_) | RunError::Profile { .. })) => {
                Answer::Abort(Abort::Internal(error.to_string()))
            }
        })
    }
}

fn told(run: Run, apart: &mut Vec<Vec<u8>>) -> Told {
    let mut parts = Parts::new(apart);
    let outputs = run.outputs.into_iter();
    let outputs = outputs
        .map(|(name, bytes)| (name, parts.add(bytes)))
        .collect();
    Told {
        class: run.class,
        fuel: run.fuel,
        outputs,
        transcript: run.transcript,
        states: run.states,
        detail: run.detail.map(clip),
        log: parts.add(run.log),
        memory: run.memory,
        wall_nanos: u64::try_from(run.wall.as_nanos()).unwrap_or(u64::MAX),
    }
}

/// A piece of a file of inputs.
struct Piece {
    file: Arc<Mapped>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &(*self.file).as_ref()[self.range.clone()]
    }
}

fn inputs(list: Vec<(Digest, Part)>, file: Option<Sealed>) -> Result<Inputs, Lost> {
    let file = file.map(|file| file.map()).transpose()?.map(Arc::new);
    let mut inputs = Inputs::default();
    let mut at = 0;
    for (digest, part) in list {
        match part {
            Part::Here(bytes) => inputs.insert_verified(digest, Arc::new(bytes)),
            Part::Apart(len) => {
                let file = file
                    .clone()
                    .ok_or(Lost::Rules("inputs without their file"))?;
                let end = at + usize::try_from(len).map_err(io::Error::other)?;
                let range = at..end;
                inputs.insert_verified(digest, Arc::new(Piece { file, range }));
                at = end;
            }
        }
    }
    Ok(inputs)
}
