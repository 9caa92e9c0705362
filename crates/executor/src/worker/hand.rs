//! A run worker that has its program, and how units are passed to it in batches.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use opensky_protocol::{Abort, Digest, Work};
use parity_scale_codec::Encode;

use crate::{
    Export, Inputs, Run, RunError,
    artifact::Artifact,
    worker::{
        judge::judge,
        line::Lost,
        message::{Answer, EngineKind, Loaded, Part, Parts, Request, clip},
        pace::Pace,
        process::Process,
        sealed::Sealed,
        stops::Stops,
    },
};

/// How long a unit may run before it counts as hanging: an abort, because clocks differ.
#[derive(Clone, Debug)]
pub struct Watchdog {
    /// Time for any unit.
    pub floor: Duration,
    /// Fuel that the slowest honest machine burns in a second. Time beyond the floor follows from
    /// it and the unit's fuel limit.
    pub fuel_per_second: u64,
    /// Time that no unit gets more than.
    pub ceiling: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            floor: Duration::from_secs(10),
            // A tenth of what slow machines were seen to do.
            fuel_per_second: 50_000_000,
            ceiling: Duration::from_secs(24 * 3600),
        }
    }
}

impl Watchdog {
    fn time(&self, work: &Work) -> Duration {
        let seconds = work.limits.fuel / self.fuel_per_second.max(1);
        self.floor
            .saturating_add(Duration::from_secs(seconds))
            .min(self.ceiling)
    }
}

/// Units in one message, and the bytes of one message: enough that the hop does not show.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;
/// A worker that does not take a message, or load a program, in this time hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a guest's own error may have, which no limit counts.
const ERROR_BYTES: u64 = 129 << 20;

/// A run worker that serves one program for one requester.
pub(super) struct Hand {
    process: Process,
    /// The inputs that the worker has.
    inputs: BTreeSet<Digest>,
}

impl Hand {
    /// Gives a fresh worker its program.
    pub fn load(mut process: Process, program: &Artifact) -> Result<Self, Abort> {
        let engine = EngineKind::new(program.profile.clone(), program.backend);
        let deadline = Instant::now() + PATIENCE;
        let answer = process
            .send(&Request::Load(engine), &[program.native.as_fd()], deadline)
            .and_then(|()| process.receive(deadline));
        match answer {
            Ok(Loaded(loaded)) => loaded.map_err(clip_abort)?,
            Err(lost) => return Err(Abort::WorkerDied(process.obituary(&lost))),
        }
        Ok(Self {
            process,
            inputs: BTreeSet::new(),
        })
    }

    /// Whether the worker is gone.
    pub fn is_gone(&self) -> bool {
        self.process.line.has_news()
    }

