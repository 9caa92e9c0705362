//! Receipts that are well signed and wrong: each is refused for the right reason.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod sample;

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Class, Digest, JobError, JobPlan, JobReceipt, JobSpec, MAX_SHARDS, Outputs, Profile,
    Receipt, ReceiptError, SecretKey, Shard, Signature, Transcript, Work, WorkError, World, codec,
    merkle_root, names,
};

/// Signs as an attacker would: whatever the parts say.
fn signed(mut receipt: Receipt) -> Receipt {
    let secret = sample::secret();
    receipt.statement.node = secret.node();
    receipt.signature = secret.sign("opensky statement 1", &receipt.statement);
    receipt
}

fn inconsistent(part: &'static str) -> Result<(), ReceiptError> {
    Err(ReceiptError::Inconsistent(part))
}

#[test]
fn the_attackers_signature_is_a_good_one() {
    assert_eq!(signed(sample::receipt()), sample::receipt());
    assert_eq!(sample::receipt().check(), Ok(()));
}

#[test]
fn a_statement_that_differs_from_its_parts_is_refused_by_name() {
    type Change = fn(&mut Receipt);
    let cases: [(&str, Change); 17] = [
        ("work", |r| r.statement.unit = sample::digest(1)),
        ("work", |r| r.statement.profile = Profile::new("1")),
        ("work", |r| r.work.virtual_time += 1),
        ("output manifest", |r| {
            r.statement.output = sample::digest(1)
        }),
        ("output manifest", |r| r.statement.output_len += 1),
        ("output manifest", |r| {
            r.outputs = sample::outputs(&[(names::OUTPUT, b"43")]);
        }),
        ("transcript", |r| r.statement.transcript = sample::digest(1)),
        ("transcript", |r| r.statement.calls += 1),
        ("list of host calls", |r| {
            r.transcript.calls[1].args = sample::digest(1);
        }),
        ("list of host calls", |r| {
            r.transcript.calls.pop();
        }),
        ("fuel", |r| {
            r.statement.fuel = r.work.limits.fuel + 1;
            r.statement.compare_key = r.statement.key();
        }),
        ("list of states", |r| r.states.push(sample::digest(1))),
        ("list of states", |r| {
            r.outputs = sample::outputs(&[(names::STATES, b"not the list")]);
            r.statement.output = r.outputs.digest();
            r.statement.output_len = r.outputs.len();
        }),
        ("compare key", |r| {
            r.statement.compare_key = sample::digest(1)
        }),
        ("compare key", |r| r.statement.class = Class::Err),
        // The same bytes by their digest, and yet more of them to be paid for.
        ("compare key", |r| {
            let output = r.outputs.0.get_mut(names::OUTPUT).unwrap();
            output.len += 1 << 28;
            r.statement.output_len = r.outputs.len();
        }),
        ("compare key", |r| {
            r.statement.class = Class::Panic;
            r.statement.fuel = r.work.limits.fuel;
            r.statement.compare_key = r.statement.key();
        }),
    ];
    for (part, change) in cases {
        let mut receipt = sample::receipt();
        change(&mut receipt);
        assert_eq!(signed(receipt).check(), inconsistent(part));
    }
}

/// The list may be shorter than the count only where the cap says so.
#[test]
fn a_transcript_longer_than_its_list_is_consistent_and_one_call_off_is_not() {
    let unit = sample::digest(1);
    let mut transcript = Transcript::start(&unit);
    for _ in 0..=Transcript::CALLS_KEPT {
        transcript.push("a", unit, unit);
    }
    assert_eq!(transcript.calls.len(), Transcript::CALLS_KEPT);
    assert!(transcript.is_consistent(&unit));
    let mut fewer = transcript.clone();
    fewer.calls.pop();
    assert!(!fewer.is_consistent(&unit));
    let mut more = transcript;
    more.calls.push(more.calls[0].clone());
    assert!(!more.is_consistent(&unit));
}

#[test]
fn fuel_of_a_class_that_makes_it_inexact_is_the_limit() {
    for class in [Class::OutOfFuel, Class::Panic, Class::Trap, Class::Limit] {
        let receipt = sample::receipt_of(sample::work(), class, Outputs::default());
        assert_eq!(receipt.statement.fuel, receipt.work.limits.fuel);
        assert_eq!(receipt.check(), Ok(()));
        let mut cheaper = receipt;
        cheaper.statement.fuel = 1;
        assert_eq!(signed(cheaper).check(), inconsistent("fuel"));
    }
}

