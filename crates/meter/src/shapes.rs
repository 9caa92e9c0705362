//! Random control flow for tests.

use proptest::prelude::*;
use wasmparser::{BlockType, Operator};

use crate::flow::{Facts, Flow};

/// Structured code made from arbitrary bytes.
pub(crate) fn code(bytes: &[u8]) -> Vec<Operator<'static>> {
    let ty = BlockType::Empty;
    let mut ops = Vec::new();
    // Whether each open construct is an `if` that may still get an `else`.
    let mut open = Vec::new();
    for pair in bytes.chunks_exact(2) {
        let relative_depth = u32::from(pair[1]) % (open.len() as u32 + 1);
        ops.push(match pair[0] % 12 {
            0 => Operator::Block { blockty: ty },
            1 | 2 => Operator::Loop { blockty: ty },
            3 => Operator::If { blockty: ty },
            4 if open.last() == Some(&true) => Operator::Else,
            4..=6 if !open.is_empty() => Operator::End,
            7 => Operator::Br { relative_depth },
            8 | 9 => Operator::BrIf { relative_depth },
            10 if pair[1] % 3 == 0 => Operator::Return,
            10 if pair[1] % 3 == 1 => Operator::Unreachable,
            _ => Operator::I32Add,
        });
        match ops.last() {
            Some(Operator::Block { .. } | Operator::Loop { .. }) => open.push(false),
            Some(Operator::If { .. }) => open.push(true),
            Some(Operator::Else) => *open.last_mut().expect("it is open") = false,
            Some(Operator::End) => _ = open.pop(),
            _ => {}
        }
    }
    ops.extend(std::iter::repeat_n(Operator::End, open.len() + 1));
    ops
}

/// The control flow of random code.
pub(crate) fn flows() -> impl Strategy<Value = Flow> {
    prop::collection::vec(any::<u8>(), 0..120).prop_map(|bytes| {
        let facts = Facts {
            arity: &|_| (0, 0),
            results_of: &|_| 0,
            due: &|_| 0,
            entry: 0,
            results: 0,
        };
        Flow::of(&code(&bytes), facts)
    })
}

/// The blocks that can be reached from `from` by at least one edge, without entering `without`.
pub(crate) fn reached(
    from: usize,
    without: Option<usize>,
    next: impl Fn(usize) -> Vec<usize>,
) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![from];
    while let Some(block) = open.pop() {
        for next in next(block) {
            if Some(next) != without && !found.contains(&next) {
                found.push(next);
                open.push(next);
            }
        }
    }
    found
}
