//! What a run worker says of a unit, before anyone believes it: a worker may have been taken over by
//! what it ran, so nothing passes that no honest worker could say.

use std::{collections::BTreeMap, time::Duration};

use opensky_protocol::{Class, Digest, GuestError, Work, World, codec, names};

use crate::{Run, worker::message::Told};

/// The result that a worker told, with the bytes that came behind it, or the rule that it breaks.
pub(super) fn judge(
    work: &Work,
    told: Told,
    outputs: BTreeMap<String, Vec<u8>>,
    log: Vec<u8>,
    elapsed: Duration,
) -> Result<Run, &'static str> {
    let has_output = matches!(told.class, Class::Ok | Class::Err);
    let limits = &work.limits;
    check(
        if work.profile.counts(told.class) {
            told.fuel <= limits.fuel
        } else {
            told.fuel == limits.fuel
        },
        "fuel that the unit cannot have used",
    )?;
    check(
        has_output || (outputs.is_empty() && told.states.is_empty()),
        "outputs of no result",
    )?;
    check(
        told.transcript.is_consistent(&work.unit()),
        "a transcript that does not add up",
    )?;
    check(told.memory <= limits.memory, "more memory than the limit")?;
    check(log.len() as u64 <= limits.log, "more log than the limit")?;
    let error = error(told.class, &outputs)?;
    check_outputs(work, &outputs, &told.states)?;
    Ok(Run {
        class: told.class,
        fuel: told.fuel,
        outputs,
        transcript: told.transcript,
        states: told.states,
        error,
        detail: told.detail,
        log,
        memory: told.memory,
        wall: Duration::from_nanos(told.wall_nanos).min(elapsed),
    })
}

fn check(holds: bool, broken: &'static str) -> Result<(), &'static str> {
    holds.then_some(()).ok_or(broken)
}

/// The guest's error is the output of that name, and there is one for its class only.
fn error(
    class: Class,
    outputs: &BTreeMap<String, Vec<u8>>,
) -> Result<Option<GuestError>, &'static str> {
    match (class, outputs.get(names::ERROR)) {
        (Class::Err, Some(bytes)) => match codec::decode(bytes) {
            Ok(GuestError::Exit(0)) | Err(_) => Err("an error that is none"),
            Ok(error) => Ok(Some(error)),
        },
        (Class::Err, None) => Err("no error where there must be one"),
        (_, Some(_)) => Err("an error without failure"),
        (_, None) => Ok(None),
    }
}

fn check_outputs(
    work: &Work,
    outputs: &BTreeMap<String, Vec<u8>>,
    states: &[Digest],
) -> Result<(), &'static str> {
    let counted = outputs.iter().filter(|(name, _)| *name != names::ERROR);
    let bytes: u64 = counted.map(|(_, bytes)| bytes.len() as u64).sum();
    check(bytes <= work.limits.output, "more output than the limit")?;
    let mut blobs = outputs.iter().filter(|(name, _)| name.starts_with("blob/"));
    check(
        blobs.all(|(name, bytes)| *name == names::blob(&Digest::of(bytes))),
        "a blob under another's digest",
    )?;
    let is_stepper = matches!(work.world, World::Stepper { .. });
    check(is_stepper || states.is_empty(), "states of what has none")?;
    let listed = outputs.get(names::STATES).filter(|_| is_stepper);
    check(
        listed.is_none_or(|bytes| *bytes == codec::encode(&states.to_vec())),
        "other states than it lists",
    )
}
