//! Runs jobs natively, so that plain `cargo test` tests them: no sandbox, no build for wasm.
//!
//! [`run`] is enough for most jobs. A [`Unit`] stands for what the requester sets (parameters, seed,
//! named inputs) and keeps what the job reports. Every value goes through its bytes, as on the
//! network, so a type that does not survive the way is found here. What cannot be found here is what
//! only the sandbox has: fuel, limits, its clock, its file system, its hash seeds.
use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc};

use crate::{
    __private as export, Digest, Error, Finish, Input, Level, MapReduce, Output, Step, Stepper,
    host::native::{State, digest_of, step_seed, within},
    map_reduce, stepper,
};

/// Seed of a unit that sets none.
const SEED: [u8; 32] = [0; 32];
/// Virtual time of a unit that sets none: the start of 2020, in Unix seconds.
const VIRTUAL_TIME: u64 = 1_577_836_800;

/// Runs a job on an input, in a unit without parameters, named inputs or shards.
///
/// # Errors
/// What the job says.
pub fn run<In, Out, E>(job: fn(In) -> Result<Out, E>, input: In) -> Result<Out, Error>
where
    In: Input + Output,
    Out: Input + Output,
    E: fmt::Display + 'static,
{
    Unit::new().run(job, input)
}

/// The values of each key, as bytes.
type Groups = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;
/// `reduce` as the host calls it.
type Reduce = fn(Vec<u8>, Vec<Vec<u8>>) -> Result<Vec<u8>, Error>;

/// A unit to run jobs in: what the requester sets, and what the job reported.
///
/// ```
/// fn greet(name: String) -> Result<String, opensky::Error> {
///     opensky::info!("greeting {name}");
///     let greeting = opensky::param_or("greeting", "Hello".to_owned())?;
///     Ok(format!("{greeting}, {name}!"))
/// }
///
/// let unit = opensky::test::Unit::new().param("greeting", "Ahoy");
/// assert_eq!(unit.run(greet, "Ada".to_owned()), Ok("Ahoy, Ada!".to_owned()));
/// assert_eq!(unit.logs(), [(opensky::Level::Info, "greeting Ada".to_owned())]);
/// ```
#[derive(Debug)]
pub struct Unit {
    state: Rc<RefCell<State>>,
    partitions: u32,
}

impl Default for Unit {
    fn default() -> Self {
        Self::new()
    }
}

impl Unit {
    /// A unit without parameters, named inputs or shards.
    pub fn new() -> Self {
        let state = State {
            unit_id: digest_of(b"a unit of opensky::test"),
            shard: (0, 1),
            params: Vec::new(),
            seed: SEED,
            virtual_time: VIRTUAL_TIME,
            inputs: Vec::new(),
            logs: Vec::new(),
            progress: Vec::new(),
            outputs: Vec::new(),
        };
        Self {
            state: Rc::new(RefCell::new(state)),
            partitions: 1,
        }
    }

    /// Sets a parameter, as `--param KEY=VALUE` does.
    pub fn param(self, key: &str, value: impl fmt::Display) -> Self {
        self.with(|state| insert_sorted(&mut state.params, key, value.to_string()))
    }

    /// Sets a named input, as `--in NAME=FILE` does. The network takes names of 1 to 255 bytes, in at
    /// most 16 parts between slashes; here any will do.
    pub fn input(self, name: &str, data: impl AsRef<[u8]>) -> Self {
        self.with(|state| insert_sorted(&mut state.inputs, name, data.as_ref().into()))
    }

    /// Sets the unit's seed; all zeros otherwise. The network gives each unit another one, so the map
    /// and reduce units of one job too, which all have this one here. Each step of a stepper draws
    /// from a seed of its own, which follows from this one by the network's rule.
    pub fn seed(self, seed: [u8; 32]) -> Self {
        self.with(|state| state.seed = seed)
    }

    /// Says which shard this is, and of how many. [`Unit::map_reduce`] says it by itself.
    pub fn shard(self, index: u32, count: u32) -> Self {
        self.with(|state| state.shard = (index, count))
    }

    /// Sets the virtual time, in Unix seconds; the start of 2020 otherwise.
    pub fn virtual_time(self, seconds: u64) -> Self {
        self.with(|state| state.virtual_time = seconds)
    }

    /// Sets the number of partitions that [`Unit::map_reduce`] reduces in; 1 otherwise.
    ///
    /// # Panics
    /// If it is 0.
    pub fn partitions(mut self, partitions: u32) -> Self {
        assert!(partitions > 0, "there is at least one partition");
        self.partitions = partitions;
        self
    }

    /// Runs a job.
    ///
    /// # Errors
    /// What the job says.
    pub fn run<In, Out, E>(&self, job: fn(In) -> Result<Out, E>, input: In) -> Result<Out, Error>
    where
        In: Input + Output,
        Out: Input + Output,
        E: fmt::Display + 'static,
    {
        Out::decode(self.run_bytes(job, &input.encode()?)?)
    }

    /// Runs a job on bytes, as the network does: for inputs that a well-behaved requester does not
    /// send.
    ///
    /// # Errors
    /// What the job says, and [`Error::InvalidInput`] for bytes that it cannot read.
    pub fn run_bytes<In, Out, E>(
        &self,
        job: fn(In) -> Result<Out, E>,
        input: &[u8],
    ) -> Result<Vec<u8>, Error>
    where
        In: Input,
        Out: Output,
        E: fmt::Display + 'static,
    {
        within(&self.state, || export::run_bytes(job, input.to_vec()))
    }

