//! What units of the worlds with several calls do: steppers here by hand-written modules, map-reduce
//! by what goes in and comes out of its partitions.

mod fixture;

use std::{collections::BTreeMap, sync::Arc};

use fixture::{PRELUDE, component, sandbox, work};
use opensky_executor::{Inputs, Rules, Run, Sandbox};
use opensky_protocol::{
    Class, Digest, Group, GuestError, Outputs, Partition, Receipt, SecretKey, Work, World, codec,
    names,
};

/// Counts a one-byte state down to zero, then answers with its seed's first word. Each step would
/// see what an earlier one left in memory: it traps if the instance is not fresh.
fn countdown() -> Vec<u8> {
    let module = format!(
        r#"(module
            (import "opensky:compute/context@0.1.0" "seed" (func $seed (param i32)))
            {PRELUDE}
            (func $more (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (i32.const 0))
                (i32.store8 (i32.const 72) (i32.const 0))
                (i32.store (i32.const 76) (local.get $ptr))
                (i32.store (i32.const 80) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/stepper@0.1.0#init")
                (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (i32.const 0))
                (i32.store (i32.const 72) (local.get $ptr))
                (i32.store (i32.const 76) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/stepper@0.1.0#step")
                (param $ptr i32) (param $len i32) (result i32)
                (if (i32.load8_u (i32.const 200)) (then (unreachable)))
                (i32.store8 (i32.const 200) (i32.const 1))
                (if (i32.load8_u (local.get $ptr))
                    (then
                        (i32.store8 (local.get $ptr)
                            (i32.sub (i32.load8_u (local.get $ptr)) (i32.const 1)))
                        (return (call $more (local.get $ptr) (local.get $len)))))
                (call $seed (i32.const 128))
                (drop (call $more (i32.const 128) (i32.const 8)))
                (i32.store8 (i32.const 72) (i32.const 1))
                (i32.const 64)))"#
    );
    component("stepper-world", &module)
}

fn run(sandbox: &Sandbox, component: &[u8], work: Work, blobs: &[&[u8]]) -> Run {
    let program = sandbox.compile(component).expect("it compiles");
    let mut inputs = Inputs::default();
    blobs.iter().for_each(|blob| {
        inputs.insert(*blob);
    });
    sandbox
        .run(&program, &Arc::new(work), &inputs, None)
        .expect("the guest has a result")
}

#[test]
fn stepper_stops_after_its_steps_and_lists_its_states() {
    let component = countdown();
    let first = work(&component, World::Stepper { steps: 2 }, &[3]);
    let run = run(&sandbox(), &component, first, &[&[3]]);
    assert_eq!(
        (run.class, run.outputs[names::STATE].as_slice()),
        (Class::Ok, &[1][..])
    );
    let states: Vec<Digest> = [3, 2, 1]
        .iter()
        .map(|state| Digest::of(&[*state]))
        .collect();
    assert_eq!(run.states, states);
    assert_eq!(run.outputs[names::STATES], codec::encode(&states));
}

#[test]
fn stepper_that_goes_on_ends_as_one_that_never_stopped_but_for_its_seed() {
    let component = countdown();
    let sandbox = sandbox();
    let from_input = work(&component, World::Stepper { steps: 9 }, &[3]);
    let unit_seed = Work::seed(&from_input.unit());
    let whole = run(&sandbox, &component, from_input, &[&[3]]);
    let last = Work::step_seed(&unit_seed, &Digest::of(&[0]));
    assert_eq!(whole.outputs[names::OUTPUT], last.0[..8]);
    assert_eq!(whole.states.len(), 4);

    let mut rest = work(&component, World::Stepper { steps: 9 }, &[]);
    rest.inputs = BTreeMap::from([(names::STATE.into(), Digest::of(&[1]))]);
    let rest = run(&sandbox, &component, rest, &[&[1]]);
    assert_eq!((rest.class, rest.states.len()), (Class::Ok, 1));
    assert_ne!(rest.outputs[names::OUTPUT], whole.outputs[names::OUTPUT]);
}

#[test]
fn receipt_of_a_stepper_that_fails_midway_holds_together() {
    let module = format!(
        r#"(module {PRELUDE}
            (func $answer (param $case i32) (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (local.get $case))
                (i32.store (i32.const 72) (local.get $ptr))
                (i32.store (i32.const 76) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/stepper@0.1.0#init")
                (param $ptr i32) (param $len i32) (result i32)
                (call $answer (i32.const 0) (local.get $ptr) (local.get $len)))
            (func (export "opensky:compute/stepper@0.1.0#step")
                (param $ptr i32) (param $len i32) (result i32)
                (call $answer (i32.const 1) (i32.const 0) (i32.const 0))))"#
    );
    let component = component("stepper-world", &module);
    let work = work(&component, World::Stepper { steps: 2 }, &[3]);
    let run = run(&sandbox(), &component, work.clone(), &[&[3]]);
    assert_eq!(run.class, Class::Err);
    let outputs = Outputs::of(&run.outputs);
    let secret = SecretKey::from_seed(&[1; 32]);
    let receipt = Receipt::sign(
        &secret,
        work,
        run.class,
        run.fuel,
        run.transcript,
        outputs,
        run.states,
    );
    assert_eq!(receipt.check(), Ok(()));
}

/// Maps each byte of a shard to a record with that byte as the key and the shard's length as the
/// value; combines to the first value; reduces to the key and the first byte of every value.
fn bytes() -> Vec<u8> {
    let module = format!(
        r#"(module {PRELUDE}
            (func $answer (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (i32.const 0))
                (i32.store (i32.const 72) (local.get $ptr))
                (i32.store (i32.const 76) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/map-reduce@0.1.0#map-shard")
                (param $ptr i32) (param $len i32) (result i32) (local $i i32) (local $at i32) (local $to i32)
                (i32.store8 (i32.const 200) (local.get $len))
                (local.set $to (call $alloc (i32.const 0) (i32.const 0) (i32.const 4)
                    (i32.mul (local.get $len) (i32.const 16))))
                (local.set $at (local.get $to))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
                    (i32.store (local.get $at) (i32.add (local.get $ptr) (local.get $i)))
                    (i32.store offset=4 (local.get $at) (i32.const 1))
                    (i32.store offset=8 (local.get $at) (i32.const 200))
                    (i32.store offset=12 (local.get $at) (i32.const 1))
                    (local.set $at (i32.add (local.get $at) (i32.const 16)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br $next)))
                (call $answer (local.get $to) (local.get $len)))
            (func (export "opensky:compute/map-reduce@0.1.0#combine")
                (param $key i32) (param $key_len i32) (param $ptr i32) (param $len i32) (result i32)
                (call $answer (local.get $ptr) (i32.const 1)))
            (func (export "opensky:compute/map-reduce@0.1.0#reduce")
                (param $key i32) (param $key_len i32) (param $ptr i32) (param $len i32) (result i32)
                (local $i i32)
                (i32.store8 (i32.const 300) (i32.load8_u (local.get $key)))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
                    (i32.store8 offset=301 (local.get $i) (i32.load8_u (i32.load
                        (i32.add (local.get $ptr) (i32.mul (local.get $i) (i32.const 8))))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br $next)))
                (call $answer (i32.const 300) (i32.add (local.get $len) (i32.const 1)))))"#
    );
    component("map-reduce-world", &module)
}

