//! What an own job came to, as files that anyone can check: made of what the core has written down.

use opensky_core::{Plan, Submission};
use opensky_protocol::{
    Class, JobError, JobPlan, JobReceipt, JobSpec, Output, Outputs, Reveal, SecretKey, Work, names,
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

/// What a job put out, or its unit that failed: digests and lengths, in place of bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JobOutputs {
    /// The job's output is these, one after the other.
    pub main: Vec<Output>,
    /// What else there is, by name: files, blobs that were put, the program's own error.
    pub others: BTreeMap<String, Output>,
}

/// What was agreed on for the units of a job, by their places in its plan.
type Results = BTreeMap<u32, Reveal>;

/// A file that holds the receipt of the job, from what was agreed on for its units. Of a job of one unit
/// it is that unit's; of another one, of which a unit has failed, it is that one's too.
pub(crate) fn file(
    secret: &SecretKey,
    order: &Submission,
    results: Results,
) -> Result<Vec<u8>, ReceiptError> {
    let spec = match (&order.plan, failed(&results)) {
        (Plan::Single(_), None) => return unit(&order.plan, 0, results),
        (_, Some(index)) => return unit(&order.plan, index, results),
        (Plan::Job(spec), None) => JobSpec::clone(spec),
    };
    let outputs: Vec<&Outputs> = results.values().map(|result| &result.outputs).collect();
    let works: Option<Vec<Work>> = (0..outputs.len())
        .map(|index| work(&order.plan, index, &outputs))
        .collect();
    let works = works.ok_or(ReceiptError::Unfinished)?;
    let receipts = results.into_values().zip(works);
    let receipts = receipts.map(|(result, work)| result.into_receipt(work, None));
    match JobReceipt::sign(secret, spec, receipts.collect()) {
        Ok(receipt) => Ok(receipt.to_file()),
        // All that there are hold: then some are not there.
        Err(JobError::Count(_) | JobError::Output) => Err(ReceiptError::Unfinished),
        Err(error) => Err(error.into()),
    }
}

/// The first unit that failed, if one has.
fn failed(results: &Results) -> Option<u32> {
    let mut failed = results.iter();
    let failed = failed.find(|(_, unit)| unit.statement.class != Class::Ok);
    failed.map(|(index, _)| *index)
}

/// The receipt of one unit. All whose outputs it takes in come before it, and have results.
fn unit(plan: &Plan, index: u32, mut results: Results) -> Result<Vec<u8>, ReceiptError> {
    let result = results.remove(&index).ok_or(ReceiptError::Unfinished)?;
    let before = results.range(..index);
    let before: Vec<&Outputs> = before.map(|(_, result)| &result.outputs).collect();
    let work = work(plan, index as usize, &before).ok_or(ReceiptError::Unfinished)?;
    Ok(result.into_receipt(work, None).to_file())
}

/// The outputs of the job whose units put these out; if one has failed, the outputs of that.
pub(crate) fn outputs(plan: &Plan, units: &Results) -> Option<JobOutputs> {
    let parts = match plan {
        Plan::Job(spec) => match &spec.plan {
            JobPlan::MapReduce {
                partitions,
                finish: false,
                ..
            } => *partitions,
            JobPlan::MapReduce { .. } | JobPlan::Stepper { .. } => 1,
        },
        Plan::Single(_) => 1,
    };
    let last = match failed(units) {
        Some(index) => index..index + 1,
        None => {
            let end = u32::try_from(units.len()).ok()?;
            end.checked_sub(parts)?..end
        }
    };
    let mut all = JobOutputs::default();
    for (name, output) in units.range(last).flat_map(|(_, unit)| &unit.outputs.0) {
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
            Some(last) => spec.next_steps(outputs.get(last)?),
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
