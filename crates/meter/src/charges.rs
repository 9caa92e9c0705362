//! Where a function is charged, and how much: the fewest places that count exactly.

use crate::{
    classes::classes,
    flow::{Flow, Way},
    loops::Loops,
};

/// A charge of so much is looked at when it is made.
const LARGE: u64 = 2_000;

/// What happens to the fuel of one function.
#[derive(Debug)]
pub(crate) struct Charges {
    /// For each block, what its start does.
    pub blocks: Vec<Charge>,
    /// What ways out of loops give back: an edge, and the fuel that was charged for blocks that do
    /// not run if it is taken.
    pub refunds: Vec<(usize, u64)>,
    /// There is a loop, so that the fuel is best kept in a local.
    pub cached: bool,
}

/// What the start of a block does to the fuel.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Charge {
    /// Taken; negative where more is given back.
    pub amount: i64,
    /// The program ends if less than this is left; the negative of what may be given back later.
    pub least: Option<i64>,
}

impl Charges {
    pub fn of(flow: &Flow, loops: &Loops, returns: &[bool], checked_at_entry: bool) -> Self {
        let mut charges = Self {
            blocks: vec![Charge::default(); flow.blocks.len()],
            refunds: Vec::new(),
            cached: false,
        };
        let mut cost: Vec<u64> = flow.blocks.iter().map(|block| block.cost).collect();
        for (index, found) in loops.all.iter().enumerate() {
            let charge = &mut charges.blocks[found.header];
            charge.least = Some(0);
            charges.cached = true;
            if let Some(spine) = Spine::of(flow, loops, index, returns) {
                charges.prepay(flow, &spine, &mut cost);
            }
        }
        for (block, first) in classes(flow, returns).into_iter().enumerate() {
            let charge = &mut charges.blocks[first];
            charge.amount += cost[block] as i64;
        }
        for charge in &mut charges.blocks {
            if charge.amount >= LARGE as i64 && charge.least.is_none() {
                charge.least = Some(0);
            }
        }
        if checked_at_entry {
            charges.blocks[0].least.get_or_insert(0);
        }
        charges
    }

    /// Charges the header of a loop for all blocks that each full round runs.
    fn prepay(&mut self, flow: &Flow, spine: &Spine, cost: &mut [u64]) {
        let header = spine.blocks[0];
        // What is paid for the spine from each of its blocks onwards.
        let mut onwards: Vec<u64> = spine.blocks.iter().map(|&block| cost[block]).collect();
        for at in (1..onwards.len()).rev() {
            onwards[at - 1] += onwards[at];
        }
        let mut most = 0;
        for &(edge, from) in &spine.exits {
            let left_out = spine.blocks.partition_point(|&block| block <= from);
            let refund = onwards.get(left_out).copied().unwrap_or(0);
            if refund == 0 {
                continue;
            }
            most = most.max(refund);
            let target = flow.edges[edge].to;
            match flow.has_one_way_in(target) {
                true => self.blocks[target].amount -= refund as i64,
                false => self.refunds.push((edge, refund)),
            }
        }
        spine.blocks.iter().for_each(|&block| cost[block] = 0);
        let round = onwards[0];
        self.blocks[header].amount += round as i64;
        self.blocks[header].least = Some(-(most as i64));
    }
}

/// The blocks that each full round of an innermost loop runs, and the ways out of the loop.
struct Spine {
    /// In the order in which they run, the header first.
    blocks: Vec<usize>,
    /// Edges out of the loop from where the function can return, and the blocks they come from.
    exits: Vec<(usize, usize)>,
}

impl Spine {
    /// `None` if the loop calls something, or is left where nothing can be given back.
    fn of(flow: &Flow, loops: &Loops, index: usize, returns: &[bool]) -> Option<Self> {
        let found = &loops.all[index];
        let restless = |&block: &usize| flow.blocks[block].calls || flow.blocks[block].dynamic;
        if !found.innermost || found.blocks.iter().any(restless) {
            return None;
        }
        let mut spine = Self {
            blocks: Vec::new(),
            exits: Vec::new(),
        };
        // The farthest block that some edge leads to without passing through those before it.
        let mut reach = found.header;
        for &block in &found.blocks {
            if block >= reach {
                spine.blocks.push(block);
            }
            for &edge in &flow.blocks[block].next {
                let to = flow.edges[edge].to;
                if to == found.header {
                    reach = usize::MAX;
                } else if loops.around[to] == Some(index) {
                    reach = reach.max(to);
                } else if returns[to] {
                    if flow.edges[edge].way == Way::Nowhere && !flow.has_one_way_in(to) {
                        return None;
                    }
                    spine.exits.push((edge, block));
                }
            }
        }
        Some(spine)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shapes::flows;

    /// Follows one way through the function. Gives what it is charged less what its blocks cost, and
    /// whether each look at the fuel lets everybody pass who has enough; `None` if it does not return.
    fn walk(flow: &Flow, charges: &Charges, choices: &[u8]) -> Option<(i64, bool)> {
        let (mut block, mut paid, mut cost) = (0, 0, 0);
        let mut looks = Vec::new();
        for choice in choices.iter().cycle().take(400) {
            let charge = charges.blocks[block];
            paid += charge.amount;
            looks.extend(charge.least.map(|least| (paid, least)));
            cost += flow.blocks[block].cost as i64;
            if flow.exit == Some(block) {
                let fair = looks.iter().all(|(before, least)| paid - before >= *least);
                return Some((paid - cost, fair));
            }
            let next = &flow.blocks[block].next;
            let edge = *next.get(*choice as usize % next.len().max(1))?;
            let refund = charges.refunds.iter().find(|(of, _)| *of == edge);
            paid -= refund.map_or(0, |&(_, refund)| refund as i64);
            block = flow.edges[edge].to;
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn who_returns_has_paid_exactly_and_was_not_stopped_before(
            flow in flows(),
            choices in prop::collection::vec(any::<u8>(), 1..60),
        ) {
            let charges = Charges::of(&flow, &Loops::of(&flow), &flow.returns(), true);
            if let Some((over, fair)) = walk(&flow, &charges, &choices) {
                prop_assert_eq!(over, 0);
                prop_assert!(fair);
            }
        }
    }
}
