//! Values that tests start from: small, valid, and always the same.
#![allow(clippy::unwrap_used)] // a helper that fails fails the test
#![allow(dead_code)] // each test file uses its share

pub mod books;
pub mod wire;

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Capacity, Class, Commit, Deployment, Digest, JobPlan, JobReceipt, JobSpec, Limits,
    Manifest, Offer, Output, Outputs, PriceTerms, Profile, Receipt, SecretKey, Shard, Signed,
    Summons, Ticket, Transcript, Turn, Verified, Voucher, Work, World, codec, names,
};

pub fn secret() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

pub fn other_secret() -> SecretKey {
    SecretKey::from_seed(&[8; 32])
}

/// A digest that is none of anything.
pub fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
    pairs.iter().map(owned).collect()
}

/// Something in every field.
pub fn work() -> Work {
    Work {
        profile: Profile::new("0"),
        program: digest(1),
        world: World::Job,
        inputs: BTreeMap::from([
            (names::INPUT.into(), digest(2)),
            ("data/a.csv".into(), digest(3)),
        ]),
        args: vec!["-v".into(), "".into()],
        env: texts(&[("LANG", "C")]),
        params: texts(&[("depth", "3"), ("mode", "fast")]),
        shard: Shard { index: 1, count: 3 },
        entropy: [9; 32],
        virtual_time: 1_700_000_000,
        limits: Limits {
            fuel: 1_000,
            ..Limits::DEFAULT
        },
    }
}

pub fn transcript(unit: &Digest) -> Transcript {
    let mut transcript = Transcript::start(unit);
    transcript.push("wasi:random/random#get-random-u64", digest(4), digest(5));
    transcript.push("opensky:compute/report#log", digest(6), digest(7));
    transcript
}

pub fn outputs(pairs: &[(&str, &[u8])]) -> Outputs {
    let owned = |(name, bytes): &(&str, &[u8])| (name.to_string(), Output::of(bytes));
    Outputs(pairs.iter().map(owned).collect())
}

pub fn receipt_of(work: Work, class: Class, outputs: Outputs) -> Receipt {
    // Only these have any.
    let outputs = match class {
        Class::Ok | Class::Err => outputs,
        _ => Outputs::default(),
    };
    let transcript = transcript(&work.unit());
    Receipt::sign(&secret(), work, class, 500, transcript, outputs, Vec::new())
}

pub fn receipt() -> Receipt {
    receipt_of(work(), Class::Ok, outputs(&[(names::OUTPUT, b"42")]))
}

pub fn ticket(unit: Digest) -> Signed<Ticket> {
    let ticket = Ticket {
        unit,
        job: digest(10),
        requester: other_secret().node(),
        payer: Account([12; 32]),
        ledger: digest(11),
        price: PriceTerms {
            dispatch: 1,
            per_gfuel: 2,
            per_gib: u128::MAX,
        },
        replicas: 2,
        replica_cap: 5,
        input_len: 1 << 20,
        limits: work().limits,
        deadline: 1_800_000_000_000,
    };
    Verified::sign(&other_secret(), ticket).into_signed()
}

pub fn commit() -> Commit {
    let turn = Turn {
        job: digest(10),
        unit: digest(1),
        attempt: 3,
    };
    let node = other_secret().node();
    let hash = Commit::hash_of(&node, &turn, &digest(2), &digest(3));
    Commit { turn, node, hash }
}

pub fn summons() -> Signed<Summons> {
    let secret = other_secret();
    let (broker, commit) = (secret.node(), commit());
    Verified::sign(&secret, Summons { broker, commit }).into_signed()
}

pub fn voucher() -> Voucher {
    Voucher {
        ledger: digest(11),
        escrow: digest(10),
        requester: other_secret().node(),
        operator: Account([12; 32]),
        total: 1 << 70,
        turns: 3,
        root: digest(13),
    }
}

