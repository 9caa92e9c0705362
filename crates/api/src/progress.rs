//! What happens inside a job: units, who runs them, and why things are as they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Fuel, JobId, Need, NodeId, Page, Time, UnitId};

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
    /// Units before it are not done.
    Waiting,
    /// Nobody was found yet who would run it.
    Placing,
    /// Somebody runs it.
    Running,
    /// Enough operators agree.
    Agreed,
    /// Operators differ: more of them run it now.
    Disputed,
    /// Machines of several operators failed at it in the same way, or nobody was left to ask.
    Failed,
    /// It is not wanted any more.
    Cancelled,
}

/// How far one provider is with a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TurnState {
    /// It was asked.
    Asked,
    /// It said that it does it.
    Accepted,
    /// It has promised a result that nobody has seen.
    Committed,
    /// It has shown its result, and others have not yet.
    Revealed,
    /// Its result is the one agreed on.
    Agreed,
    /// Its result is another one.
    Differed,
    /// It did not want to.
    Refused,
    /// Its machine failed, which says nothing about the program.
    Aborted,
    /// It was not heard of in time.
    Lost,
    /// It was not needed any more.
    Released,
}

/// One provider's turn at a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Who.
    pub provider: NodeId,
    /// Counts the unit's turns, from 0.
    pub attempt: u32,
    /// How far it is.
    pub state: TurnState,
    /// Why it is so, as a sentence, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Time>,
    /// When its turn was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Time>,
    /// What it is owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
}

/// One unit, for the live table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Its id; absent as long as its inputs are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// Its place in the plan, from 0.
    pub index: u32,
    /// Which part of the job it is.
    pub stage: Stage,
    /// How far it is.
    pub state: UnitState,
    /// Operators that agree.
    pub agreed: u32,
    /// Operators that have to.
    pub wanted: u32,
    /// What the program did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// What that cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<Fuel>,
    /// The newest turns, at most 16, in order.
    pub turns: Vec<Turn>,
}

/// Why a job is where it is, unit by unit and node by node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The job.
    pub job: JobId,
    /// All of it in one sentence.
    pub sentence: String,
    /// The units, a page of them.
    pub units: Page<UnitWhy>,
}

/// Why a unit is where it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnitWhy {
    /// The unit.
    pub unit: Unit,
    /// In one sentence.
    pub sentence: String,
    /// Nodes that were not asked, by reason.
    pub needs: Vec<Need>,
    /// Nodes that were not asked, one by one: at most 64.
    pub passed: Vec<Passed>,
}

/// A node that was not asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Passed {
    /// The node.
    pub node: NodeId,
    /// Why not.
    pub reason: String,
}

/// What a unit logged, and wrote to standard error.
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
