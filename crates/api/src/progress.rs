//! What happens inside a job: units, who runs them, and why things are as they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Hex, JobId, Need, NodeId, Page, Time, UnitId};

/// What a program did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It returned an output.
    Ok,
    /// It returned an error of its own, or an exit code that is not 0.
    Err,
    /// It needed more fuel than its limit.
    OutOfFuel,
    /// It panicked.
    Panic,
    /// It trapped.
    Trap,
    /// It went over a limit that is not fuel.
    Limit,
}

impl From<opensky_protocol::Class> for Class {
    fn from(class: opensky_protocol::Class) -> Self {
        use opensky_protocol::Class as Protocol;
        match class {
            Protocol::Ok => Self::Ok,
            Protocol::Err => Self::Err,
            Protocol::OutOfFuel => Self::OutOfFuel,
            Protocol::Panic => Self::Panic,
            Protocol::Trap => Self::Trap,
            Protocol::Limit => Self::Limit,
        }
    }
}

impl From<Class> for opensky_protocol::Class {
    fn from(class: Class) -> Self {
        match class {
            Class::Ok => Self::Ok,
            Class::Err => Self::Err,
            Class::OutOfFuel => Self::OutOfFuel,
            Class::Panic => Self::Panic,
            Class::Trap => Self::Trap,
            Class::Limit => Self::Limit,
        }
    }
}

/// Which part of its job a unit is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// All of it.
    Whole,
    /// One shard.
    Map,
    /// One partition.
    Reduce,
    /// The end of a map-reduce.
    Finish,
    /// Some steps of a stepper.
    Steps,
}

/// How far a unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    /// Nobody runs it: providers are looked for.
    Placing,
    /// Somebody runs it, or more have to.
    Running,
    /// Enough operators agree.
    Agreed,
    /// The job is over, and it has no result.
    Dropped,
}

/// One provider's turn at a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Who.
    pub provider: NodeId,
    /// Who is paid for it.
    pub operator: Hex,
    /// Counts the unit's turns, from 0.
    pub attempt: u32,
    /// When it was asked.
    pub asked: Time,
    /// How far it is, or how it ended, in words.
    pub state: String,
}

/// One unit, and everyone who had a turn at it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Its id.
    pub unit: UnitId,
    /// Its place in the plan, from 0.
    pub index: u32,
    /// Which part of the job it is.
    pub stage: Stage,
    /// How far it is.
    pub state: UnitState,
    /// Operators that agree.
    pub agreed: u32,
    /// Operators whose results are wanted.
    pub wanted: u32,
    /// Operators that have promised a result, or shown one.
    pub promised: u32,
    /// Operators whose results were shown and compared.
    pub compared: u32,
    /// Operators that it still has to be given.
    pub lacks: u32,
    /// The turns, in order.
    pub turns: Vec<Turn>,
}

/// Why a job is where it is: what keeps nodes from it, and what became of those that were asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The job.
    pub job: JobId,
    /// All of it in one sentence.
    pub sentence: String,
    /// Units that want providers, as far as their inputs are known.
    pub waiting: u32,
    /// What is neither spent nor promised of the job's money.
    pub left: Amount,
    /// What one more provider can cost.
    pub turn_price: Amount,
    /// Nodes that could take a unit now.
    pub fit: u32,
    /// What keeps nodes from it now, the most frequent reason first.
    pub needs: Vec<Need>,
    /// The nodes that it keeps from it, one by one: at most 64.
    pub nodes: Vec<Passed>,
    /// Its units that anybody was asked for, a page of them.
    pub units: Page<Unit>,
}

/// A node that is not asked, or has said no.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Passed {
    /// The node.
    pub node: NodeId,
    /// Why not.
    pub reason: String,
}

/// What a unit logged, and wrote to standard error: known once its result is shown. Of one job at most
/// 4 MiB are kept of what one provider says, and 16 MiB in all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnitLog {
    /// Its place in the plan.
    pub index: u32,
    /// Which part of the job it is.
    pub stage: Stage,
    /// Who ran it. A log is not compared: it is this provider's word.
    pub provider: NodeId,
    /// The text, at most 64 KiB; what was no UTF-8 is replaced.
    pub text: String,
    /// Whether there is more of it.
    pub cut: bool,
}
