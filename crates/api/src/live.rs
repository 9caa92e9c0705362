//! What a node tells of a job while somebody watches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{JobSummary, Unit};

/// One event of a job. Each says how something is now, not what has changed: whoever missed some is
/// right again with the next. The first are the job and its units as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "event", content = "data")]
pub enum JobEvent {
    /// The job.
    Job(JobSummary),
    /// One of its units.
    Unit(Unit),
    /// The job, for the last time: it has ended.
    End(JobSummary),
}

impl JobEvent {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Unit(_) => "unit",
            Self::End(_) => "end",
        }
    }

    /// The event's data on the wire: one line of JSON.
    pub fn data(&self) -> String {
        let json = match self {
            Self::Job(job) | Self::End(job) => serde_json::to_string(job),
            Self::Unit(unit) => serde_json::to_string(unit),
        };
        json.expect("these types are JSON")
    }

    /// The event of that name. `Ok(None)` if this version does not know the name.
    ///
    /// # Errors
    /// The data is not what the name says.
    pub(crate) fn read(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        let event = match name {
            "job" => Self::Job(serde_json::from_str(data)?),
            "unit" => Self::Unit(serde_json::from_str(data)?),
            "end" => Self::End(serde_json::from_str(data)?),
            _ => return Ok(None),
        };
        Ok(Some(event))
    }
}
