//! What a file is: its kind, its worlds, its sizes.

use opensky_executor::{
    adapt, admit,
    inspect::{Entry, Kind, MemorySize, Refusal, Sizes, inspect},
};
use opensky_protocol::Digest;

use crate::components::*;

#[test]
fn each_world_is_recognised() {
    let (with, without) = (true, false);
    let cases = [
        ("job-world", JOB.into(), vec![Entry::Job]),
        (
            "map-reduce-world",
            MAP_REDUCE.into(),
            vec![Entry::MapReduce { finish: without }],
        ),
        (
            "map-reduce-finish-world",
            [MAP_REDUCE, FINISH].concat(),
            vec![Entry::MapReduce { finish: with }],
        ),
        ("stepper-world", STEPPER.into(), vec![Entry::Stepper]),
        (
            "everything",
            [JOB, MAP_REDUCE, FINISH, STEPPER].concat(),
            vec![
                Entry::Stepper,
                Entry::MapReduce { finish: with },
                Entry::Job,
            ],
        ),
    ];
    let cases = cases.map(|(world, functions, entries)| {
        let module = format!("(module {ALLOCATOR} {functions})");
        (component(world, &module), entries)
    });
    let command = (binary(COMMAND), vec![Entry::Command]);
    for (bytes, entries) in cases.into_iter().chain([command]) {
        let admitted = admit(&bytes).unwrap();
        // The best comes first, and is what runs when nothing is said.
        assert_eq!(admitted.entry(), entries[0]);
        assert_eq!(admitted.digest(), Digest::of(&bytes));
        let inspection = admitted.inspection();
        assert_eq!(
            (inspection.kind, &inspection.entries),
            (Kind::Component, &entries)
        );
    }
}

#[test]
fn sizes_are_those_of_the_file() {
    let bytes = binary(&command_with_module(
        r#"(memory 16384 32768) (table 7 funcref) (data (i32.const 0) "12345")
           (func (local i32 i64 i64) (block (block (block)))
               (br_table 0 0 0 0 (i32.const 0)))"#,
    ));
    let sizes = sizes(&bytes);
    assert_eq!(sizes.bytes, bytes.len() as u64);
    assert_eq!((sizes.core_modules, sizes.core_instances), (2, 2));
    assert_eq!((sizes.functions, sizes.data_bytes), (2, 5));
    assert_eq!((sizes.most_locals, sizes.deepest_block), (3, 4));
    assert_eq!((sizes.largest_br_table, sizes.largest_table), (3, 7));
    let memory = MemorySize {
        minimum: 1 << 30,
        maximum: 2 << 30,
    };
    // A gigabyte is a matter for the unit's limit, not for admission.
    assert_eq!(sizes.memories, [memory]);
    admit(&bytes).unwrap();
}

#[test]
fn what_is_not_webassembly_is_refused() {
    for bytes in [
        &b""[..],
        b"\0",
        b"\0as",
        b"hello",
        b"(component)",
        b"\x7fELF",
    ] {
        assert_eq!(inspect(bytes), Err(Refusal::NotWasm));
        assert_eq!(admit(bytes).unwrap_err(), Refusal::NotWasm);
        assert_eq!(adapt(bytes), Err(Refusal::NotWasm));
    }
    for bytes in [&b"\0asm"[..], b"\0asm\x0d\0\x01", b"\0asm\x0d\0\x01\0\xff"] {
        assert_refused(bytes, "not valid WebAssembly: ");
    }
    assert_refused(&[0; 10], "the file is not WebAssembly");
    let mut large = b"\0asm\x0d\0\x01\0".to_vec();
    large.resize((64 << 20) + 1, 0);
    assert_refused(&large, "bytes: 67108865, and at most 67108864 are accepted");
}

#[test]
fn core_modules_are_not_programs_yet() {
    let text = "is a core module, not a component";
    assert_refused(&binary("(module)"), text);
    let command = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    assert_refused(&binary(command), text);
    let advice = admit(&binary(command)).unwrap_err().advice();
    assert!(advice.starts_with("adapt it"), "{advice}");
    assert_eq!(
        inspect(&binary(command)).unwrap().kind,
        Kind::Preview1Command
    );
    assert_eq!(inspect(&binary("(module)")).unwrap().kind, Kind::CoreModule);
}

fn sizes(bytes: &[u8]) -> Sizes {
    inspect(bytes).unwrap().sizes
}