pub fn offer() -> Offer {
    Offer {
        node: other_secret().node(),
        operator: Account([12; 32]),
        ledger: digest(11),
        sequence: 4,
        expires: 1_800_000_000_000,
        ask: PriceTerms {
            dispatch: 1,
            per_gfuel: 2,
            per_gib: 3,
        },
        credit: 5,
        capacity: Capacity {
            cores: 2,
            memory: 1 << 34,
            disk: 1 << 36,
            uplink: 1 << 20,
        },
        free: 2,
        speed: 1 << 30,
        profiles: vec![Profile::new("1")],
        labels: BTreeMap::from([("region".into(), "eu".into())]),
    }
}

pub fn deployment() -> Deployment {
    Deployment {
        publisher: other_secret().node(),
        name: "census-2".into(),
        program: digest(5),
        program_len: 1 << 20,
        sequence: 1,
        manifest: Manifest {
            profile: Profile::new("1"),
            limits: Limits::DEFAULT,
            replicas: Some(3),
            price: None,
            about: "counts".into(),
        },
    }
}

pub fn spec(plan: JobPlan) -> JobSpec {
    let Work {
        profile,
        program,
        args,
        env,
        params,
        entropy,
        virtual_time,
        limits,
        ..
    } = work();
    JobSpec {
        profile,
        program,
        inputs: BTreeMap::from([("data/a.csv".into(), digest(3))]),
        args,
        env,
        params,
        entropy,
        virtual_time,
        limits,
        plan,
    }
}

/// Two shards, two partitions, and a unit that finishes.
pub fn map_reduce_spec() -> JobSpec {
    spec(JobPlan::MapReduce {
        shards: vec![digest(20), digest(21)],
        partitions: 2,
        finish: true,
    })
}

/// The units of [`map_reduce_spec`] as they would come back.
pub fn map_reduce_units(spec: &JobSpec) -> Vec<Receipt> {
    let maps: Vec<Receipt> = (0..2u8)
        .map(|index| {
            let parts = outputs(&[
                (&names::partition(0), &[index, 0]),
                (&names::partition(1), &[index, 1]),
            ]);
            receipt_of(spec.map_work(index.into()).unwrap(), Class::Ok, parts)
        })
        .collect();
    let map_outputs: Vec<&Outputs> = maps.iter().map(|unit| &unit.outputs).collect();
    let reduces: Vec<Receipt> = (0..2u8)
        .map(|index| {
            let work = spec.reduce_work(index.into(), &map_outputs).unwrap();
            receipt_of(work, Class::Ok, outputs(&[(names::OUTPUT, &[index])]))
        })
        .collect();
    let reduce_outputs: Vec<&Outputs> = reduces.iter().map(|unit| &unit.outputs).collect();
    let finish = receipt_of(
        spec.finish_work(&reduce_outputs).unwrap(),
        Class::Ok,
        outputs(&[(names::OUTPUT, b"all")]),
    );
    maps.into_iter().chain(reduces).chain([finish]).collect()
}

pub fn map_reduce_receipt() -> JobReceipt {
    let spec = map_reduce_spec();
    let units = map_reduce_units(&spec);
    JobReceipt::sign(&secret(), spec, units).unwrap()
}

/// A stepper's job of two units: one that goes on and one that is done.
pub fn stepper_units(spec: &JobSpec) -> Vec<Receipt> {
    let states = vec![digest(30), digest(31)];
    let list = codec::encode(&states);
    let unit = |work: Work, outputs: Outputs| {
        let transcript = transcript(&work.unit());
        let states = states.clone();
        Receipt::sign(&secret(), work, Class::Ok, 500, transcript, outputs, states)
    };
    let more = outputs(&[(names::STATE, b"half"), (names::STATES, &list)]);
    let first = unit(spec.first_steps().unwrap(), more);
    let next = spec.next_steps(&first.outputs).unwrap();
    let done = outputs(&[(names::OUTPUT, b"done"), (names::STATES, &list)]);
    vec![first, unit(next, done)]
}

pub fn stepper_spec() -> JobSpec {
    spec(JobPlan::Stepper {
        input: digest(22),
        steps: 2,
    })
}
