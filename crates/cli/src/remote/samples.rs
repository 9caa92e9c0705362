//! Things as a node would tell of them, for tests of how they are shown.

use std::collections::{BTreeMap, BTreeSet};

use opensky_api::{
    Amount, Fuel, Hex, JobId, JobSpec, JobState, JobSummary, NodeId, Plan, Prices, Replicas, Stage,
    Time, Turn, Unit, UnitId, UnitState, World,
};
use opensky_protocol::Digest;

pub(crate) fn job(state: JobState) -> JobSummary {
    JobSummary {
        job: JobId::new(Digest([1; 32])),
        state,
        ending: None,
        program: Hex([2; 32]),
        name: None,
        submitted: Time::saturating(1_000_000),
        deadline: Time::saturating(9_000_000),
        ended: None,
        units: 2,
        units_done: 1,
        running: 1,
        promised: 0,
        verified: None,
        verified_of: None,
        wrong: None,
        replicas: Replicas::Exactly(2),
        encrypted: false,
        fuel: Fuel(123_456_789),
        price: Amount(1_500_000),
        price_under_way: Amount(0),
        escrow: Amount(2_000_000_000),
    }
}

/// What was asked for, nothing left out.
pub(crate) fn spec(plan: Plan) -> JobSpec {
    JobSpec {
        program: Hex([2; 32]),
        world: World::MapReduce,
        plan,
        inputs: map_of("table", Hex([6; 32])),
        args: vec!["-x".into(), "two words\n\u{1b}[2J".into()],
        env: map_of("LANG", "C".into()),
        params: map_of("depth", "3".into()),
        limits: opensky_protocol::Limits {
            fuel: 2_000_000,
            memory: 64 << 20,
            output: 1 << 20,
            log: 1 << 10,
        }
        .into(),
        profile: "1".into(),
        entropy: Hex([7; 32]),
        virtual_time: Time::saturating(9_000),
        replicas: Replicas::Exactly(2),
        replica_cap: 5,
        price: Prices {
            dispatch: Amount(1_000),
            per_gfuel: Amount(2_000_000),
            per_gib: Amount(3_000_000),
        },
        max_price: Some(Amount(5_000_000_000)),
        deadline: Time::saturating(0),
        require: map_of("region", BTreeSet::from(["eu".to_owned(), "us".to_owned()])),
        encrypt: false,
    }
}

pub(crate) fn unit(stage: Stage, index: u32, state: UnitState) -> Unit {
    Unit {
        unit: UnitId::new(Digest([5; 32])),
        index,
        stage,
        state,
        agreed: 0,
        wanted: 2,
        promised: 0,
        compared: 0,
        lacks: 0,
        turns: Vec::new(),
    }
}

fn map_of<T>(key: &str, value: T) -> BTreeMap<String, T> {
    BTreeMap::from([(key.to_owned(), value)])
}

pub(crate) fn node(number: u8) -> NodeId {
    NodeId::new(Digest([number; 32]))
}

pub(crate) fn turn(provider: u8, state: &str) -> Turn {
    Turn {
        provider: node(provider),
        operator: Hex([provider; 32]),
        attempt: u32::from(provider),
        asked: Time::saturating(1_000),
        state: state.into(),
    }
}

/// What a terminal without colours shows.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Its lines as an `expect!` can hold them: behind a margin, without blanks at their ends.
pub(crate) fn screen(text: &str) -> String {
    let margin = |line: &str| format!("| {}\n", line.trim_end());
    plain(text).lines().map(margin).collect()
}