#[test]
fn map_sorts_combines_and_partitions() {
    let component = bytes();
    let map = work(&component, World::Map { partitions: 3 }, b"banana");
    let run = run(&sandbox(), &component, map, &[b"banana"]);
    assert_eq!(run.class, Class::Ok);
    assert_eq!(run.outputs.len(), 3);
    let mut expected = vec![Partition::default(); 3];
    for key in [b"a", b"b", b"n"] {
        let index = opensky_protocol::partition_of(key, 3);
        expected[index as usize].push(Group {
            key: key.to_vec(),
            values: vec![vec![6]],
        });
    }
    for (index, partition) in (0..).zip(expected) {
        assert_eq!(
            run.outputs[&names::partition(index)],
            codec::encode(&partition),
            "{index}"
        );
    }
}

#[test]
fn reduce_sees_keys_in_order_and_values_in_shard_order() {
    let component = bytes();
    let sandbox = sandbox();
    let shards: Vec<Vec<u8>> = [&b"ba"[..], b"a", b"cab"]
        .iter()
        .map(|shard| {
            let map = work(&component, World::Map { partitions: 1 }, shard);
            run(&sandbox, &component, map, &[shard]).outputs[&names::partition(0)].clone()
        })
        .collect();
    let blobs: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
    let mut reduce = work(&component, World::Reduce, &[]);
    reduce.inputs = (0..)
        .zip(&blobs)
        .map(|(i, blob)| (names::shard(i), Digest::of(blob)))
        .collect();
    let run = run(&sandbox, &component, reduce, &blobs);
    assert_eq!(run.outputs[names::OUTPUT], b"a\x02\x01\x03b\x02\x03c\x03");
    assert_eq!(
        Outputs::of(&run.outputs).digest(),
        Digest::of(b"a\x02\x01\x03b\x02\x03c\x03")
    );
}

#[test]
fn reduce_of_what_is_no_partition_is_the_requesters_error() {
    let component = bytes();
    let mut reduce = work(&component, World::Reduce, &[]);
    reduce.inputs = BTreeMap::from([(names::shard(0), Digest::of(b"junk"))]);
    let run = run(&sandbox(), &component, reduce, &[b"junk"]);
    assert!(
        matches!(run.error, Some(GuestError::InvalidInput(_))),
        "{:?}",
        run.error
    );
}

