//! What came out of jobs: listed, and given out; opened where the job is encrypted.

use axum::extract::{Query, State, rejection::QueryRejection};
use opensky_api::{Bytes, Code, GuestError, JobId, JobKey, JobOutput, JobResult, ReceiptId};
use opensky_core::{Ending, JobState};
use opensky_node::{JobOutputs, Node};
use opensky_protocol::{ContentKey, Digest, Output, codec, names};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::{
    answer::{Answer, Fault, Filling, Named, json, stream},
    blobs::{self, died},
    desk::Desk,
    jobs::{find, not_yet},
    refusal, show,
};

const OCTETS: &str = "application/octet-stream";
/// Outputs beside the main one that are listed.
const OTHERS: usize = 4_096;
/// The longest error of a program's own that is read.
const ERROR_BYTES: u64 = 1 << 20;

/// `GET /v1/jobs/{job}/result`.
pub(crate) async fn result(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, order) = find(&desk, &job).await?;
    let JobState::Over(ending) = &job.state else {
        return Err(not_yet(&job));
    };
    let found = match has_outputs(ending) {
        true => desk.node.outputs(job.id).await.unwrap_or_default(),
        false => JobOutputs::default(),
    };
    let receipt = desk.node.receipt(job.id).await.ok();
    let key = desk.node.content_key(&order);
    let error = match found.others.get(names::ERROR) {
        Some(error) if error.len <= ERROR_BYTES => {
            guest_error(&desk, key.clone(), error.digest).await
        }
        _ => None,
    };
    let parts = found.main.iter().map(|output| JobOutput {
        len: Bytes::saturating(plain_len(output, key.as_ref())),
        ..show::output(names::OUTPUT, output)
    });
    Ok(json(&JobResult {
        job: JobId::new(job.id),
        ending: show::shown_ending(ending),
        error,
        why: why(&desk, job.id, ending).await,
        parts: parts.collect(),
        others: others(&desk, key, found).await?,
        receipt: receipt.map(|bytes| ReceiptId::new(Digest::of(&bytes))),
    }))
}

/// Why the unit ended that failed, as the one says who was paid most for it.
async fn why(desk: &Desk, job: Digest, ending: &Ending) -> Option<String> {
    let Ending::Failed { index, .. } = ending else {
        return None;
    };
    let units = desk.node.units(job).await?;
    let unit = units.into_iter().find(|unit| unit.index == *index)?;
    let logs = desk.node.logs(job).await.ok()?.into_iter();
    let said = logs
        .filter(|log| log.turn.unit == unit.unit)
        .filter_map(|log| {
            let seat = unit.seats.get(log.turn.attempt as usize);
            let seat = seat.filter(|seat| seat.node == log.provider)?;
            Some((seat.earned, log.detail?))
        });
    said.max_by_key(|(earned, _)| *earned).map(|(_, why)| why)
}

/// Whether the outputs of a job that ended so were brought here. Of one that was given up units may have
/// results too, which nobody asked for.
fn has_outputs(ending: &Ending) -> bool {
    matches!(ending, Ending::Done | Ending::Failed { .. })
}

/// How long an output is that has no name of the guest's, once it is opened.
fn plain_len(output: &Output, key: Option<&ContentKey>) -> u64 {
    match key {
        Some(_) => output.len.saturating_sub(ContentKey::OVERHEAD),
        None => output.len,
    }
}

/// The other outputs as a list. Of an encrypted job their names are in what was encrypted; those that
/// are not here keep the names that they have in the receipt.
async fn others(
    desk: &Desk,
    key: Option<ContentKey>,
    found: JobOutputs,
) -> Result<Vec<JobOutput>, Fault> {
    let others = found.others.into_iter();
    let Some(key) = key else {
        return Ok(as_many(
            others.map(|(name, output)| show::output(&name, &output)),
        ));
    };
    let node = desk.node.clone();
    let list = move |(name, output): (String, Output)| {
        let (name, len) = plain(&node, &key, &name, &output).unwrap_or((name, output.len));
        JobOutput {
            len: Bytes::saturating(len),
            ..show::output(&name, &output)
        }
    };
    let listed = spawn_blocking(move || as_many(others.map(list))).await;
    listed.map_err(died)
}

/// As many as one answer takes.
fn as_many(outputs: impl Iterator<Item = JobOutput>) -> Vec<JobOutput> {
    let mut listed = Filling::new(OTHERS);
    for output in outputs {
        if !listed.take(output) {
            break;
        }
    }
    listed.into_items()
}

