//! What the attribute macros expand to calls of: a job's functions in the form the host calls them.
use std::fmt;

pub use wit_bindgen;

pub use crate::bindings;
pub use crate::bindings::imports::opensky::compute::types::{JobError, Kv};
use crate::{
    Error, Finish, Input, MapReduce, Output, Step, Stepper, error::to_job_error, map_reduce,
    stepper,
};

/// Decodes, runs, encodes.
///
/// # Errors
/// What the job or the decoding of its input says.
pub fn run<In, Out, E>(
    job: impl FnOnce(In) -> Result<Out, E>,
    input: Vec<u8>,
) -> Result<Vec<u8>, JobError>
where
    In: Input,
    Out: Output,
    E: fmt::Display + 'static,
{
    run_bytes(job, input).map_err(to_job_error)
}

pub(crate) fn run_bytes<In, Out, E>(
    job: impl FnOnce(In) -> Result<Out, E>,
    input: Vec<u8>,
) -> Result<Vec<u8>, Error>
where
    In: Input,
    Out: Output,
    E: fmt::Display + 'static,
{
    job(In::decode(input)?)
        .map_err(Error::from_display)?
        .encode()
}

/// Fails to compile, at the job itself, for a function that cannot be one.
pub const fn assert_job<In, Out, E>(_: fn(In) -> Result<Out, E>)
where
    In: Input,
    Out: Output,
    E: fmt::Display + 'static,
{
}

/// # Errors
/// What `map` says.
pub fn map_shard<M: MapReduce>(shard: Vec<u8>) -> Result<Vec<Kv>, JobError> {
    let pairs = map_reduce::map::<M>(shard).map_err(to_job_error)?;
    Ok(pairs
        .into_iter()
        .map(|(key, value)| Kv { key, value })
        .collect())
}

/// # Errors
/// What `combine` says.
pub fn combine<M: MapReduce>(key: Vec<u8>, values: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, JobError> {
    map_reduce::combine::<M>(key, values).map_err(to_job_error)
}

/// # Errors
/// What `reduce` says.
pub fn reduce<M: MapReduce>(key: Vec<u8>, values: Vec<Vec<u8>>) -> Result<Vec<u8>, JobError> {
    map_reduce::reduce::<M>(key, values).map_err(to_job_error)
}

/// # Errors
/// What `reduce` says.
pub fn reduce_framed<M: MapReduce>(
    key: Vec<u8>,
    values: Vec<Vec<u8>>,
) -> Result<Vec<u8>, JobError> {
    map_reduce::reduce_framed::<M>(key, values).map_err(to_job_error)
}

/// # Errors
/// What `finish` says.
pub fn finish<M: Finish>(partitions: Vec<Vec<u8>>) -> Result<Vec<u8>, JobError> {
    map_reduce::finish::<M>(partitions).map_err(to_job_error)
}

/// # Errors
/// What `init` says.
pub fn init<S: Stepper>(input: Vec<u8>) -> Result<Vec<u8>, JobError> {
    stepper::init::<S>(input).map_err(to_job_error)
}

/// # Errors
/// What `step` says.
pub fn step<S: Stepper>(state: Vec<u8>) -> Result<Step<Vec<u8>, Vec<u8>>, JobError> {
    stepper::step::<S>(state).map_err(to_job_error)
}

/// Tells whether a type implements [`Finish`]: `Probe::<T>::FINISHES` is the constant of its own
/// where it does, and [`NoFinish`]'s where it does not.
pub struct Probe<T>(std::marker::PhantomData<T>);

impl<T: Finish> Probe<T> {
    /// It does.
    pub const FINISHES: bool = true;
}

/// The answer for all other types.
pub trait NoFinish {
    /// It does not.
    const FINISHES: bool = false;
}

impl<T> NoFinish for Probe<T> {}
