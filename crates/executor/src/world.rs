//! What a unit of each world calls, in which order, and what becomes of what is returned.

use std::{collections::BTreeMap, sync::Arc};

use opensky_protocol::{
    Digest, Group, GuestError, Partition, Work, World, codec, merge, names, partition_of,
};
use wasmtime::{
    Error,
    component::{ComponentExportIndex, ComponentNamedList, ComponentType, Lift, Lower},
};

use crate::{
    Blob,
    host::{
        Stop,
        bind::{Words, digest},
    },
    program::Export,
    run::{Ended, Guest, Load, Session},
};

/// `opensky:compute/types.job-error`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum JobError {
    #[component(name = "invalid-input")]
    InvalidInput(String),
    #[component(name = "failed")]
    Failed(String),
    #[component(name = "missing-blob")]
    MissingBlob(Words),
}

impl From<JobError> for GuestError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::InvalidInput(text) => Self::InvalidInput(text),
            JobError::Failed(text) => Self::Failed(text),
            JobError::MissingBlob(words) => Self::MissingBlob(digest(words)),
        }
    }
}

/// `opensky:compute/types.kv`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Kv {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// `opensky:compute/stepper.progress`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Progress {
    #[component(name = "more")]
    More(Vec<u8>),
    #[component(name = "done")]
    Done(Vec<u8>),
}

/// What goes between guest and host.
trait Carried {
    fn load(&self) -> Load;
}

impl Carried for Vec<u8> {
    fn load(&self) -> Load {
        Load::bytes(self.len())
    }
}

impl Carried for Vec<Vec<u8>> {
    fn load(&self) -> Load {
        Load {
            bytes: self.iter().map(|item| item.len() as u64 + 8).sum(),
            parts: self.len() as u64,
        }
    }
}

impl Carried for Vec<Kv> {
    fn load(&self) -> Load {
        Load {
            bytes: self
                .iter()
                .map(|kv| (kv.key.len() + kv.value.len() + 16) as u64)
                .sum(),
            // Key, value, and as much again for finding its place among the others.
            parts: 4 * self.len() as u64,
        }
    }
}

impl Carried for Progress {
    fn load(&self) -> Load {
        match self {
            Self::More(bytes) | Self::Done(bytes) => bytes.load(),
        }
    }
}

impl Guest<'_> {
    /// Calls an export with parameters that carry so much. What the guest returns as its own error
    /// ends it.
    fn call<P, T>(&mut self, f: &ComponentExportIndex, params: P, load: Load) -> Result<T, Ended>
    where
        P: ComponentNamedList + Lower,
        T: ComponentType + Lift + Carried + 'static,
    {
        self.charge(load)?;
        let typed = self
            .instance
            .get_typed_func::<P, (Result<T, JobError>,)>(&mut *self.store, f)?;
        let (answer,) = typed.call(&mut *self.store, params)?;
        match answer {
            Ok(value) => {
                self.charge(value.load())?;
                Ok(value)
            }
            Err(error) => {
                let error = GuestError::from(error);
                let len = codec::encode(&error).len();
                self.charge(Load::bytes(len))?;
                let host = self.store.data_mut();
                host.spend_output(len).map_err(Error::from)?;
                Err(error.into())
            }
        }
    }
}

/// What the host may still hold for a unit between its calls: as much as the guest itself may.
struct Room(u64);

impl Room {
    fn of(work: &Work) -> Self {
        Self(work.limits.memory)
    }

    fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or(Stop::Limit("memory"))?;
        Ok(())
    }
}

/// Runs the session's unit. The outer error is the entry that the program does not have.
pub(crate) fn run(session: &mut Session<'_>) -> Result<Result<(), Ended>, Export> {
    let exports = session.program.exports;
    let world = session.work.world;
    let missing = Export::of(world);
    Ok(match world {
        World::Job => job(session, &exports.job.ok_or(missing)?[0]),
        World::Map { partitions } => map(session, &exports.map_reduce.ok_or(missing)?, partitions),
        World::Reduce => reduce(session, &exports.map_reduce.ok_or(missing)?[2]),
        World::Finish => finish(session, &exports.finish.ok_or(missing)?[0]),
        World::Stepper { steps } => stepper(session, &exports.stepper.ok_or(missing)?, steps),
        World::Command => command(session, &exports.command.ok_or(missing)?[0]),
    })
}

fn job(session: &mut Session<'_>, run: &ComponentExportIndex) -> Result<(), Ended> {
    let input = main_input(session);
    let input = (*input).as_ref();
    let output =
        session.with_instance(|guest| guest.call(run, (input,), Load::bytes(input.len())))?;
    Ok(session.output(names::OUTPUT, output)?)
}

fn main_input(session: &Session<'_>) -> Blob {
    session.input(names::INPUT).unwrap_or_else(|| Arc::new([]))
}

/// Maps one shard, groups and combines what comes out, and cuts it into partitions.
fn map(
    session: &mut Session<'_>,
    [map_shard, combine, _]: &[ComponentExportIndex; 3],
    partitions: u32,
) -> Result<(), Ended> {
    let input = main_input(session);
    let shard = (*input).as_ref();
    let mut room = Room::of(&session.work);
    let groups = session.with_instance(|guest| {
        let records: Vec<Kv> = guest.call(map_shard, (shard,), Load::bytes(shard.len()))?;
        let mut by_key = BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new();
        for Kv { key, value } in records {
            by_key.entry(key).or_default().push(value);
        }
        let mut groups = Vec::new();
        for (key, mut values) in by_key {
            if values.len() > 1 {
                values = call_group(guest, combine, &key, &values)?;
            }
            // A key that is left without values has nothing to be reduced.
            if !values.is_empty() {
                let group = Group { key, values };
                room.take(group.memory())?;
                groups.push(group);
            }
        }
        Ok(groups)
    })?;
    let mut cut = vec![Partition::default(); partitions as usize];
    for group in groups {
        cut[partition_of(&group.key, partitions) as usize].push(group);
    }
    for (index, partition) in (0..).zip(&cut) {
        if partition.memory() > codec::MEMORY_LIMIT as u64 {
            return Err(Error::from(Stop::Limit("memory of a partition")).into());
        }
        session.charge(partition.memory())?;
        let bytes = codec::encode(partition);
        session.charge(bytes.len() as u64)?;
        session.output(names::partition(index), bytes)?;
    }
    Ok(())
}