#[test]
fn fuel_of_a_panic_is_said_and_compared_from_profile_1_on() {
    for (id, is_exact) in [
        ("0", false),
        ("0-wasmtime-48.0.8", false),
        ("1-draft.1", true),
        ("1", true),
    ] {
        let work = Work {
            profile: Profile::new(id),
            ..sample::work()
        };
        let said = sample::receipt_of(work.clone(), Class::Panic, Outputs::default()).statement;
        assert_eq!(said.fuel == 500, is_exact, "{id}");
        assert_eq!(said.fuel == work.limits.fuel, !is_exact, "{id}");
        let mut other = said.clone();
        other.fuel -= 1;
        assert_eq!(other.key() != said.compare_key, is_exact, "{id}");
        let mut receipt = sample::receipt_of(work, Class::Panic, Outputs::default());
        receipt.statement.fuel = receipt.work.limits.fuel + 1;
        receipt.statement.compare_key = receipt.statement.key();
        assert_eq!(signed(receipt).check(), inconsistent("fuel"), "{id}");
    }
}

#[test]
fn who_signs_and_who_orders_is_checked() {
    let mut receipt = sample::receipt();
    receipt.statement.operator = Account([0; 32]);
    let node = receipt.statement.node;
    assert_eq!(receipt.check(), Err(ReceiptError::Signature(node)));

    let mut receipt = sample::receipt();
    let stranger = sample::other_secret().node();
    receipt.statement.node = stranger;
    assert_eq!(receipt.check(), Err(ReceiptError::Signature(stranger)));

    let mut receipt = sample::receipt();
    receipt.ticket = Some(sample::ticket(sample::digest(1)));
    assert_eq!(receipt.check(), Err(ReceiptError::Ticket));

    let mut ticket = sample::ticket(receipt.statement.unit);
    ticket.value.deadline += 1;
    receipt.ticket = Some(ticket);
    assert_eq!(receipt.check(), Err(ReceiptError::Ticket));
}

fn job_signed(secret: &SecretKey, mut receipt: JobReceipt) -> JobReceipt {
    receipt.node = secret.node();
    let root = merkle_root(receipt.units.iter().map(|unit| &unit.statement));
    let signed = (receipt.spec.id(), root, receipt.output, receipt.node);
    receipt.signature = secret.sign("opensky job receipt 1", &signed);
    receipt
}

/// A job receipt after `change`, signed by someone who does not check.
fn job_after(change: impl FnOnce(&mut JobReceipt)) -> Result<(), JobError> {
    let mut receipt = sample::map_reduce_receipt();
    change(&mut receipt);
    job_signed(&sample::secret(), receipt).check()
}

#[test]
fn units_out_of_place_are_refused() {
    assert_eq!(job_after(|_| ()), Ok(()));
    assert_eq!(
        job_after(|job| job.units.swap(0, 1)),
        Err(JobError::Plan(0))
    );
    assert_eq!(
        job_after(|job| job.units.swap(2, 3)),
        Err(JobError::Plan(2))
    );
    assert_eq!(
        job_after(|job| job.units.swap(1, 4)),
        Err(JobError::Plan(1))
    );
    let twice = job_after(|job| job.units[1] = job.units[0].clone());
    assert_eq!(twice, Err(JobError::Plan(1)));
}

#[test]
fn a_missing_or_additional_unit_is_refused() {
    assert_eq!(
        job_after(|job| drop(job.units.pop())),
        Err(JobError::Count(4))
    );
    assert_eq!(
        job_after(|job| drop(job.units.remove(0))),
        Err(JobError::Count(4))
    );
    assert_eq!(job_after(|job| job.units.clear()), Err(JobError::Count(0)));
    let more = job_after(|job| job.units.push(job.units[4].clone()));
    assert_eq!(more, Err(JobError::Count(6)));
}

#[test]
fn a_unit_of_another_job_is_refused() {
    let mut other = sample::map_reduce_spec();
    other.entropy = [1; 32];
    let units = sample::map_reduce_units(&other);
    for (index, unit) in units.into_iter().enumerate() {
        let mixed = job_after(|job| job.units[index] = unit);
        assert_eq!(mixed, Err(JobError::Plan(index)));
    }
}

