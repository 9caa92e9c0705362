//! Jobs, as they are listed and looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Bytes, Class, DeploymentId, Fuel, Hex, JobId, JobSpec, ReceiptId, Time};

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Money is being set aside; nothing runs before that is final.
    Funding,
    /// Units run.
    Running,
    /// The result is there; who is owed what is being settled.
    Settling,
    /// All is over: the job has an ending, and what was not used of the money is back.
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
    /// Operators differed and there was nobody left to ask.
    Undecided,
    /// Its requester ended it.
    Cancelled,
    /// The deadline came first.
    Expired,
    /// The money could not be set aside.
    Unfunded,
    /// The most that it may cost was reached first.
    OverBudget,
}

/// How well a result is checked: a claim to the requester, who chose the operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Operators that agree, of the unit that fewest agree on.
    pub agreed: u32,
    /// Operators that were asked for that unit.
    pub of: u32,
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
    /// The deployment it was found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// That deployment's name.
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
    /// How well it is checked; absent while a unit has no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Fuel of all results so far, each unit counted once.
    pub fuel: Fuel,
    /// What is owed to providers so far, all replicas counted.
    pub price: Amount,
    /// What is set aside.
    pub escrow: Amount,
    /// The receipt of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
}

/// One job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// How it stands.
    pub summary: JobSummary,
    /// What was asked for.
    pub spec: JobSpec,
}

/// What came out of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobResult {
    /// The job.
    pub job: JobId,
    /// How it ended.
    pub ending: Ending,
    /// What a command exited with; 0 after success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The digest of the output, as the receipt has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Hex>,
    /// The blobs that the output is made of, in order: one, or one of each partition.
    pub parts: Vec<JobOutput>,
    /// Other outputs: files, and blobs that the program put. At most 4,096 are listed.
    pub others: Vec<JobOutput>,
    /// The receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
}

/// One output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobOutput {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Hex,
    /// How many there are.
    pub len: Bytes,
}
