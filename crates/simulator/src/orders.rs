//! What users of a world want, and what its providers give.

use std::collections::BTreeMap;

use opensky_core::{Plan, Replicas, Submission, Terms, Time};
use opensky_protocol::{
    Capacity, Digest, JobPlan, JobSpec, Limits, PriceTerms, Profile, Shard, Work, World, names,
};

/// The only rules of execution.
pub const PROFILE: &str = "1";

/// What everyone asks and gives, if nothing else is said.
pub const ASK: PriceTerms = PriceTerms {
    dispatch: 100,
    per_gfuel: 1_000_000,
    per_gib: 1_000,
};

/// What a unit may use.
pub const LIMITS: Limits = Limits {
    fuel: 10_000_000,
    memory: 1 << 20,
    output: 1 << 20,
    log: 1 << 10,
};

/// A provider like any other.
pub fn terms() -> Terms {
    Terms {
        ask: ASK,
        capacity: Capacity {
            cores: 2,
            memory: 4 << 30,
            disk: 1 << 40,
            uplink: 1 << 20,
        },
        speed: 1_000_000_000,
        profiles: vec![Profile::new(PROFILE)],
        labels: BTreeMap::new(),
    }
}

fn bytes<const N: usize>(nonce: u64) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..8].copy_from_slice(&nonce.to_le_bytes());
    bytes
}

/// The program that everyone wants to be run.
pub const PROGRAM: Digest = Digest([1; 32]);

/// One unit.
pub fn single(nonce: u64) -> Submission {
    let input = Digest::derive("simulated input 1", &nonce);
    let work = Work {
        profile: Profile::new(PROFILE),
        program: PROGRAM,
        world: World::Job,
        inputs: BTreeMap::from([(names::INPUT.to_owned(), input)]),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: bytes(nonce),
        virtual_time: 0,
        limits: LIMITS,
    };
    order(nonce, Plan::Single(Box::new(work)), vec![input])
}

/// So many shards, and so many partitions that are reduced.
pub fn map_reduce(nonce: u64, shards: u32, partitions: u32, finish: bool) -> Submission {
    let shards: Vec<Digest> = (0..shards)
        .map(|shard| Digest::derive("simulated shard 1", &(nonce, shard)))
        .collect();
    let plan = JobPlan::MapReduce {
        shards: shards.clone(),
        partitions,
        finish,
    };
    job(nonce, plan, shards)
}

/// As many units as the program takes: see [`guest`](crate::guest).
pub fn stepper(nonce: u64) -> Submission {
    let input = Digest([9; 32]);
    job(nonce, JobPlan::Stepper { input, steps: 5 }, vec![input])
}

fn job(nonce: u64, plan: JobPlan, inputs: Vec<Digest>) -> Submission {
    let spec = JobSpec {
        profile: Profile::new(PROFILE),
        program: PROGRAM,
        inputs: BTreeMap::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        entropy: bytes(nonce),
        virtual_time: 0,
        limits: LIMITS,
        plan,
    };
    order(nonce, Plan::Job(Box::new(spec)), inputs)
}

const HOUR: u64 = 3_600_000;

fn order(nonce: u64, plan: Plan, inputs: Vec<Digest>) -> Submission {
    Submission {
        nonce: bytes(nonce),
        plan,
        deployment: None,
        program_len: 1_000,
        lengths: inputs.into_iter().map(|input| (input, 1_000)).collect(),
        price: ASK,
        max_total: None,
        replicas: Replicas::Fixed(2),
        replica_cap: 7,
        deadline: Time(crate::world::BEGIN.0 + HOUR),
        require: BTreeMap::new(),
        is_encrypted: false,
    }
}