#[test]
fn a_unit_that_did_not_succeed_is_refused() {
    for class in [
        Class::Err,
        Class::OutOfFuel,
        Class::Panic,
        Class::Trap,
        Class::Limit,
    ] {
        let failed = job_after(|job| {
            let Receipt { work, outputs, .. } = job.units[3].clone();
            job.units[3] = sample::receipt_of(work, class, outputs);
        });
        assert_eq!(failed, Err(JobError::Plan(3)), "{class}");
    }
}

#[test]
fn a_unit_whose_own_receipt_is_bad_is_refused_with_its_place() {
    let bad = job_after(|job| job.units[2].states.push(sample::digest(1)));
    let error = ReceiptError::Inconsistent("list of states");
    assert_eq!(bad, Err(JobError::Unit { index: 2, error }));
}

#[test]
fn outputs_that_do_not_follow_are_refused() {
    let wrong = job_after(|job| job.output = sample::digest(1));
    assert_eq!(wrong, Err(JobError::Output));
    // A map unit that left a partition out: no reduce unit follows from it.
    let without = job_after(|job| {
        let only_one = sample::outputs(&[(&names::partition(0), b"x")]);
        job.units[0] = sample::receipt_of(job.units[0].work.clone(), Class::Ok, only_one);
    });
    assert_eq!(without, Err(JobError::Plan(2)));
    // One that says something else: the reduce units took other bytes.
    let other = job_after(|job| {
        let Receipt { work, .. } = job.units[0].clone();
        let changed = sample::outputs(&[
            (&names::partition(0), b"x"),
            (&names::partition(1), &[0, 1]),
        ]);
        job.units[0] = sample::receipt_of(work, Class::Ok, changed);
    });
    assert_eq!(other, Err(JobError::Plan(2)));
}

#[test]
fn a_job_that_somebody_else_signed_is_refused() {
    let mut receipt = sample::map_reduce_receipt();
    receipt.node = sample::other_secret().node();
    assert_eq!(receipt.check(), Err(JobError::Signature(receipt.node)));
    let mut receipt = sample::map_reduce_receipt();
    receipt.signature = Signature([0; 64]);
    assert_eq!(receipt.check(), Err(JobError::Signature(receipt.node)));
    // A driver of the job may be another node than the ones that ran it.
    let other = job_signed(&sample::other_secret(), sample::map_reduce_receipt());
    assert_eq!(other.check(), Ok(()));
}

fn empty_job(plan: JobPlan) -> Result<(), JobError> {
    let receipt = JobReceipt {
        spec: sample::spec(plan),
        units: Vec::new(),
        output: sample::digest(0),
        node: sample::secret().node(),
        signature: Signature([0; 64]),
    };
    job_signed(&sample::secret(), receipt).check()
}

/// It would have an output too: nothing, joined.
#[test]
fn a_job_without_partitions_is_refused() {
    let nothing: [Digest; 0] = [];
    let receipt = JobReceipt {
        spec: sample::spec(JobPlan::MapReduce {
            shards: Vec::new(),
            partitions: 0,
            finish: false,
        }),
        units: Vec::new(),
        output: Digest::derive("opensky parts 1", &nothing.as_slice()),
        node: sample::secret().node(),
        signature: Signature([0; 64]),
    };
    let receipt = job_signed(&sample::secret(), receipt);
    assert_eq!(receipt.check(), Err(JobError::Count(0)));
}

/// A short file may name a plan of any size; none of it is unfolded.
#[test]
fn plans_beyond_the_limits_are_refused_at_once() {
    let plan = |shards, partitions, finish| JobPlan::MapReduce {
        shards: vec![sample::digest(1); shards],
        partitions,
        finish,
    };
    for plan in [
        plan(0, 0, false),
        plan(0, 0, true),
        plan(0, 1, true),
        plan(1, 0, true),
        plan(1, u32::MAX, false),
        plan(MAX_SHARDS, u32::MAX, true),
        plan(MAX_SHARDS + 1, 1, false),
        JobPlan::Stepper {
            input: sample::digest(1),
            steps: 0,
        },
        JobPlan::Stepper {
            input: sample::digest(1),
            steps: u32::MAX,
        },
    ] {
        let shown = format!("{plan:.200?}");
        assert!(empty_job(plan).is_err(), "{shown:.200}");
    }
}