/// Maps its shard to two records of one key, combines them to `count` empty values, and reduces to
/// nothing.
fn combines_to(count: u32) -> Vec<u8> {
    let module = format!(
        r#"(module {PRELUDE}
            (data (i32.const 1024) "\00\02\00\00\01\00\00\00\00\02\00\00\00\00\00\00")
            (func $answer (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (i32.const 0))
                (i32.store (i32.const 72) (local.get $ptr))
                (i32.store (i32.const 76) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/map-reduce@0.1.0#map-shard")
                (param i32 i32) (result i32)
                (memory.copy (i32.const 1040) (i32.const 1024) (i32.const 16))
                (call $answer (i32.const 1024) (i32.const 2)))
            (func (export "opensky:compute/map-reduce@0.1.0#combine")
                (param i32 i32 i32 i32) (result i32)
                (call $answer (i32.const 8192) (i32.const {count})))
            (func (export "opensky:compute/map-reduce@0.1.0#reduce")
                (param i32 i32 i32 i32) (result i32)
                (call $answer (i32.const 0) (i32.const 0))))"#
    );
    component("map-reduce-world", &module)
}

#[test]
fn a_key_that_combines_to_nothing_is_gone() {
    let component = combines_to(0);
    let map = work(&component, World::Map { partitions: 1 }, b"");
    let run = run(&sandbox(), &component, map, &[b""]);
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
    assert_eq!(
        run.outputs[&names::partition(0)],
        codec::encode(&Partition::default())
    );
}

/// Runs `work`, and says what it was charged: no unit of fuel less would have been enough.
fn fuel(sandbox: &Sandbox, component: &[u8], mut work: Work, blobs: &[&[u8]]) -> u64 {
    let fuel = run(sandbox, component, work.clone(), blobs).fuel;
    work.limits.fuel = fuel - 1;
    let short = run(sandbox, component, work, blobs);
    assert_eq!((short.class, short.fuel), (Class::OutOfFuel, fuel - 1));
    fuel
}

/// One group of a thousand empty values: few bytes, and a list of many entries.
fn thousand() -> Partition {
    let mut partition = Partition::default();
    partition.push(Group {
        key: vec![2],
        values: vec![Vec::new(); 1_000],
    });
    partition
}

#[test]
fn reduce_is_charged_for_what_the_host_does_with_partitions() {
    let (component, sandbox) = (combines_to(0), sandbox());
    let fuel_of = |blob: &[u8]| {
        let mut reduce = work(&component, World::Reduce, b"");
        reduce.inputs = BTreeMap::from([(names::shard(0), Digest::of(blob))]);
        fuel(&sandbox, &component, reduce, &[blob])
    };
    let Rules { call, byte, .. } = Rules::DEFAULT;
    // What does not decode may have taken as much memory as a partition of that length can.
    assert_eq!(
        fuel_of(&[0xff; 1_000]),
        2 * call + byte * (1_000 + 32 * 1_000)
    );

    let (partition, empty) = (thousand(), Partition::default());
    let bytes = |partition: &Partition| codec::encode(partition).len() as u64 + partition.memory();
    let more = bytes(&partition) - bytes(&empty);
    // One more is called, with a key of one byte and a thousand values.
    let calls = 2 * call + byte * 8_001;
    let fuel = fuel_of(&codec::encode(&partition)) - fuel_of(&codec::encode(&empty));
    assert!(fuel >= calls + byte * more, "{fuel}");
}

#[test]
fn map_is_charged_for_what_the_host_does_with_partitions() {
    let sandbox = sandbox();
    let fuel_of = |count, partitions| {
        let component = combines_to(count);
        let map = work(&component, World::Map { partitions }, b"");
        fuel(&sandbox, &component, map, &[b""])
    };
    let Rules {
        call, byte, part, ..
    } = Rules::DEFAULT;
    let partition = thousand();
    let held = codec::encode(&partition).len() as u64 - 1 + partition.memory();
    assert_eq!(
        fuel_of(1_000, 1) - fuel_of(0, 1),
        part * 1_000 + byte * (8_000 + held),
        "values that combine returns, and what is put out"
    );
    assert_eq!(fuel_of(0, 9) - fuel_of(0, 1), 8 * (2 * call + byte));
}

/// An empty value is one byte in a partition and a list's entry in memory.
#[test]
fn what_map_and_reduce_hold_between_calls_is_within_the_memory_limit() {
    let component = combines_to(24_000);
    let (sandbox, small) = (sandbox(), 512 << 10);
    let mut map = work(&component, World::Map { partitions: 1 }, b"");
    let whole = run(&sandbox, &component, map.clone(), &[b""]);
    let partition = &whole.outputs[&names::partition(0)];
    assert!(partition.len() < 25_000, "{:?}", whole.detail);
    map.limits.memory = small;
    assert_eq!(run(&sandbox, &component, map, &[b""]).class, Class::Limit);

    let mut reduce = work(&component, World::Reduce, b"");
    let shard = |index| (names::shard(index), Digest::of(partition));
    reduce.inputs = (0..10).map(shard).collect();
    let enough = run(&sandbox, &component, reduce.clone(), &[partition]);
    assert_eq!(enough.class, Class::Ok, "{:?}", enough.detail);
    reduce.limits.memory = 4 << 20;
    assert_eq!(
        run(&sandbox, &component, reduce, &[partition]).class,
        Class::Limit
    );
}
