//! Things as a node would tell of them, for tests of how they are shown.

use opensky_api::{
    Amount, Fuel, Hex, JobId, JobState, JobSummary, NodeId, Stage, Time, Turn, Unit, UnitId,
    UnitState,
};
use opensky_protocol::Digest;

pub(super) fn job(state: JobState) -> JobSummary {
    JobSummary {
        job: JobId::new(Digest([1; 32])),
        state,
        ending: None,
        program: Hex([2; 32]),
        submitted: Time::saturating(1_000_000),
        deadline: Time::saturating(9_000_000),
        ended: None,
        units: 2,
        units_done: 1,
        running: 1,
        verified: None,
        fuel: Fuel(123_456_789),
        price: Amount(1_500_000),
        escrow: Amount(2_000_000_000),
    }
}

pub(super) fn unit(stage: Stage, index: u32, state: UnitState) -> Unit {
    Unit {
        unit: UnitId::new(Digest([5; 32])),
        index,
        stage,
        state,
        agreed: 0,
        wanted: 2,
        turns: Vec::new(),
    }
}

pub(super) fn node(number: u8) -> NodeId {
    NodeId::new(Digest([number; 32]))
}

pub(super) fn turn(provider: u8, state: &str) -> Turn {
    Turn {
        provider: node(provider),
        operator: Hex([provider; 32]),
        attempt: u32::from(provider),
        asked: Time::saturating(1_000),
        state: state.into(),
    }
}

/// What a terminal without colours shows.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Its lines as an `expect!` can hold them: behind a margin, without blanks at their ends.
pub(super) fn screen(text: &str) -> String {
    let margin = |line: &str| format!("| {}\n", line.trim_end());
    plain(text).lines().map(margin).collect()
}