/// What an encrypted output is called and how long it is, once it is opened: told by its beginning. Blocks.
fn plain(node: &Node, key: &ContentKey, name: &str, output: &Output) -> Option<(String, u64)> {
    let blob = node.blob(&output.digest).ok()?;
    let mut start = vec![0; ContentKey::NAMED_BY.min(usize::try_from(blob.len()).ok()?)];
    let len = blob.read_at(0, &mut start).ok()?;
    key.peek_output(name, &start[..len], output.len)
}

/// The program's own error, if its bytes are here.
async fn guest_error(desk: &Desk, key: Option<ContentKey>, digest: Digest) -> Option<GuestError> {
    let node = desk.node.clone();
    let bytes = spawn_blocking(move || node.bytes(&digest))
        .await
        .ok()?
        .ok()?;
    let bytes = match key {
        Some(key) => key.open(&bytes)?,
        None => bytes,
    };
    let error: opensky_protocol::GuestError = codec::decode(&bytes).ok()?;
    Some(error.into())
}

/// Which output is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    name: Option<String>,
}

/// `GET /v1/jobs/{job}/output`.
pub(crate) async fn output(
    State(desk): State<Desk>,
    Named(job): Named,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer {
    let wanted = wanted.map_err(|error| Fault::new(Code::Invalid, error.body_text()))?;
    let (job, order) = find(&desk, &job).await?;
    let JobState::Over(ending) = &job.state else {
        return Err(not_yet(&job));
    };
    if !has_outputs(ending) {
        let short = JobId::new(job.id).short();
        let none = format!("the job {short} has no output: {ending}");
        return Err(Fault::new(Code::NotFound, none));
    }
    let found = desk.node.outputs(job.id).await;
    let found = found.map_err(refusal::of_receipt)?;
    let key = desk.node.content_key(&order);
    match (wanted.0.name.as_deref(), key) {
        (None | Some(names::OUTPUT), key) => main(&desk, key, found).await,
        (Some(name), None) => {
            let output = named(&found, name, name)?;
            let blob = blobs::open(&desk, output.digest).await?;
            let len = blob.len();
            let body = blobs::bodies(vec![(blob, 0..len)]).await?;
            Ok(stream(OCTETS, len, body))
        }
        (Some(name), Some(key)) => {
            let stored = key.name_of(name);
            let output = named(&found, &stored, name)?;
            opened(&desk, key, stored, output.digest).await
        }
    }
}

fn named(found: &JobOutputs, stored: &str, name: &str) -> Result<Output, Fault> {
    let none = || {
        let name: String = name.chars().take(200).collect();
        Fault::new(Code::NotFound, format!("there is no output `{name}`"))
    };
    found.others.get(stored).copied().ok_or_else(none)
}

/// The parts of the main output, one after the other.
async fn main(desk: &Desk, key: Option<ContentKey>, found: JobOutputs) -> Answer {
    let mut parts = Vec::with_capacity(found.main.len());
    for output in &found.main {
        let blob = blobs::open(desk, output.digest).await?;
        let len = blob.len();
        parts.push((blob, 0..len));
    }
    let lens = found.main.iter();
    let len = lens.map(|output| plain_len(output, key.as_ref())).sum();
    let body = match key {
        None => blobs::bodies(parts).await?,
        Some(key) => {
            let parts = parts.into_iter().map(|(blob, _)| blob).collect();
            blobs::opened(parts, key).await?
        }
    };
    Ok(stream(OCTETS, len, body))
}

/// One output of an encrypted job, whole.
async fn opened(desk: &Desk, key: ContentKey, name: String, digest: Digest) -> Answer {
    let node = desk.node.clone();
    let read = spawn_blocking(move || {
        let sealed = node.bytes(&digest)?;
        Ok(key.open_output(&name, &sealed))
    });
    let read = read.await.map_err(died)?.map_err(refusal::of_store)?;
    let broken = || Fault::new(Code::Internal, "the job's key does not open the output");
    let (_, bytes) = read.ok_or_else(broken)?;
    Ok(stream(OCTETS, bytes.len() as u64, bytes.into()))
}

/// `GET /v1/jobs/{job}/key`.
pub(crate) async fn key(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, order) = find(&desk, &job).await?;
    let id = JobId::new(job.id);
    let key = desk.node.content_key(&order).ok_or_else(|| {
        let short = id.short();
        Fault::new(Code::Refused, format!("the job {short} is not encrypted"))
    })?;
    Ok(json(&JobKey {
        job: id,
        key: opensky_api::Hex(*key.bytes()),
    }))
}
