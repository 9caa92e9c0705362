//! What an own job came to, as files that anyone can check: made of what the core has written down.

use opensky_core::{Plan, Submission};
use opensky_protocol::{
    JobError, JobPlan, JobReceipt, JobSpec, Output, Outputs, Receipt, Reveal, SecretKey, Work,
    names,
};
use std::collections::BTreeMap;

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The job is not known, or forgotten.
    #[error("the job is not known here")]
    Unknown,
    /// Not all of its units have a result.
    #[error("not all of its units have a result")]
    Unfinished,
    /// What was agreed on does not make a receipt.
    #[error(transparent)]
    Job(#[from] JobError),
    /// What is kept of it cannot be read.
    #[error("what is kept of it cannot be read: {0}")]
    Rows(#[from] opensky_storage::RowsError),
}

/// What a job put out: digests and lengths, in place of bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JobOutputs {
    /// The job's output is these, one after the other.
    pub main: Vec<Output>,
    /// What else there is, by name: files, blobs that were put, the program's own error.
    pub others: BTreeMap<String, Output>,
}

/// A file that holds the receipt of the job, from what was agreed on for its units in the order of
/// the plan. Of a job of one unit it is that unit's; of another one, whose last unit has failed, it is
/// that one's too.
pub(crate) fn file(
    secret: &SecretKey,
    order: &Submission,
    results: Vec<Reveal>,
) -> Result<Vec<u8>, ReceiptError> {
    let outputs: Vec<&Outputs> = results.iter().map(|result| &result.outputs).collect();
    let works: Option<Vec<Work>> = (0..results.len())
        .map(|index| work(&order.plan, index, &outputs))
        .collect();
    let works = works.ok_or(ReceiptError::Unfinished)?;
    let receipts = results.into_iter().zip(works);
    let mut receipts: Vec<Receipt> = receipts
        .map(|(result, work)| result.into_receipt(work, None))
        .collect();
    let all_ok = receipts
        .iter()
        .all(|unit| unit.statement.class == opensky_protocol::Class::Ok);
    match &order.plan {
        Plan::Job(spec) if all_ok => {
            Ok(JobReceipt::sign(secret, JobSpec::clone(spec), receipts)?.to_file())
        }
        _ => {
            let failed = |unit: &Receipt| unit.statement.class != opensky_protocol::Class::Ok;
            let index = receipts.iter().position(failed).unwrap_or_default();
            match index < receipts.len() {
                true => Ok(receipts.swap_remove(index).to_file()),
                false => Err(ReceiptError::Unfinished),
            }
        }
    }
}

/// The outputs of the job whose units put these out, in the order of its plan.
pub(crate) fn outputs(plan: &Plan, units: &[Reveal]) -> Option<JobOutputs> {
    let parts = match plan {
        Plan::Job(spec) => match &spec.plan {
            JobPlan::MapReduce {
                partitions,
                finish: false,
                ..
            } => *partitions as usize,
            JobPlan::MapReduce { .. } | JobPlan::Stepper { .. } => 1,
        },
        Plan::Single(_) => 1,
    };
    let start = units.len().checked_sub(parts)?;
    let mut all = JobOutputs::default();
    for (name, output) in units[start..].iter().flat_map(|unit| &unit.outputs.0) {
        match name.as_str() {
            names::OUTPUT => all.main.push(*output),
            _ => drop(all.others.insert(name.clone(), *output)),
        }
    }
    Some(all)
}

/// The work of one unit, from the outputs of those before it.
fn work(plan: &Plan, index: usize, outputs: &[&Outputs]) -> Option<Work> {
    let spec = match plan {
        Plan::Single(work) => return (index == 0).then(|| Work::clone(work)),
        Plan::Job(spec) => spec,
    };
    let JobPlan::MapReduce {
        shards, partitions, ..
    } = &spec.plan
    else {
        return match index.checked_sub(1) {
            None => spec.first_steps(),
            Some(last) => spec.next_steps(outputs[last]),
        };
    };
    let Some(after_map) = index.checked_sub(shards.len()) else {
        return spec.map_work(u32::try_from(index).ok()?);
    };
    let (maps, rest) = outputs.split_at_checked(shards.len())?;
    match after_map < *partitions as usize {
        true => spec.reduce_work(u32::try_from(after_map).ok()?, maps),
        false => spec.finish_work(rest.get(..*partitions as usize)?),
    }
}
