//! The natural loops of a function: blocks that reach the branch back, and nothing else.

use crate::flow::Flow;

/// A loop of the control flow. A `loop` that nothing branches back to is none.
#[derive(Debug)]
pub(crate) struct Loop {
    /// Its first block, and the only way in.
    pub header: usize,
    /// Its blocks that are in no inner loop, in the order of their code, the header first.
    pub blocks: Vec<usize>,
    /// No other loop is inside of it.
    pub innermost: bool,
}

/// The loops of a function, outer ones first, and for each block the innermost loop around it.
#[derive(Debug, Default)]
pub(crate) struct Loops {
    pub all: Vec<Loop>,
    pub around: Vec<Option<usize>>,
}

impl Loops {
    /// Finds the loops from the inside out; what was found is walked over as one block, so each edge
    /// is followed about once (R. E. Tarjan, Testing flow graph reducibility, 1974).
    pub fn of(flow: &Flow) -> Self {
        let blocks = flow.blocks.len();
        let mut around = vec![None; blocks];
        // The header of the outermost loop found so far around a block, itself at first.
        let mut outermost: Vec<usize> = (0..blocks).collect();
        let mut innermost = Vec::new();
        for header in (0..blocks).rev() {
            let mut open: Vec<usize> = flow.predecessors(header).filter(|&b| b >= header).collect();
            if open.is_empty() {
                continue;
            }
            let found = innermost.len();
            innermost.push((header, true));
            around[header] = Some(found);
            while let Some(block) = open.pop() {
                let block = root(&mut outermost, block);
                if block == header {
                    continue;
                }
                outermost[block] = header;
                match around[block] {
                    Some(_) => innermost[found].1 = false,
                    None => around[block] = Some(found),
                }
                open.extend(flow.predecessors(block).filter(|&b| b < block));
                // What leads to it from behind is of the loop that it heads, which is done.
            }
        }
        let last = innermost.len();
        let all = innermost.into_iter().rev().map(|(header, innermost)| Loop {
            header,
            blocks: Vec::new(),
            innermost,
        });
        let mut loops = Self {
            all: all.collect(),
            around,
        };
        for (block, around) in loops.around.iter_mut().enumerate() {
            if let Some(index) = around {
                *index = last - 1 - *index;
                loops.all[*index].blocks.push(block);
            }
        }
        loops
    }
}

/// The representative of `block`, with the way there halved.
fn root(parents: &mut [usize], mut block: usize) -> usize {
    while parents[block] != block {
        parents[block] = parents[parents[block]];
        block = parents[block];
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shapes::{flows, reached};

    proptest! {
        #[test]
        fn loops_are_what_their_definition_says(flow in flows()) {
            let loops = Loops::of(&flow);
            let mut bodies: Vec<(usize, Vec<usize>)> = Vec::new();
            for header in 0..flow.blocks.len() {
                let previous = |block: usize| flow.predecessors(block).collect::<Vec<_>>();
                let mut body = vec![header];
                for end in flow.predecessors(header).filter(|&end| end >= header) {
                    body.push(end);
                    if end != header {
                        body.extend(reached(end, Some(header), previous));
                    }
                }
                if body.len() > 1 {
                    bodies.push((header, body));
                }
            }
            let mut around = vec![None; flow.blocks.len()];
            for (header, body) in &bodies {
                // Inner headers come later, and take their blocks over.
                body.iter().for_each(|&block| around[block] = Some(*header));
            }
            let header = |index: usize| loops.all[index].header;
            let found: Vec<_> = loops.around.iter().map(|index| index.map(header)).collect();
            prop_assert_eq!(&found, &around);
            prop_assert_eq!(loops.all.len(), bodies.len());
            for found in &loops.all {
                let (_, body) = bodies.iter().find(|(header, _)| *header == found.header).expect("it is one");
                let inner = bodies.iter().any(|(other, _)| *other != found.header && body.contains(other));
                prop_assert_eq!(found.innermost, !inner);
            }
        }
    }
}
