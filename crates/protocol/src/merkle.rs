//! The binary Merkle root over a list of values, by which one signature stands for many.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::Digest;

/// The root over `leaves`, in order. Leaves and nodes have domains of their own; an odd node goes
/// up unchanged; the root of no leaves is that of the empty list.
pub fn merkle_root<T: Encode>(leaves: impl IntoIterator<Item = T>) -> Digest {
    let mut level: Vec<Digest> = leaves.into_iter().map(leaf).collect();
    if level.is_empty() {
        return Digest::derive("opensky no leaves 1", &());
    }
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level[0]
}

fn leaf<T: Encode>(value: T) -> Digest {
    Digest::derive("opensky leaf 1", &value)
}

fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => Digest::derive("opensky node 1", &(left, right)),
        odd => odd[0],
    }
}

/// The way from one leaf of a list to the list's root.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct MerklePath {
    /// The leaf's place, from 0.
    pub index: u32,
    /// How many leaves there are.
    pub count: u32,
    /// The other half of each pair on the way up; where a node goes up unchanged there is none.
    pub siblings: Vec<Digest>,
}

impl MerklePath {
    /// The path of a list's only leaf.
    pub const ALONE: Self = Self {
        index: 0,
        count: 1,
        siblings: Vec::new(),
    };

    /// The root of the list in which `value` has this place. `None` if the path is not one of a list
    /// of that length.
    pub fn root(&self, value: &impl Encode) -> Option<Digest> {
        if self.index >= self.count {
            return None;
        }
        let mut siblings = self.siblings.iter();
        let (mut at, mut count) = (self.index, self.count);
        let mut node = leaf(value);
        while count > 1 {
            if at ^ 1 < count {
                let other = *siblings.next()?;
                node = match at & 1 {
                    0 => parent(&[node, other]),
                    _ => parent(&[other, node]),
                };
            }
            at /= 2;
            count = count.div_ceil(2);
        }
        siblings.next().is_none().then_some(node)
    }
}

/// The root over `leaves`, and the path of each, in order.
pub fn merkle_paths<T: Encode>(leaves: &[T]) -> (Digest, Vec<MerklePath>) {
    let count = leaves.len() as u32;
    let mut paths: Vec<MerklePath> = (0..count)
        .map(|index| MerklePath {
            index,
            count,
            siblings: Vec::new(),
        })
        .collect();
    let mut level: Vec<Digest> = leaves.iter().map(leaf).collect();
    let mut depth = 0;
    while level.len() > 1 {
        for path in &mut paths {
            let other = (path.index as usize >> depth) ^ 1;
            path.siblings.extend(level.get(other));
        }
        level = level.chunks(2).map(parent).collect();
        depth += 1;
    }
    let root = level.first().copied();
    (root.unwrap_or_else(|| merkle_root::<T>([])), paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_to_the_root_and_only_from_its_leaf() {
        for count in 1..40u32 {
            let leaves: Vec<u32> = (0..count).collect();
            let (root, paths) = merkle_paths(&leaves);
            assert_eq!(root, merkle_root(&leaves));
            for (value, path) in leaves.iter().zip(&paths) {
                assert_eq!(path.root(value), Some(root));
                assert_ne!(path.root(&(value + 1)), Some(root));
            }
        }
    }

    #[test]
    fn root_depends_on_order_count_and_every_leaf() {
        let roots = [
            merkle_root::<u8>([]),
            merkle_root([1u8]),
            merkle_root([1u8, 2]),
            merkle_root([2u8, 1]),
            merkle_root([1u8, 2, 3]),
            merkle_root([1u8, 2, 3, 3]),
        ];
        for (i, a) in roots.iter().enumerate() {
            assert!(
                roots[i + 1..].iter().all(|b| a != b),
                "root {i} occurs twice"
            );
        }
    }
}
