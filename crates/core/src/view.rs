//! What others may look at: a participant's jobs and its own work, as of now.

use std::collections::BTreeSet;

use opensky_protocol::{Account, Digest, NodeKey, Output, Turn};

use crate::{phase::Ending, time::Time};

/// An own job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobView {
    /// Its id.
    pub id: Digest,
    /// Where it is.
    pub state: JobState,
    /// When it was submitted, and when it ended.
    pub created: Time,
    /// 0 as long as it has not.
    pub ended: Time,
    /// When it has to end.
    pub deadline: Time,
    /// Units of its plan, as far as they are known.
    pub planned: u64,
    /// Units that have a result.
    pub agreed: u64,
    /// Turns that somebody is at.
    pub running: u64,
    /// Those of them of which a result is promised: they wait for others, or to be shown.
    pub promised: u64,
    /// What its escrow holds.
    pub locked: u128,
    /// What has been earned of it.
    pub spent: u128,
    /// The most that turns which somebody is at can still cost of it.
    pub reserved: u128,
    /// Fuel of all units that have a result.
    pub fuel: u64,
    /// The fewest operators that agreed on a unit's result, of all units that have one.
    pub verified: u8,
    /// Of how many: the operators that were asked for such a unit, or all that have shown a result of it
    /// where those are more.
    pub verified_of: u32,
    /// Results that were shown and could be judged, of all units.
    pub compared: u64,
    /// Those of them that were wrong.
    pub wrong: u64,
    /// Whose these were.
    pub caught: BTreeSet<NodeKey>,
    /// The job's outputs, once its last units have a result: with the names that these give them, the
    /// units in the order of the plan.
    pub outputs: Vec<(String, Output)>,
}

/// Where a job is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobState {
    /// Its money is being set aside.
    Funding,
    /// Units are run.
    Running,
    /// It will end so.
    Winding(Ending),
    /// Its outputs are being fetched, or those of the unit that failed.
    Collecting,
    /// It has ended so.
    Over(Ending),
}

/// A unit, and everyone who had a turn at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitView {
    /// Its place in the plan.
    pub index: u32,
    /// Its id.
    pub unit: Digest,
    /// How many results were asked for, or are wanted since they differ.
    pub wanted: u8,
    /// How many operators have promised a result, or shown one.
    pub promised: u32,
    /// How many results were shown, each by another operator.
    pub compared: u32,
    /// How many operators it still has to be given.
    pub lacks: u32,
    /// The compare key that was agreed on, and by how many.
    pub agreed: Option<(Digest, u8)>,
    /// The turns, in order.
    pub seats: Vec<SeatView>,
}

/// One turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeatView {
    /// Who has it.
    pub node: NodeKey,
    /// For whom.
    pub operator: Account,
    /// When it was asked.
    pub asked: Time,
    /// What it has earned.
    pub earned: u128,
    /// How far it is, in words; what it has earned is not among them.
    pub state: String,
}

/// What this node does for others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerView {
    /// Turns that wait.
    pub queued: usize,
    /// Turns that run.
    pub running: Vec<Turn>,
    /// Turns whose result nobody has settled yet.
    pub unsettled: usize,
    /// Units that it would take on at once.
    pub free: u16,
    /// What requesters have promised for jobs that are not closed.
    pub earned: u128,
    /// What the ledger has paid of that.
    pub claimed: u128,
    /// How often it refused an order since it started, and why.
    pub refusals: Vec<(opensky_protocol::Refusal, u64)>,
}