#[test]
fn steps_follow_each_other_and_end() {
    let spec = sample::stepper_spec();
    let units = sample::stepper_units(&spec);
    let sign = |units: Vec<Receipt>| JobReceipt::sign(&sample::secret(), spec.clone(), units);
    let whole = sign(units.clone()).unwrap();
    assert_eq!(whole.output, Digest::of(b"done"));
    assert_eq!(JobReceipt::from_file(&whole.to_file()), Ok(whole));

    assert_eq!(sign(units[..1].to_vec()), Err(JobError::Output));
    assert_eq!(sign(units[1..].to_vec()), Err(JobError::Plan(0)));
    assert_eq!(sign(Vec::new()), Err(JobError::Count(0)));
    let after_the_end = [&units[..], &units[1..]].concat();
    assert_eq!(sign(after_the_end), Err(JobError::Plan(2)));
    let twice_the_first = vec![units[0].clone(), units[0].clone(), units[1].clone()];
    assert_eq!(sign(twice_the_first), Err(JobError::Plan(1)));
}

/// What no receipt could be signed for at the end is refused at the beginning.
#[test]
fn jobs_beyond_the_limits_are_impossible_from_the_start() {
    let check = |shards, partitions| {
        let plan = JobPlan::MapReduce {
            shards: vec![sample::digest(2); shards],
            partitions,
            finish: false,
        };
        sample::spec(plan).check()
    };
    assert_eq!(check(1, 1), Ok(()));
    assert_eq!(check(1_024, 4_096), Ok(()));
    assert_eq!(check(MAX_SHARDS - 1, 1), Ok(()));
    for (shards, partitions) in [(0, 1), (1, 0), (1, 4_097), (1_025, 4_096), (MAX_SHARDS, 1)] {
        assert!(
            check(shards, partitions).is_err(),
            "{shards} x {partitions}"
        );
    }
    assert_eq!(sample::stepper_spec().check(), Ok(()));
}

/// A named input in the place of one of a unit's own would be a shard, a partition or a state that
/// the plan does not have.
#[test]
fn a_jobs_named_inputs_cannot_stand_for_those_of_its_units() {
    let reserved = [
        names::INPUT.to_owned(),
        names::STATE.to_owned(),
        names::shard(9),
        names::partition(9),
        "shard/x".to_owned(),
        "shard".to_owned(),
        "partition".to_owned(),
        "input/x".to_owned(),
        "state/x".to_owned(),
    ];
    for spec in [sample::map_reduce_spec(), sample::stepper_spec()] {
        assert_eq!(spec.check(), Ok(()));
        for name in &reserved {
            let mut spec = spec.clone();
            spec.inputs.insert(name.clone(), sample::digest(1));
            assert_eq!(spec.check(), Err(WorkError::ReservedName(name.clone())));
        }
    }
    let mut started_elsewhere = sample::stepper_spec();
    started_elsewhere.inputs = [(names::STATE.into(), sample::digest(1))].into();
    let units = sample::stepper_units(&started_elsewhere);
    assert!(matches!(
        JobReceipt::sign(&sample::secret(), started_elsewhere, units),
        Err(JobError::Spec(WorkError::ReservedName(_)))
    ));
}

#[test]
fn a_plan_names_only_its_own_units() {
    let spec = sample::map_reduce_spec();
    assert_eq!(spec.map_work(2), None);
    assert_eq!(spec.reduce_work(2, &[]), None);
    assert_eq!(spec.reduce_work(0, &[]), None);
    assert_eq!(spec.finish_work(&[]), None);
    assert_eq!(spec.first_steps(), None);
    let steps = sample::stepper_spec();
    assert_eq!(steps.map_work(0), None);
    assert_eq!(steps.next_steps(&Outputs::default()), None);
}

/// Many units: checking takes time in proportion, and gives the same answer.
#[test]
fn a_large_job_holds_together() {
    let (shards, partitions) = (300u32, 4u32);
    let spec = sample::spec(JobPlan::MapReduce {
        shards: (0..shards).map(|i| Digest::of(&i.to_le_bytes())).collect(),
        partitions,
        finish: false,
    });
    let maps: Vec<Receipt> = (0..shards)
        .map(|index| map_unit(&spec, index, partitions))
        .collect();
    let outputs: Vec<&Outputs> = maps.iter().map(|unit| &unit.outputs).collect();
    let reduces: Vec<Receipt> = (0..partitions)
        .map(|index| {
            let bytes = index.to_le_bytes();
            let outputs_of = sample::outputs(&[(names::OUTPUT, &bytes)]);
            let work = spec.reduce_work(index, &outputs).unwrap();
            sample::receipt_of(work, Class::Ok, outputs_of)
        })
        .collect();
    let units = [maps, reduces].concat();
    let receipt = JobReceipt::sign(&sample::secret(), spec, units).unwrap();
    assert_eq!(receipt.check(), Ok(()));
    let parts: Vec<_> = receipt.units[300..]
        .iter()
        .map(|unit| unit.outputs.0[names::OUTPUT])
        .collect();
    assert_eq!(receipt.output, Digest::derive("opensky parts 1", &parts));
}

