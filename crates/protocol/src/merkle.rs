//! The binary Merkle root over a list of values, by which one signature stands for many.

use alloc::vec::Vec;

use parity_scale_codec::Encode;

use crate::Digest;

/// The root over `leaves`, in order. Leaves and nodes have domains of their own; an odd node goes
/// up unchanged; the root of no leaves is that of the empty list.
pub fn merkle_root<T: Encode>(leaves: impl IntoIterator<Item = T>) -> Digest {
    let mut level: Vec<Digest> = leaves
        .into_iter()
        .map(|leaf| Digest::derive("opensky leaf 1", &leaf))
        .collect();
    if level.is_empty() {
        return Digest::derive("opensky no leaves 1", &());
    }
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level[0]
}

fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => Digest::derive("opensky node 1", &(left, right)),
        odd => odd[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
