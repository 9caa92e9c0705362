//! Writes the inputs that fuzzing starts from, a quarter of a megabyte, into `corpus`.

#[path = "../../crates/protocol/tests/sample/mod.rs"]
mod sample;

use std::{collections::BTreeMap, fs, io, path::Path};

use opensky_protocol::{
    Class, Digest, JobPlan, JobReceipt, JobSpec, Limits, Output, Outputs, Profile, Receipt,
    SecretKey, Transcript, Verified, codec, names,
};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wit_component::ComponentEncoder;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    write(&corpus.join("admission"), programs())?;
    write(&corpus.join("meter"), modules())?;
    write(&corpus.join("meter-component"), components())?;
    write(&corpus.join("message"), messages())?;
    write(&corpus.join("receipt"), receipts())
}

fn write(folder: &Path, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for seed in seeds {
        fs::write(folder.join(Digest::of(&seed).to_string()), seed)?;
    }
    Ok(())
}

/// A preview-1 command, the component it becomes, and a component by hand.
fn programs() -> Vec<Vec<u8>> {
    let command = r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (table 1 funcref) (elem (i32.const 0) func 0)
        (data (i32.const 8) "hello")
        (func (export "_start") (local i32)
            (block (br_table 0 0 (i32.const 0)))))"#;
    let component = r#"(component
        (import "wasi:cli/exit@0.2.0" (instance))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (component $shim (import "run" (func $f (result (result)))) (export "run" (func $f)))
        (instance $run (instantiate $shim (with "run" (func $run))))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    let command = wat::parse_str(command).expect("the text is valid");
    let component = wat::parse_str(component).expect("the text is valid");
    let adapted = ComponentEncoder::default()
        .module(&command)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
            )
        })
        .and_then(|mut encoder| encoder.encode())
        .expect("the module is a command");
    vec![command, adapted, component]
}

/// Loops by hand, and bytes that modules are made of.
fn modules() -> Vec<Vec<u8>> {
    let loops = include_str!("../../crates/meter/tests/loops.wat");
    let loops = wat::parse_str(loops).expect("the text is valid");
    (0..32).map(chance).chain([loops]).collect()
}

/// What real compilers put together, and bytes that components are made of.
fn components() -> Vec<Vec<u8>> {
    let shapes = include_str!("../../crates/meter/tests/component/shapes.wat");
    let shapes = wat::parse_str(shapes).expect("the text is valid");
    (32..48)
        .map(chance)
        .chain(programs())
        .chain([shapes])
        .collect()
}

/// Four kilobytes without any order, the same each time.
fn chance(seed: u8) -> Vec<u8> {
    (0..128)
        .flat_map(|part| Digest::of(&[seed, part]).0)
        .collect()
}

/// All that nodes say to each other, one of each, and what they sign.
fn messages() -> Vec<Vec<u8>> {
    let secret = sample::other_secret();
    let requests = sample::wire::requests();
    let replies = sample::wire::replies();
    let signed = [
        codec::encode(Verified::sign(&secret, sample::offer()).as_signed()),
        codec::encode(Verified::sign(&secret, sample::deployment()).as_signed()),
        codec::encode(Verified::sign(&secret, sample::commit()).as_signed()),
        codec::encode(Verified::sign(&secret, sample::voucher()).as_signed()),
        codec::encode(&sample::books::genesis()),
    ];
    let requests = requests.iter().map(codec::encode);
    let replies = replies.iter().map(codec::encode);
    requests.chain(replies).chain(signed).collect()
}

/// A job receipt of two units and each of them, as files and as bare values.
fn receipts() -> Vec<Vec<u8>> {
    let secret = SecretKey::from_seed(&[1; 32]);
    let spec = JobSpec {
        profile: Profile::new("0"),
        program: Digest::of(b"program"),
        inputs: BTreeMap::new(),
        args: vec!["-v".into()],
        env: BTreeMap::from([("LANG".into(), "C".into())]),
        params: BTreeMap::from([("depth".into(), "3".into())]),
        entropy: [2; 32],
        virtual_time: 1_700_000_000,
        limits: Limits::DEFAULT,
        plan: JobPlan::MapReduce {
            shards: vec![Digest::of(b"shard")],
            partitions: 1,
            finish: false,
        },
    };
    let unit = |work, name: String| {
        let work: opensky_protocol::Work = work;
        let mut transcript = Transcript::start(&work.unit());
        transcript.push("a:b/c#d", Digest::of(b"in"), Digest::of(b"out"));
        let outputs = Outputs(BTreeMap::from([(name, Output::of(b"bytes"))]));
        Receipt::sign(&secret, work, Class::Ok, 5, transcript, outputs, Vec::new())
    };
    let map = unit(
        spec.map_work(0).expect("the plan has one"),
        names::partition(0),
    );
    let reduce = spec.reduce_work(0, &[&map.outputs]);
    let reduce = unit(reduce.expect("the plan has one"), names::OUTPUT.into());
    let units = vec![map.clone(), reduce];
    let job = JobReceipt::sign(&secret, spec, units).expect("the units follow from the plan");
    vec![
        codec::encode(&map),
        codec::encode(&job),
        codec::encode(&map.work),
        map.to_file(),
        job.to_file(),
    ]
}
