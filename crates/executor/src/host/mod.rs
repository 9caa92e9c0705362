//! The host as a guest sees it: what a unit's store holds, and the one door through which every
//! host call goes.

pub(crate) mod bind;
mod blobs;
mod context;
mod limiter;
mod record;
mod report;
mod stop;
pub(crate) mod wasi;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use opensky_protocol::{Abort, Digest, Transcript, Work};
use wasmtime::component::{Linker, ResourceTable};

pub(crate) use self::{
    bind::{Call, Interface},
    limiter::Limiter,
    record::{Record, Recorder},
    stop::Stop,
};
use crate::{
    fuel::{self, Tank},
    profile::Rules,
};

/// A blob's bytes, wherever they are kept.
pub type Blob = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The bytes of a unit's inputs, by digest.
#[derive(Clone, Default)]
pub struct Inputs(HashMap<Digest, Blob>);

impl Inputs {
    /// Adds bytes, and returns the digest that they are found by.
    pub fn insert(&mut self, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes: Vec<u8> = bytes.into();
        let digest = Digest::of(&bytes);
        self.0.insert(digest, Arc::new(bytes));
        digest
    }

    /// Adds bytes whose digest was checked by whoever hands them over.
    pub fn insert_verified(&mut self, digest: Digest, blob: Blob) {
        self.0.insert(digest, blob);
    }

    /// The bytes of that digest.
    pub fn get(&self, digest: &Digest) -> Option<&Blob> {
        self.0.get(digest)
    }
}

/// What the instance that is running may see of its unit. Fixed before it starts.
pub(crate) struct Unit {
    pub id: Digest,
    /// The seed of this instance: the unit's, or one derived for this step.
    pub seed: Digest,
    pub work: Arc<Work>,
    /// The blobs of the work's inputs, all of them and no others.
    pub inputs: Arc<Inputs>,
}

/// What a unit's store holds: the guest's side of the host.
pub(crate) struct Host {
    pub unit: Unit,
    pub rules: &'static Rules,
    pub tank: Tank,
    pub transcript: Transcript,
    pub table: ResourceTable,
    pub limiter: Limiter,
    /// Blobs that were put, by digest.
    pub put: BTreeMap<Digest, Vec<u8>>,
    pub log: Vec<u8>,
    pub wasi: wasi::State,
    output_left: u64,
    log_left: u64,
    recorder: Recorder,
    observer: Option<Arc<dyn Observer>>,
}

/// Watches a unit while it runs, for people. Nothing it does reaches the guest.
pub trait Observer: Send + Sync {
    /// A line of log, or a piece of standard error.
    fn log(&self, text: &str);
    /// The guest says how far it is.
    fn progress(&self, done: u64, total: Option<u64>);
}

impl Host {
    pub fn new(unit: Unit, rules: &'static Rules, observer: Option<Arc<dyn Observer>>) -> Self {
        let limits = unit.work.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(rules.handles);
        Self {
            tank: Tank::default(),
            transcript: Transcript::start(&unit.id),
            table,
            limiter: Limiter::new(limits.memory, rules.table_elements),
            put: BTreeMap::new(),
            log: Vec::new(),
            wasi: wasi::State::default(),
            output_left: limits.output,
            log_left: limits.log,
            recorder: Recorder::default(),
            observer,
            unit,
            rules,
        }
    }

    /// Makes this the host of a fresh instance of the same unit: what the guest left behind is
    /// gone, what it has used and said stays counted.
    pub fn renew(&mut self, seed: Digest) {
        self.unit.seed = seed;
        self.table = ResourceTable::new();
        self.table.set_max_capacity(self.rules.handles);
        self.limiter.renew();
        self.wasi = wasi::State::default();
    }

    /// Counts bytes of output, and ends the guest where there are too many.
    pub fn spend_output(&mut self, bytes: usize) -> Result<(), Stop> {
        self.output_left = self
            .output_left
            .checked_sub(bytes as u64)
            .ok_or(Stop::Limit("bytes of output"))?;
        Ok(())
    }

    /// Gives back output that the guest has taken away again: a file it truncated or removed.
    pub fn refund_output(&mut self, bytes: usize) {
        self.output_left += bytes as u64;
    }

    /// Adds to the log, and ends the guest where it has grown too long.
    pub fn spend_log(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.log_left = self
            .log_left
            .checked_sub(text.len() as u64)
            .ok_or(Stop::Limit("bytes of log"))?;
        self.log.extend_from_slice(text);
        if let Some(observer) = &self.observer {
            observer.log(&String::from_utf8_lossy(text));
        }
        Ok(())
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        if let Some(observer) = &self.observer {
            observer.progress(done, total);
        }
    }
}

impl Inputs {
    /// The inputs that `work` names, all of them and no others.
    pub(crate) fn of(&self, work: &Work) -> Result<Self, Abort> {
        let found = |(name, digest): (&String, &Digest)| {
            let blob = self
                .get(digest)
                .ok_or_else(|| Abort::MissingInput(name.clone()))?;
            Ok((*digest, blob.clone()))
        };
        work.inputs
            .iter()
            .map(found)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Puts every host function of the verified class in place.
pub(crate) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    fuel::define(linker, rules)?;
    context::define(linker, rules)?;
    blobs::define(linker, rules)?;
    report::define(linker, rules)?;
    wasi::define(linker, rules)
}
