//! Encrypted jobs: the keys of this node's own ones, and how their blobs are encrypted before anybody
//! is asked.

use std::collections::BTreeMap;

use opensky_core::Plan;
use opensky_executor::Run;
use opensky_protocol::{ContentKey, Digest, JobPlan};
use opensky_storage::Store;
use zeroize::Zeroizing;

use crate::error::SubmitError;

/// What the content keys of all own jobs are made of. So none has to be kept: the job's nonce is.
pub(crate) struct ContentKeys(Zeroizing<[u8; 32]>);

impl ContentKeys {
    /// From a secret that is used for nothing else.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The key of the job of that nonce.
    pub fn of(&self, nonce: &[u8; 16]) -> ContentKey {
        let key = Digest::derive("opensky content key 1", &(*self.0, nonce));
        ContentKey::from_bytes(key.0)
    }
}

/// Encrypts blobs of the store into it: what each is called then.
pub(crate) fn seal_all(
    store: &Store,
    key: &ContentKey,
    blobs: &[Digest],
) -> Result<BTreeMap<Digest, Digest>, SubmitError> {
    let seal = |blob: &Digest| {
        let bytes = store.get(blob).map_err(|_| SubmitError::Missing(*blob))?;
        Ok((*blob, store.put(&key.seal(&bytes))?))
    };
    blobs.iter().map(seal).collect()
}

/// Puts the new names of blobs in place of the old ones, for those that have one.
pub(crate) fn rename(plan: &mut Plan, sealed: &BTreeMap<Digest, Digest>) {
    let rename = |digest: &mut Digest| {
        if let Some(sealed) = sealed.get(digest) {
            *digest = *sealed;
        }
    };
    match plan {
        Plan::Single(work) => {
            rename(&mut work.program);
            work.inputs.values_mut().for_each(rename);
        }
        Plan::Job(spec) => {
            rename(&mut spec.program);
            spec.inputs.values_mut().for_each(rename);
            match &mut spec.plan {
                JobPlan::MapReduce { shards, .. } => shards.iter_mut().for_each(rename),
                JobPlan::Stepper { input, .. } => rename(input),
            }
        }
    }
}

/// The run of an encrypted job's unit as it is stored, compared and signed.
pub(crate) fn concealed(key: &ContentKey, unit: &Digest, run: Run) -> Run {
    Run {
        outputs: key.seal_outputs(run.outputs),
        transcript: key.salt_transcript(unit, &run.transcript),
        states: key.salt_all(&run.states),
        ..run
    }
}

/// The program that a plan names.
pub(crate) fn program(plan: &Plan) -> &Digest {
    match plan {
        Plan::Single(work) => &work.program,
        Plan::Job(spec) => &spec.program,
    }
}

/// The blobs that a plan names as inputs.
pub(crate) fn inputs(plan: &Plan) -> impl Iterator<Item = &Digest> {
    let (named, planned) = match plan {
        Plan::Single(work) => (&work.inputs, &[][..]),
        Plan::Job(spec) => {
            let planned = match &spec.plan {
                JobPlan::MapReduce { shards, .. } => shards.as_slice(),
                JobPlan::Stepper { input, .. } => std::slice::from_ref(input),
            };
            (&spec.inputs, planned)
        }
    };
    named.values().chain(planned)
}