fn map_unit(spec: &JobSpec, index: u32, partitions: u32) -> Receipt {
    let names: Vec<String> = (0..partitions).map(names::partition).collect();
    let bytes = index.to_le_bytes();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &bytes[..])).collect();
    let work = spec.map_work(index).unwrap();
    sample::receipt_of(work, Class::Ok, sample::outputs(&parts))
}

#[test]
fn impossible_works_are_refused_by_name() {
    let after = |change: &dyn Fn(&mut Work)| {
        let mut work = sample::work();
        change(&mut work);
        work.check()
    };
    let named = |name: &str| {
        let name = name.to_string();
        after(&move |work| work.inputs = [(name.clone(), sample::digest(1))].into())
    };
    assert_eq!(after(&|_| ()), Ok(()));

    let shards = [
        ((0, 1), true),
        ((2, 3), true),
        ((3, 3), false),
        ((0, 0), false),
    ];
    for ((index, count), ok) in shards {
        let expected = if ok {
            Ok(())
        } else {
            Err(WorkError::Shard { index, count })
        };
        assert_eq!(after(&|work| work.shard = Shard { index, count }), expected);
    }

    let counts = [
        (World::Map { partitions: 0 }, Some(("partitions", 0, 4_096))),
        (World::Map { partitions: 1 }, None),
        (World::Map { partitions: 4_096 }, None),
        (
            World::Map { partitions: 4_097 },
            Some(("partitions", 4_097, 4_096)),
        ),
        (World::Stepper { steps: 0 }, Some(("steps", 0, 65_536))),
        (World::Stepper { steps: 65_536 }, None),
        (
            World::Stepper { steps: 65_537 },
            Some(("steps", 65_537, 65_536)),
        ),
        (World::Reduce, None),
        (World::Finish, None),
        (World::Command, None),
    ];
    for (world, wrong) in counts {
        let expected = wrong.map_or(Ok(()), |(what, value, max)| {
            Err(WorkError::Count { what, value, max })
        });
        assert_eq!(after(&|work| work.world = world), expected);
    }

    for name in ["a", "a/b", "ünï", "...", &"x".repeat(255), "shard/00000001"] {
        assert_eq!(named(name), Ok(()), "{name}");
    }
    for name in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "a/../b",
        "a\0",
        "a\nb",
        &"x".repeat(256),
        &vec!["x"; 17].join("/"),
        &vec!["x"; 128].join("/"),
    ] {
        let error = WorkError::InputName(name.into());
        assert_eq!(named(name), Err(error.clone()));
        assert!(error.to_string().contains("at most 16 parts"), "{error}");
    }
    let deepest = vec!["x"; 16].join("/");
    assert_eq!(named(&deepest), Ok(()));
}

/// It could not be where its name says: a command would not find it.
#[test]
fn an_input_below_another_input_is_refused() {
    let check = |names: &[&str]| {
        let mut work = sample::work();
        let inputs = names
            .iter()
            .map(|name| (String::from(*name), sample::digest(1)));
        work.inputs = inputs.collect();
        work.check()
    };
    assert_eq!(
        check(&["a", "ab/c", "a-b", "a.b/c", "b/a", "b/aa/c"]),
        Ok(())
    );
    // What comes between the two in byte order does not hide them.
    for (names, name, file) in [
        (&["a", "a-b", "a/b"][..], "a/b", "a"),
        (&["a/b/c/d", "a/b", "x"], "a/b/c/d", "a/b"),
        (&["input", "input/x"], "input/x", "input"),
    ] {
        let error = WorkError::InputBelow {
            name: name.into(),
            file: file.into(),
        };
        assert_eq!(check(names), Err(error));
    }
}

/// So many inputs, each in 15 folders of its own.
fn deep_inputs(count: u32) -> BTreeMap<String, Digest> {
    let deep = |index| (format!("{index}/{}x", "x/".repeat(14)), sample::digest(1));
    (0..count).map(deep).collect()
}

