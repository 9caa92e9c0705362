//! What programs compute here: results that follow from the work alone, and what liars make of them.

use std::collections::BTreeMap;

use opensky_core::Done;
use opensky_protocol::{
    Class, Digest, Limits, NodeKey, Output, Outputs, Signature, Statement, Transcript, Work, World,
    codec, names,
};

/// Units of a stepper job.
const STEPPER_UNITS: u8 = 3;

/// A program whose first byte is this one fails by itself.
pub const FAILING: u8 = 255;

/// What the unit gives when nobody lies.
pub fn honest(work: &Work) -> (Class, Outputs) {
    let unit = work.unit();
    if work.program.0[0] == FAILING {
        return (Class::Err, named(names::ERROR, &unit));
    }
    let outputs = match work.world {
        World::Map { partitions } => {
            let each =
                (0..partitions).map(|index| (names::partition(index), output(&(unit, index))));
            Outputs(each.collect())
        }
        World::Stepper { .. } => step(work),
        World::Job | World::Reduce | World::Finish | World::Command => named(names::OUTPUT, &unit),
    };
    (Class::Ok, outputs)
}

/// A state's first byte counts the units that led to it.
fn step(work: &Work) -> Outputs {
    let before = work.inputs.get(names::STATE).map_or(0, |state| state.0[0]);
    let mut output = output(&work.unit());
    output.digest.0[0] = before + 1;
    let name = match before + 1 < STEPPER_UNITS {
        true => names::STATE,
        false => names::OUTPUT,
    };
    Outputs(BTreeMap::from([(name.to_owned(), output)]))
}

fn named(name: &str, unit: &Digest) -> Outputs {
    Outputs(BTreeMap::from([(name.to_owned(), output(unit))]))
}

fn output(of: &impl parity_scale_codec::Encode) -> Output {
    Output::of(&codec::encode(of))
}

/// The same with every digest changed: each liar's in its own way, or all of a ring's in one.
pub fn lie(outputs: &Outputs, how: u8) -> Outputs {
    let mut outputs = outputs.clone();
    for output in outputs.0.values_mut() {
        output.digest.0[31] ^= how.wrapping_add(1);
        output.digest.0[30] ^= 0x55;
    }
    outputs
}

/// The same, but for a length: the first output is as long as the limit lets it be.
pub fn pad(outputs: &Outputs, limits: &Limits) -> Outputs {
    let spare = limits.output.saturating_sub(outputs.len());
    let mut outputs = outputs.clone();
    if let Some(output) = outputs.0.values_mut().next() {
        output.len += spare;
    }
    outputs
}

/// What that node says came of the work.
pub fn done(node: NodeKey, work: &Work, class: Class, outputs: Outputs) -> Done {
    let unit = work.unit();
    let transcript = Transcript::start(&unit);
    let fuel = 1_000_000 + u64::from(unit.0[0]) * 10_000;
    Done {
        statement: Statement::new(node, work, class, fuel, &transcript, &outputs),
        signature: Signature([0; 64]),
        outputs,
        transcript,
        states: Vec::new(),
    }
}
