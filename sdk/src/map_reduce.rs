//! Map-reduce: one program over many shards.
use crate::{Error, Input, Key, Output, wire};

/// What [`MapReduce::map`] makes of a shard: a vector of pairs, and may be written as one.
pub type Pairs<Key, Value> = Vec<(Key, Value)>;

/// A program over many shards at once. Put [`#[opensky::map_reduce]`](macro@crate::map_reduce) on the
/// `impl`.
///
/// Each shard is mapped in a unit of its own to key-value pairs; the pairs are brought together by
/// key, and each key is reduced once, with all its values. Nothing but bytes crosses between units: a
/// `static` that one unit sets is not seen by another.
///
/// The job's output is what [`reduce`](MapReduce::reduce) returned for each key, one after the other:
/// partition by partition (a key's partition is a hash of it), in key order within a partition. JSON
/// outputs get a line each, bytes and text stay as they are. To make one document of it all, add
/// [`Finish`].
pub trait MapReduce {
    /// One shard of the input, as [`Input`] reads it.
    type Shard: Input;
    /// What values are brought together by.
    type Key: Key;
    /// What a shard has to say about a key. Crosses as [`Output`] writes it and [`Input`] reads it.
    type Value: Input + Output;
    /// What there is to say about a key in the end.
    type Output: Input + Output;

    /// One shard's pairs, in any order and with as many pairs for a key as there are.
    ///
    /// # Errors
    /// Ends the job: an error is its result.
    fn map(shard: Self::Shard) -> Result<Pairs<Self::Key, Self::Value>, Error>;

    /// Joins values that one shard has for one key, before they travel. Called for each key with two
    /// values or more, in the order in which [`map`](MapReduce::map) made them. By default they travel
    /// as they are; where none is returned, this shard has nothing for the key.
    ///
    /// # Errors
    /// Ends the job.
    fn combine(key: &Self::Key, values: Vec<Self::Value>) -> Result<Vec<Self::Value>, Error> {
        let _ = key;
        Ok(values)
    }

    /// All values of one key, in shard order.
    ///
    /// # Errors
    /// Ends the job.
    fn reduce(key: Self::Key, values: Vec<Self::Value>) -> Result<Self::Output, Error>;
}

/// A last unit that makes one output of what was reduced. Needs
/// [`#[opensky::map_reduce(finish)]`](macro@crate::map_reduce) on the `impl MapReduce`.
pub trait Finish: MapReduce {
    /// The job's output.
    type Final: Output;

    /// All keys and what they were reduced to, sorted by key: the number of partitions cannot be seen.
    ///
    /// # Errors
    /// Ends the job.
    fn finish(reduced: Vec<(Self::Key, Self::Output)>) -> Result<Self::Final, Error>;
}

pub(crate) fn map<M: MapReduce>(shard: Vec<u8>) -> Result<Pairs<Vec<u8>, Vec<u8>>, Error> {
    let pairs = M::map(M::Shard::decode(shard)?)?;
    let encode = |(key, value): (M::Key, M::Value)| Ok((encode_key(&key), value.encode()?));
    pairs.into_iter().map(encode).collect()
}

pub(crate) fn combine<M: MapReduce>(
    key: Vec<u8>,
    values: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Error> {
    let values = M::combine(&M::Key::decode(&key)?, decode_all(values)?)?;
    values.into_iter().map(Output::encode).collect()
}

/// For a program without [`Finish`]: what is in the job's output.
pub(crate) fn reduce<M: MapReduce>(key: Vec<u8>, values: Vec<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let mut output = M::reduce(M::Key::decode(&key)?, decode_all(values)?)?.encode()?;
    if wire::is_json::<M::Output>() {
        output.push(b'\n');
    }
    Ok(output)
}

/// For a program with [`Finish`]: key and output, each after its length, so that they can be told
/// apart again.
pub(crate) fn reduce_framed<M: MapReduce>(
    key: Vec<u8>,
    values: Vec<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let output = M::reduce(M::Key::decode(&key)?, decode_all(values)?)?.encode()?;
    let mut framed = Vec::with_capacity(key.len() + output.len() + 2 * size_of::<u32>());
    for part in [&key, &output] {
        let len =
            u32::try_from(part.len()).map_err(|_| Error::failed("an output is over 4 GiB"))?;
        framed.extend_from_slice(&len.to_le_bytes());
        framed.extend_from_slice(part);
    }
    Ok(framed)
}

pub(crate) fn finish<M: Finish>(partitions: Vec<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
    for mut rest in partitions.iter().map(Vec::as_slice) {
        while !rest.is_empty() {
            pairs.push((take_frame(&mut rest)?, take_frame(&mut rest)?));
        }
    }
    pairs.sort_by_key(|(key, _)| *key);
    let decode = |(key, output): (&[u8], &[u8])| {
        Ok((M::Key::decode(key)?, M::Output::decode(output.to_vec())?))
    };
    let reduced = pairs
        .into_iter()
        .map(decode)
        .collect::<Result<_, Error>>()?;
    M::finish(reduced)?.encode()
}

fn take_frame<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let cut = || Error::failed("a partition was cut short");
    let (len, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
    let len = u32::from_le_bytes(*len) as usize;
    let (frame, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
    *bytes = rest;
    Ok(frame)
}

fn encode_key(key: &impl Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    bytes
}

fn decode_all<T: Input>(values: Vec<Vec<u8>>) -> Result<Vec<T>, Error> {
    values.into_iter().map(T::decode).collect()
}