    /// Runs units in order, and gives each result to `done` as it comes. An abort here is that of
    /// the first unit without a result, and the worker is of no more use; those after it were not
    /// started. `places` are those of the units in the batch that `stops` is about.
    pub fn run(
        &mut self,
        works: &[&Arc<Work>],
        inputs: &Inputs,
        watchdog: &Watchdog,
        (stops, places): (&Stops, &[usize]),
        mut done: impl FnMut(Result<Run, RunError>),
    ) -> Result<(), Abort> {
        let mut rest = works;
        let mut places = places;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_len(rest));
            let (here, beyond) = places.split_at(batch.len());
            self.give(batch, inputs)?;
            self.take_all(batch, watchdog, (stops, here), &mut done)?;
            (rest, places) = (later, beyond);
        }
        Ok(())
    }

    /// Takes the answers to a batch that was given just now. Each is sent as soon as it is there, so
    /// whatever becomes of the worker, the first that is missing is that of the unit that ran.
    fn take_all(
        &mut self,
        batch: &[&Arc<Work>],
        watchdog: &Watchdog,
        (stops, places): (&Stops, &[usize]),
        done: &mut impl FnMut(Result<Run, RunError>),
    ) -> Result<(), Abort> {
        let given = Instant::now();
        let mut pace = Pace::new(given);
        for (index, work) in batch.iter().enumerate() {
            stops.begun(places[index], &self.process.target);
            if self.process.line.is_drained()
                && let Some(pause) = pace.pause(Instant::now(), batch.len() - index)
            {
                sleep(pause);
            }
            done(self.take(work, given, watchdog)?);
            pace.took();
        }
        Ok(())
    }

    fn give(&mut self, batch: &[&Arc<Work>], inputs: &Inputs) -> Result<(), Abort> {
        self.give_inputs(batch, inputs)?;
        let works = batch.iter().map(|work| Arc::clone(work)).collect();
        self.send(&Request::Run(works), None)
    }

    fn give_inputs(&mut self, batch: &[&Arc<Work>], inputs: &Inputs) -> Result<(), Abort> {
        let needed: BTreeSet<Digest> = batch
            .iter()
            .flat_map(|work| work.inputs.values().copied())
            .collect();
        if needed.is_subset(&self.inputs) {
            return Ok(());
        }
        let mut apart = Vec::new();
        let mut parts = Parts::new(&mut apart);
        let blobs = needed.iter().map(|digest| {
            let blob = inputs
                .get(digest)
                .expect("checked before any unit is given");
            (*digest, parts.add((**blob).as_ref()))
        });
        let list: Vec<_> = blobs.collect();
        let file = if apart.is_empty() {
            None
        } else {
            let failed = |error| Abort::Internal(format!("no file in memory: {error}"));
            Some(Sealed::of(apart).map_err(failed)?)
        };
        self.send(&Request::Inputs(list), file.as_ref())?;
        self.inputs = needed;
        Ok(())
    }

    fn send(&mut self, request: &Request, file: Option<&Sealed>) -> Result<(), Abort> {
        let file = file.map(AsFd::as_fd);
        self.process
            .send(request, file.as_slice(), Instant::now() + PATIENCE)
            .map_err(|lost| Abort::WorkerDied(self.process.obituary(&lost)))
    }

    /// Waits for the answer to one unit, the one that is running, of a batch that was given then.
    fn take(
        &mut self,
        work: &Work,
        given: Instant,
        watchdog: &Watchdog,
    ) -> Result<Result<Run, RunError>, Abort> {
        let deadline = Instant::now() + watchdog.time(work);
        match self.answer(work, given, deadline) {
            Ok(answer) => Ok(answer),
            Err(Lost::Late) => Err(Abort::Watchdog),
            Err(lost) => Err(Abort::WorkerDied(self.process.obituary(&lost))),
        }
    }

    fn answer(
        &mut self,
        work: &Work,
        given: Instant,
        deadline: Instant,
    ) -> Result<Result<Run, RunError>, Lost> {
        let limits = &work.limits;
        let most = limits
            .output
            .saturating_add(limits.log)
            .saturating_add(ERROR_BYTES);
        let (answer, tail) = self.process.line.receive::<Answer>(most, deadline)?;
        let (mut told, expected) = match answer {
            Answer::Run(told) => {
                let apart = told.outputs.values().chain([&told.log]).map(Part::apart);
                let expected = apart.fold(0u64, u64::saturating_add);
                (told, expected)
            }
            Answer::Abort(abort) => return Ok(Err(clip_abort(abort).into())),
            Answer::NoExport => return Ok(Err(RunError::World(Export::of(work.world)))),
        };
        if tail != expected {
            return Err(Lost::Rules("an answer has another length than it says"));
        }
        let parts = std::mem::take(&mut told.outputs);
        let mut outputs = BTreeMap::new();
        for (name, part) in parts {
            outputs.insert(name, self.bytes(part, deadline)?);
        }
        let log = std::mem::replace(&mut told.log, Part::Here(Vec::new()));
        let log = self.bytes(log, deadline)?;
        told.detail = told.detail.map(clip);
        let elapsed = given.elapsed();
        judge(work, told, outputs, log, elapsed)
            .map(Ok)
            .map_err(Lost::Rules)
    }

    fn bytes(&mut self, part: Part, deadline: Instant) -> Result<Vec<u8>, Lost> {
        match part {
            Part::Here(bytes) => Ok(bytes),
            Part::Apart(len) => self.process.line.read_vec(len as usize, deadline),
        }
    }
}

fn batch_len(works: &[&Arc<Work>]) -> usize {
    let mut bytes = 0;
    let fits = works.iter().take(BATCH).take_while(|work| {
        bytes += work.encoded_size();
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

/// A worker's reasons are for people: a page is enough.
fn clip_abort(abort: Abort) -> Abort {
    match abort {
        Abort::Compile(text) => Abort::Compile(clip(text)),
        Abort::MissingInput(text) => Abort::MissingInput(clip(text)),
        Abort::WorkerDied(text) => Abort::WorkerDied(clip(text)),
        Abort::Internal(text) => Abort::Internal(clip(text)),
        Abort::HostMemory | Abort::Stack | Abort::Watchdog => abort,
    }
}
