//! What a job may know about the unit that it runs in.
use std::{fmt, str::FromStr};

use crate::{Digest, Error, host};

/// The unit's id: the digest of all that can influence its result.
pub fn unit_id() -> Digest {
    host::unit_id()
}

/// Which shard this is, and of how many: `(0, 1)` for a unit that is not sharded.
pub fn shard() -> (u32, u32) {
    host::shard()
}

/// The unit's 32-byte seed, derived from its id: different for different inputs, the same on every
/// machine. [`rng`](crate::rng()) starts from it.
///
/// In a [`Stepper`](crate::Stepper), `init` has the unit's seed, and each step has one of its own,
/// derived from the unit's and from the state that the step starts from. So a step that is run again
/// draws the same numbers, and the next step draws others. A unit takes a limited number of steps;
/// the next unit goes on from the last state, but with a seed of its own.
pub fn seed() -> [u8; 32] {
    host::seed()
}

/// The unit's virtual time at its start, in Unix seconds. It is a part of the work, set by the
/// requester; what `std::time` shows goes on from here.
pub fn virtual_time() -> u64 {
    host::virtual_time()
}

/// All parameters, sorted by key: what `--param KEY=VALUE` gave.
pub fn params() -> Vec<(String, String)> {
    host::params()
}

/// One parameter.
pub fn param(key: &str) -> Option<String> {
    let params = params().into_iter();
    params
        .into_iter()
        .find_map(|(name, value)| (name == key).then_some(value))
}

/// One parameter as a number or anything else that parses, or `default` where it is absent.
///
/// # Errors
/// [`Error::InvalidInput`] when it is there and does not parse.
pub fn param_or<T>(key: &str, default: T) -> Result<T, Error>
where
    T: FromStr<Err: fmt::Display>,
{
    let Some(value) = param(key) else {
        return Ok(default);
    };
    let refuse = |error| Error::InvalidInput(format!("parameter {key}={value}: {error}"));
    value.parse().map_err(refuse)
}
