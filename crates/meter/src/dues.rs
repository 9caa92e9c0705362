//! What callers pay for those they call: the part of a function that each call runs.

use crate::{
    MeterError,
    calls::Calls,
    charges::Charges,
    flow::{Facts, Flow},
    loops::Loops,
    scan::Scan,
};

/// A function that starts with more is charged for it itself.
const MOST: u64 = 10_000;

/// For each function, the fuel that whoever calls it is charged with the call. 0 for a function that
/// can be called in another way than by `call` from its own module: it is charged when it starts.
pub(crate) fn dues(scan: &Scan<'_>, calls: &Calls) -> Result<Vec<u64>, MeterError> {
    let mut called_otherwise = vec![false; scan.type_of.len()];
    let entries = scan.exports.iter().map(|(_, function)| function);
    for &function in entries.chain(&scan.start).chain(&scan.in_tables) {
        called_otherwise[function as usize] = true;
    }
    let mut dues = vec![0; scan.type_of.len()];
    for component in calls.callees_first() {
        // Functions that call each other do not yet know what the others are owed.
        let mut owed = Vec::new();
        for &function in component {
            if called_otherwise[function as usize] || function < scan.imported {
                continue;
            }
            let ops = scan.operators(function)?;
            let facts = Facts {
                arity: &|ty| scan.arity(ty),
                results_of: &|callee| scan.results(callee),
                due: &|callee| dues[callee as usize],
                entry: scan.entry(function),
                results: scan.results(function),
            };
            let flow = Flow::of(&ops, facts);
            let charges = Charges::of(&flow, &Loops::of(&flow), &flow.returns(), false);
            let amount = u64::try_from(charges.blocks[0].amount);
            owed.push((
                function,
                amount.ok().filter(|&amount| amount <= MOST).unwrap_or(0),
            ));
        }
        for (function, amount) in owed {
            dues[function as usize] = amount;
        }
    }
    Ok(dues)
}
