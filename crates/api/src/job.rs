//! Jobs, as they are listed and looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Bytes, Class, Fuel, Hex, JobId, JobSpec, NodeId, ReceiptId, Replicas, Time};

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Money is being set aside; nothing runs before that is final.
    Funding,
    /// Units run.
    Running,
    /// All units have a result, or one has failed; the outputs are on their way to the node.
    Collecting,
    /// How it ends is known; what providers have promised is still being shown and paid.
    Settling,
    /// All is over.
    Ended,
}

/// How a job ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    /// In which way.
    pub kind: EndingKind,
    /// More about it, as a sentence; the guest's own words if it failed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// In which way a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndingKind {
    /// The program came to this result, and the operators agree on it. If it is not `ok`, that is
    /// the program's failure.
    Result(Class),
    /// Machines of several operators failed at a unit in the same way.
    Unrunnable,
    /// Operators had different results, and none had a majority.
    Undecided,
    /// A unit put out what the plan cannot go on with.
    Stuck,
    /// A result that others were built upon turned out to be wrong.
    Tainted,
    /// Its requester ended it.
    Cancelled,
    /// The deadline came first.
    Expired,
    /// The money could not be set aside.
    Unfunded,
    /// The most that it may cost was reached first.
    OverBudget,
}

/// A job in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobSummary {
    /// The job.
    pub job: JobId,
    /// How far it is.
    pub state: JobState,
    /// How it ended; absent before that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The component.
    pub program: Hex,
    /// The name under which that is deployed, as far as the node knows: `name` where it has deployed it
    /// itself, else `p-…/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was submitted.
    pub submitted: Time,
    /// When it ends, done or not.
    pub deadline: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// Units that there are so far.
    pub units: u32,
    /// Units on which enough operators agree.
    pub units_done: u32,
    /// Turns that somebody is at.
    pub running: u32,
    /// Those of them of which a result is promised: they wait for others, or to be shown.
    pub promised: u32,
    /// How many operators agree on the result of the unit that fewest agree on: a claim to the
    /// requester, who chose them. Absent while no unit has a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<u32>,
    /// Of how many: the operators that were to run that unit, or all that have shown a result of it where
    /// those are more. Absent while no unit has a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_of: Option<u32>,
    /// The results that were found wrong. Absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Wrong>,
    /// How many operators were to run each unit.
    pub replicas: Replicas,
    /// Whether only those who run it can read its blobs.
    #[serde(default)]
    pub encrypted: bool,
    /// Fuel of all results so far, each unit counted once.
    pub fuel: Fuel,
    /// What is owed to providers so far, all replicas counted.
    pub price: Amount,
    /// The most that turns which somebody is at can still add to that.
    #[serde(default)]
    pub price_under_way: Amount,
    /// What was set aside for it.
    pub escrow: Amount,
}

/// Results of a job that were found wrong. Whoever showed one is not paid for it, unless it was believed
/// before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wrong {
    /// How many.
    pub results: u32,
    /// Of how many that were compared, all units together.
    pub of: u32,
    /// Whose they were: at most four are named.
    pub providers: Vec<NodeId>,
}

/// One job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// How it stands.
    pub summary: JobSummary,
    /// What was asked for.
    pub spec: JobSpec,
    /// What the ledger holds for it; absent if the ledger does not answer, or knows of nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// What the ledger holds for a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// How much it still holds.
    pub amount: Amount,
    /// How much has come back.
    pub returned: Amount,
    /// Units that providers have claimed by evidence, and that are not settled.
    pub claimed: u32,
    /// When the rest comes back, once the job has ended: then providers cannot claim any more. At the
    /// latest, if units are claimed by evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Time>,
}

/// What came out of a job, or of its first unit that failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobResult {
    /// The job.
    pub job: JobId,
    /// How it ended.
    pub ending: Ending,
    /// The program's own error, or its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<GuestError>,
    /// Why the program ended where it did not end by itself, such as which limit it reached: as one says who
    /// ran it. Nobody compares that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The blobs that the output is made of, in order: one, or one of each partition.
    pub parts: Vec<JobOutput>,
    /// Other outputs: files, and blobs that the program put. At most 4,096 are listed, and no more than 4 MiB
    /// of the list.
    pub others: Vec<JobOutput>,
    /// The receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
}

/// How a program says that it failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestError {
    /// The input is not what it takes.
    InvalidInput(String),
    /// Anything else.
    Failed(String),
    /// It asked for a blob that it was not given.
    MissingBlob(Hex),
    /// A command's exit code, never 0.
    Exit(u8),
}

impl From<opensky_protocol::GuestError> for GuestError {
    fn from(error: opensky_protocol::GuestError) -> Self {
        use opensky_protocol::GuestError as Protocol;
        match error {
            Protocol::InvalidInput(text) => Self::InvalidInput(text),
            Protocol::Failed(text) => Self::Failed(text),
            Protocol::MissingBlob(digest) => Self::MissingBlob(digest.into()),
            Protocol::Exit(code) => Self::Exit(code),
        }
    }
}

impl From<GuestError> for opensky_protocol::GuestError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::InvalidInput(text) => Self::InvalidInput(text),
            GuestError::Failed(text) => Self::Failed(text),
            GuestError::MissingBlob(digest) => Self::MissingBlob(digest.into()),
            GuestError::Exit(code) => Self::Exit(code),
        }
    }
}

/// The key to an encrypted job. Whoever has it can read all of the job, if they get its blobs, and
/// check its receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobKey {
    /// The job.
    pub job: JobId,
    /// The key.
    pub key: Hex,
}

/// One output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobOutput {
    /// Its name.
    pub name: String,
    /// The digest of the blob that has its bytes: encrypted where the job is.
    pub digest: Hex,
    /// How many bytes it is.
    pub len: Bytes,
}