    /// Runs a map-reduce program without [`Finish`] and gives the bytes of the job's output.
    ///
    /// # Errors
    /// What the program says.
    pub fn map_reduce<M: MapReduce>(
        &self,
        shards: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Vec<u8>, Error> {
        let partitions = self.reduce_with::<M>(shards, map_reduce::reduce::<M>)?;
        Ok(partitions.concat())
    }

    /// Runs a map-reduce program with [`Finish`] and gives the job's output.
    ///
    /// # Errors
    /// What the program says.
    pub fn map_reduce_finish<M: Finish<Final: Input>>(
        &self,
        shards: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<M::Final, Error> {
        let partitions = self.reduce_with::<M>(shards, map_reduce::reduce_framed::<M>)?;
        let output = within(&self.state, || map_reduce::finish::<M>(partitions))?;
        M::Final::decode(output)
    }

    /// Runs a stepper to its end, all its steps in one unit.
    ///
    /// # Errors
    /// What the stepper says. One that never ends does not return.
    pub fn stepper<S>(&self, input: S::Input) -> Result<S::Output, Error>
    where
        S: Stepper<Input: Output, Output: Input>,
    {
        let input = input.encode()?;
        let mut state = within(&self.state, || stepper::init::<S>(input))?;
        let seed = self.state.borrow().seed;
        loop {
            let draws_from = step_seed(&seed, &state);
            let step = || stepper::step::<S>(state);
            match self.within_changed(|unit| unit.seed = draws_from, step)? {
                Step::More(next) => state = next,
                Step::Done(output) => return S::Output::decode(output),
            }
        }
    }

    /// The lines logged so far.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.state.borrow().logs.clone()
    }

    /// The progress reported so far: done and total.
    pub fn progress(&self) -> Vec<(u64, Option<u64>)> {
        self.state.borrow().progress.clone()
    }

    /// The blob that the job put under this digest. `None` where it put no such blob.
    pub fn output(&self, id: Digest) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        let mut outputs = state.outputs.iter();
        outputs.find(|data| digest_of(data) == id).cloned()
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state.borrow_mut());
        self
    }

    /// Maps every shard, and reduces partition by partition.
    fn reduce_with<M: MapReduce>(
        &self,
        shards: impl IntoIterator<Item = impl AsRef<[u8]>>,
        reduce: Reduce,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let shards: Vec<_> = shards.into_iter().collect();
        let mut partitions = vec![Groups::new(); self.partitions as usize];
        for (index, shard) in shards.iter().enumerate() {
            for (key, values) in self.map_shard::<M>(shard.as_ref(), (index, shards.len()))? {
                let partition = &mut partitions[partition_of(&key, self.partitions)];
                partition.entry(key).or_default().extend(values);
            }
        }
        let reduce_partition = |(index, groups): (usize, Groups)| {
            self.within_shard((index, self.partitions as usize), || {
                let outputs = groups.into_iter().map(|(key, values)| reduce(key, values));
                Ok(outputs.collect::<Result<Vec<_>, Error>>()?.concat())
            })
        };
        let partitions = partitions.into_iter().enumerate();
        partitions.map(reduce_partition).collect()
    }

    /// One map unit: pairs brought together by key, and combined.
    fn map_shard<M: MapReduce>(
        &self,
        shard: &[u8],
        place: (usize, usize),
    ) -> Result<Groups, Error> {
        self.within_shard(place, || {
            let mut groups = Groups::new();
            for (key, value) in map_reduce::map::<M>(shard.to_vec())? {
                groups.entry(key).or_default().push(value);
            }
            for (key, values) in &mut groups {
                if values.len() > 1 {
                    *values = map_reduce::combine::<M>(key.clone(), std::mem::take(values))?;
                }
            }
            groups.retain(|_, values| !values.is_empty());
            Ok(groups)
        })
    }

    /// Runs `f` in a unit like this one that is shard `index` of `count`, and keeps what it reports.
    fn within_shard<T>(&self, (index, count): (usize, usize), f: impl FnOnce() -> T) -> T {
        self.within_changed(|unit| unit.shard = (index as u32, count as u32), f)
    }

    /// Runs `f` in this unit with another shard or seed, which are put back.
    fn within_changed<T>(&self, change: impl FnOnce(&mut State), f: impl FnOnce() -> T) -> T {
        let before = {
            let unit = self.state.borrow();
            (unit.shard, unit.seed)
        };
        change(&mut self.state.borrow_mut());
        let result = within(&self.state, f);
        let mut unit = self.state.borrow_mut();
        (unit.shard, unit.seed) = before;
        result
    }
}

/// The network's rule: the first eight bytes of the key's BLAKE3, little-endian, mod `partitions`.
fn partition_of(key: &[u8], partitions: u32) -> usize {
    let head = digest_of(key).to_words().0;
    (head % u64::from(partitions)) as usize
}

fn insert_sorted<T>(entries: &mut Vec<(String, T)>, name: &str, value: T) {
    match entries.binary_search_by(|(other, _)| other.as_str().cmp(name)) {
        Ok(at) => entries[at].1 = value,
        Err(at) => entries.insert(at, (name.to_owned(), value)),
    }
}