/// `combine` and `reduce`: a function of one key and its values.
fn call_group<T: ComponentType + Lift + Carried + 'static>(
    guest: &mut Guest<'_>,
    f: &ComponentExportIndex,
    key: &[u8],
    values: &Vec<Vec<u8>>,
) -> Result<T, Ended> {
    let mut load = values.load();
    load.bytes += key.len() as u64;
    guest.call(f, (key, values.as_slice()), load)
}

/// Reduces one partition of all shards: keys in byte order, values in shard order.
fn reduce(session: &mut Session<'_>, reduce: &ComponentExportIndex) -> Result<(), Ended> {
    let work = session.work.clone();
    let mut room = Room::of(&work);
    let mut partitions = Vec::new();
    for name in work.inputs.keys().filter(|name| name.starts_with("shard/")) {
        let blob = session
            .input(name)
            .expect("a unit starts with all its inputs");
        let bytes = (*blob).as_ref();
        session.charge(bytes.len() as u64)?;
        let partition = match Partition::decode(bytes) {
            Ok(partition) => partition,
            Err(error) => {
                session.charge(most_memory(bytes))?;
                let text = format!("{name} is no partition: {error}");
                return Err(GuestError::InvalidInput(text).into());
            }
        };
        room.take(partition.memory())?;
        session.charge(partition.memory())?;
        partitions.push(partition);
    }
    let groups = merge(partitions);
    let output = session.with_instance(|guest| {
        let mut output = Vec::new();
        for Group { key, values } in &groups {
            let part: Vec<u8> = call_group(guest, reduce, key, values)?;
            guest
                .store
                .data_mut()
                .spend_output(part.len())
                .map_err(Error::from)?;
            output.extend(part);
        }
        Ok(output)
    })?;
    session.outputs.insert(names::OUTPUT.into(), output);
    Ok(())
}

/// What a partition of that length may take at most, and so what decoding it may have taken until it
/// failed: three bytes make a group of 96, of no key and one empty value.
fn most_memory(bytes: &[u8]) -> u64 {
    (bytes.len() as u64 * 32).min(codec::MEMORY_LIMIT as u64)
}

/// Makes one output of all partitions.
fn finish(session: &mut Session<'_>, finish: &ComponentExportIndex) -> Result<(), Ended> {
    let work = session.work.clone();
    let names = work
        .inputs
        .keys()
        .filter(|name| name.starts_with("partition/"));
    let blobs: Vec<Blob> = names.filter_map(|name| session.input(name)).collect();
    let parts: Vec<&[u8]> = blobs.iter().map(|blob| (**blob).as_ref()).collect();
    let load = Load {
        bytes: parts.iter().map(|part| part.len() as u64 + 8).sum(),
        parts: parts.len() as u64,
    };
    let output = session.with_instance(|guest| guest.call(finish, (parts.as_slice(),), load))?;
    Ok(session.output(names::OUTPUT, output)?)
}

/// Takes up to `steps` steps, each in a fresh instance. `init` counts as none.
fn stepper(
    session: &mut Session<'_>,
    [init, step]: &[ComponentExportIndex; 2],
    steps: u32,
) -> Result<(), Ended> {
    let mut state = match session.input(names::STATE) {
        Some(state) => (*state).as_ref().to_vec(),
        None => {
            let input = main_input(session);
            let input = (*input).as_ref();
            let state: Vec<u8> = session
                .with_instance(|guest| guest.call(init, (input,), Load::bytes(input.len())))?;
            session.states.push(Digest::of(&state));
            state
        }
    };
    let mut output = None;
    let unit_seed = session.seed();
    for _ in 0..steps {
        // Each step draws random numbers of its own. Those of another unit that comes to the same
        // state are others: the seed is from the unit's.
        let seed = Work::step_seed(&unit_seed, &Digest::of(&state));
        session.host().renew(seed);
        let bytes = state.as_slice();
        match session.with_instance(|guest| guest.call(step, (bytes,), Load::bytes(bytes.len())))? {
            Progress::More(next) => {
                session.states.push(Digest::of(&next));
                state = next;
            }
            Progress::Done(done) => {
                output = Some(done);
                break;
            }
        }
    }
    let states = codec::encode(&session.states);
    session.output(names::STATES, states)?;
    match output {
        Some(output) => session.output(names::OUTPUT, output)?,
        None => session.output(names::STATE, state)?,
    }
    Ok(())
}

/// Runs an unmodified command: what it wrote is its output, whatever its exit code.
fn command(session: &mut Session<'_>, run: &ComponentExportIndex) -> Result<(), Ended> {
    let called = session.with_instance(|guest| {
        guest.charge(Load::default())?;
        let typed = guest
            .instance
            .get_typed_func::<(), (Result<(), ()>,)>(&mut *guest.store, run)?;
        Ok(typed.call(&mut *guest.store, ())?)
    });
    let wasi = std::mem::take(&mut session.host().wasi);
    session.outputs.extend(wasi.into_outputs());
    match called? {
        (Ok(()),) => Ok(()),
        (Err(()),) => Err(GuestError::Exit(1).into()),
    }
}