#[test]
fn inputs_are_in_so_many_folders_together_and_no_more() {
    let check = |inputs: BTreeMap<String, Digest>| {
        Work {
            inputs,
            ..sample::work()
        }
        .check()
    };
    let too_many = |value| {
        Err(WorkError::TooMany {
            what: "folders of inputs",
            value,
            max: 65_536,
        })
    };
    assert_eq!(check(deep_inputs(4_370)), too_many(65_550));
    let mut most = deep_inputs(4_369);
    most.insert("one/more".into(), sample::digest(1));
    assert_eq!(check(most.clone()), Ok(()));
    // Each folder counts once, whatever comes between its inputs in byte order.
    for name in ["1/x/a", "1/x/x/a", "1/x-/a", "one/less", "0-", "no folder"] {
        most.insert(name.into(), sample::digest(1));
    }
    assert_eq!(check(most.clone()), too_many(65_537));
    most.remove("1/x-/a");
    assert_eq!(check(most), Ok(()));
    let shards = (0..MAX_SHARDS as u32).map(|index| (names::shard(index), sample::digest(1)));
    assert_eq!(check(shards.collect()), Ok(()));

    let mut spec = sample::map_reduce_spec();
    spec.inputs = deep_inputs(4_369);
    assert_eq!(spec.check(), Ok(()));
    spec.inputs.insert("one/more".into(), sample::digest(1));
    assert_eq!(
        spec.check(),
        too_many(65_537),
        "that of a reduce unit's shards"
    );
}

#[test]
fn texts_and_counts_that_nobody_could_pass_are_refused() {
    let after = |change: &dyn Fn(&mut Work)| {
        let mut work = sample::work();
        change(&mut work);
        work.check()
    };
    let text = |what, text: &str| {
        Err(WorkError::Text {
            what,
            text: text.into(),
        })
    };
    let env = |key: &'static str, value: &'static str| {
        after(&move |work| drop(work.env.insert(key.into(), value.into())))
    };
    assert_eq!(
        after(&|work| work.args.push("a\0".into())),
        text("the argument", "a\0")
    );
    assert_eq!(env("A=B", ""), text("the variable's name", "A=B"));
    assert_eq!(env("A\0", ""), text("the variable's name", "A\0"));
    assert_eq!(env("A", "b\0"), text("the variable's value", "b\0"));
    assert_eq!(env("A", "b=c"), Ok(()));

    let too_many = |what, value, max| Err(WorkError::TooMany { what, value, max });
    let many = |count: usize| (0..count).map(|i| (i.to_string(), String::new())).collect();
    for (count, ok) in [(4_096, true), (4_097, false)] {
        let expected = |what| {
            if ok {
                Ok(())
            } else {
                too_many(what, count, 4_096)
            }
        };
        let args = after(&|work| work.args = vec![String::new(); count]);
        assert_eq!(args, expected("arguments"));
        assert_eq!(after(&|work| work.env = many(count)), expected("variables"));
        assert_eq!(
            after(&|work| work.params = many(count)),
            expected("parameters")
        );
    }
    let inputs = after(&|work| {
        work.inputs = (0..=MAX_SHARDS as u32)
            .map(|i| (names::shard(i), sample::digest(1)))
            .collect();
    });
    assert_eq!(inputs, too_many("inputs", MAX_SHARDS + 1, MAX_SHARDS));

    let sized = |bytes: usize| {
        after(&|work| {
            work.env.clear();
            work.params.clear();
            work.args = vec!["x".repeat(bytes)];
        })
    };
    let what = "bytes of arguments, variables and parameters";
    assert_eq!(sized(1 << 20), Ok(()));
    assert_eq!(sized((1 << 20) + 1), too_many(what, (1 << 20) + 1, 1 << 20));
}

/// An impossible work is refused before anything is computed from it.
#[test]
fn a_receipt_of_an_impossible_work_is_refused() {
    let mut work = sample::work();
    work.shard = Shard { index: 1, count: 1 };
    let receipt = sample::receipt_of(work, Class::Ok, Outputs::default());
    let error = WorkError::Shard { index: 1, count: 1 };
    assert_eq!(receipt.check(), Err(ReceiptError::Work(error)));
    assert_eq!(
        codec::decode::<Receipt>(&codec::encode(&receipt)),
        Ok(receipt)
    );
}
