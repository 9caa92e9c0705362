//! The bytes between map and reduce: which partition a key belongs to, and in what order its values
//! come.

use alloc::{collections::BTreeMap, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::codec::{self, CodecError};

/// All values that one shard has for one key, in the order in which the program made them.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Group {
    /// The key.
    pub key: Vec<u8>,
    /// At least one.
    pub values: Vec<Vec<u8>>,
}

impl Group {
    /// Bytes of memory that it takes, as units are charged for it: those of the key and the values,
    /// and what it costs to keep them apart. No less than decoding it takes.
    pub fn memory(&self) -> u64 {
        let values = self.values.iter().map(|value| value.len() as u64 + 32);
        self.key.len() as u64 + 64 + values.sum::<u64>()
    }
}

/// One shard's share of one partition: groups in byte order of their keys, each key once. Its
/// canonical bytes are an output of a map unit and an input of a reduce unit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct Partition(Vec<Group>);

impl Partition {
    /// Decodes canonical bytes; groups out of order or without a value are not canonical.
    ///
    /// # Errors
    /// Those of [`codec::decode`], whose limit of memory holds here too.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let partition: Self = codec::decode(bytes)?;
        let sorted = partition.0.is_sorted_by(|a, b| a.key < b.key);
        let whole = partition.0.iter().all(|group| !group.values.is_empty());
        if sorted && whole {
            Ok(partition)
        } else {
            Err(CodecError::NotCanonical)
        }
    }

    /// Bytes of memory that its groups take: see [`Group::memory`]. Bytes of a partition that takes
    /// more than [`codec::MEMORY_LIMIT`] may not decode.
    pub fn memory(&self) -> u64 {
        self.0.iter().map(Group::memory).sum()
    }

    /// Adds a group. Keys are to come in ascending order, each once.
    ///
    /// # Panics
    /// If they do not: the bytes would not decode.
    pub fn push(&mut self, group: Group) {
        assert!(
            self.0.last().is_none_or(|last| last.key < group.key),
            "keys out of order"
        );
        self.0.push(group);
    }
}

/// The partition of `key`, from 0: the first eight bytes of its BLAKE3, little-endian, mod
/// `partitions`.
///
/// # Panics
/// If there are no partitions.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let hash = blake3::hash(key);
    let head = hash.as_bytes()[..8]
        .try_into()
        .expect("a hash has 32 bytes");
    (u64::from_le_bytes(head) % u64::from(partitions)) as u32
}

/// The groups that a reduce unit sees: keys in byte order, values in shard order. `shards` come in
/// shard order.
pub fn merge(shards: impl IntoIterator<Item = Partition>) -> Vec<Group> {
    let mut merged: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for group in shards.into_iter().flat_map(|partition| partition.0) {
        merged.entry(group.key).or_default().extend(group.values);
    }
    merged
        .into_iter()
        .map(|(key, values)| Group { key, values })
        .collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn partition(groups: &[(&str, &[&str])]) -> Partition {
        let mut partition = Partition::default();
        for (key, values) in groups {
            let values = values
                .iter()
                .map(|value| value.as_bytes().to_vec())
                .collect();
            partition.push(Group {
                key: key.as_bytes().to_vec(),
                values,
            });
        }
        partition
    }

    #[test]
    fn values_of_a_key_come_in_shard_order() {
        let merged = merge([
            partition(&[("b", &["1", "2"])]),
            partition(&[("a", &["9"]), ("b", &["0"])]),
        ]);
        let expected = partition(&[("a", &["9"]), ("b", &["1", "2", "0"])]);
        assert_eq!(merged, expected.0);
    }

    #[test]
    fn unsorted_or_repeated_keys_do_not_decode() {
        let group = |key: u8| Group {
            key: vec![key],
            values: vec![vec![]],
        };
        for keys in [[2, 1], [1, 1]] {
            let bytes = codec::encode(&Partition(keys.map(group).to_vec()));
            assert_eq!(Partition::decode(&bytes), Err(CodecError::NotCanonical));
        }
    }

    #[test]
    fn a_key_without_values_does_not_decode() {
        let group = Group {
            key: vec![1],
            values: vec![],
        };
        let bytes = codec::encode(&Partition(vec![group]));
        assert_eq!(Partition::decode(&bytes), Err(CodecError::NotCanonical));
    }

    /// Else a map unit could put out what no reduce unit can read.
    #[test]
    fn decoding_takes_no_more_than_a_partition_is_said_to_take() {
        use parity_scale_codec::DecodeWithMemLimit;
        let many = vec![vec![]; 1000];
        let groups = [("", &["", ""][..]), ("a", &["bc"]), ("d", &[""])];
        let mut partition = partition(&groups);
        partition.push(Group {
            key: vec![255; 100],
            values: many,
        });
        let bytes = codec::encode(&partition);
        let limit = partition.memory() as usize;
        assert!(Partition::decode_with_mem_limit(&mut bytes.as_slice(), limit).is_ok());
    }

    #[test]
    fn partition_of_a_key_is_fixed() {
        let found: Vec<u32> = ["", "a", "serde", "tokio"]
            .map(|key| partition_of(key.as_bytes(), 7))
            .to_vec();
        assert_eq!(found, [1, 4, 0, 0]);
    }
}
