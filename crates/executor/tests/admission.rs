//! What is admitted, what is refused, by what name, and that no bytes whatever upset the reader.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

use std::{fmt::Write, path::Path, time::Instant};

use opensky_executor::{
    adapt, admit,
    inspect::{Entry, Kind, MemorySize, Refusal, inspect},
};
use opensky_protocol::Digest;
use proptest::prelude::*;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text:.400}"))
}

/// A world with all that we can call, which nobody would write.
const EVERYTHING: &str = "package test:everything;
    world everything {
        include opensky:compute/job-world@0.1.0;
        include opensky:compute/map-reduce-finish-world@0.1.0;
        include opensky:compute/stepper-world@0.1.0;
    }";

/// The component of a core module that implements one of our worlds, or all of them.
fn component(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (ours, _) = resolve.push_dir(wit).unwrap();
    let everything = resolve.push_str("everything.wit", EVERYTHING).unwrap();
    let package = if world == "everything" {
        everything
    } else {
        ours
    };
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = binary(module);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.unwrap().encode().unwrap()
}

const ALLOCATOR: &str = r#"
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))"#;

/// A job with more code beside its `run`.
fn job_with(more: &str) -> Vec<u8> {
    component("job-world", &format!("(module {ALLOCATOR} {JOB} {more})"))
}

const JOB: &str = r#"
    (func (export "opensky:compute/job@0.1.0#run") (param i32 i32) (result i32) (unreachable))"#;

const MAP_REDUCE: &str = r#"
    (func (export "opensky:compute/map-reduce@0.1.0#map-shard")
        (param i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/map-reduce@0.1.0#combine")
        (param i32 i32 i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/map-reduce@0.1.0#reduce")
        (param i32 i32 i32 i32) (result i32) (unreachable))"#;

const FINISH: &str = r#"(func (export "opensky:compute/finish@0.1.0#finish")
    (param i32 i32) (result i32) (unreachable))"#;

const STEPPER: &str = r#"
    (func (export "opensky:compute/stepper@0.1.0#init") (param i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/stepper@0.1.0#step") (param i32 i32) (result i32) (unreachable))"#;

/// A command whose component the text format can say in full.
const COMMAND: &str = r#"(component
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.3" (instance $run)))"#;

/// A command beside one of these, so that nothing else is wrong with it.
fn command_and(more: &str) -> String {
    COMMAND.replacen("(component", &format!("(component {more}"), 1)
}

/// One core module that is instantiated, in a component that could otherwise be run.
fn command_with_module(body: &str) -> String {
    command_and(&format!(
        "(core module $x {body}) (core instance (instantiate $x))"
    ))
}

/// Refused, with a text that begins like this.
fn assert_refused(bytes: &[u8], expected: &str) {
    let refusal = admit(bytes).expect_err(expected);
    let text = refusal.to_string();
    assert!(
        text.starts_with(expected),
        "expected {expected:?}, got {text:?}"
    );
}

fn sizes(bytes: &[u8]) -> opensky_executor::inspect::Sizes {
    inspect(bytes).unwrap().sizes
}

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

#[test]
fn proposals_that_the_sandbox_does_not_have_are_refused_by_name() {
    let modules = [
        ("threads or shared memory", "(memory 1 1 shared)"),
        (
            "threads or shared memory",
            "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))",
        ),
        (
            "relaxed SIMD",
            "(func (param v128) (result v128)
                (f32x4.relaxed_min (local.get 0) (local.get 0)))",
        ),
        ("64-bit memory", "(memory i64 1)"),
        ("tail calls", "(func $f (return_call $f))"),
        ("garbage-collected types", "(type (struct))"),
        ("host references (`externref`)", "(func (param externref))"),
        (
            "typed function references",
            "(type $t (func)) (func (param (ref $t)))",
        ),
        ("exceptions", "(tag)"),
        ("stack switching", "(type $f (func)) (type (cont $f))"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
        (
            "wide arithmetic",
            "(func (param i64 i64) (result i64 i64)
                (i64.mul_wide_s (local.get 0) (local.get 1)))",
        ),
        ("multi-memory", "(memory 1) (memory 1)"),
    ];
    for (name, body) in modules {
        let expected = format!("uses {name} (at byte ");
        assert_refused(&binary(&command_with_module(body)), &expected);
    }
    // The text format has no word for `try` any more; it is encoded like `block`.
    let mut legacy = binary(&command_with_module("(func (block))"));
    let body = [0x00, 0x02, 0x40, 0x0b, 0x0b];
    let at = legacy.windows(5).position(|window| window == body).unwrap();
    legacy[at + 1] = 0x06;
    assert_refused(&legacy, "uses legacy exceptions (at byte ");
    // A core module by itself is judged alike.
    let module = binary("(module (import \"a\" \"b\" (memory 1)) (memory 1))");
    assert!(matches!(
        inspect(&module),
        Err(Refusal::Feature {
            feature: "multi-memory",
            ..
        })
    ));
}

#[test]
fn component_proposals_are_refused_by_name() {
    let asynchronous = "asynchronous component functions, streams or futures";
    let cases = [
        (asynchronous, "(type (stream u8))"),
        (asynchronous, "(type (future))"),
        (asynchronous, "(type (func async))"),
        (asynchronous, "(core func (canon task.return))"),
        (asynchronous, "(core func (canon backpressure.inc))"),
        (asynchronous, "(core func (canon waitable-set.new))"),
        ("error contexts", "(core func (canon error-context.drop))"),
        ("error contexts", "(type error-context)"),
        ("component threads", "(core func (canon thread.index))"),
        ("component values", r#"(import "v" (value string))"#),
        (
            "component start functions",
            r#"(import "f" (func $f)) (start $f)"#,
        ),
        (
            "a component type that is not part of WASI 0.2",
            "(type (list u8 4))",
        ),
        (
            "a component type that is not part of WASI 0.2",
            "(type (map string u8))",
        ),
    ];
    for (name, text) in cases {
        let expected = format!("uses {name} (at byte ");
        assert_refused(&binary(&command_and(text)), &expected);
    }
}

#[test]
fn code_stays_in_the_outermost_component() {
    let nested = "holds a component with code inside another";
    let module = "passes a core module across a component's border";
    let cases = [
        (nested, "(component (core module))"),
        (nested, "(component (component (core module)))"),
        (
            nested,
            "(core module $x) (component (alias outer 1 0 (core module $n))
                (core instance (instantiate $n)))",
        ),
        (module, r#"(import "m" (core module))"#),
        (module, r#"(core module $x) (export "m" (core module $x))"#),
        (
            "passes a component across a component's border",
            r#"(import "c" (component))"#,
        ),
    ];
    for (expected, text) in cases {
        assert_refused(&binary(&command_and(text)), expected);
    }
    // What compilers put around exports, and types alone, is no code.
    let shim = r#"(component $c (import "f" (func $f)) (export "g" (func $f)))
        (component (type (func)) (component))"#;
    admit(&binary(&command_and(shim))).unwrap();
}

#[test]
fn imports_are_allowed_by_name_version_and_content() {
    let allowed = [
        r#"(import "wasi:cli/environment@0.2.0" (instance))"#,
        r#"(import "wasi:cli/exit@0.2.12" (instance
            (export "exit-with-code" (func (param "status-code" u8)))))"#,
        r#"(import "opensky:compute/report@0.1.9" (instance))"#,
        r#"(import "wasi:io/error@0.2.6" (instance $e (export "error" (type (sub resource)))))
           (alias export $e "error" (type $error))
           (import "wasi:io/streams@0.2.6" (instance (export "error" (type (eq $error)))))"#,
        r#"(import "wasi:sockets/tcp@0.2.6" (instance
            (export "tcp-socket" (type (sub resource)))))"#,
    ];
    for text in allowed {
        let bytes = binary(&command_and(text));
        let admitted = admit(&bytes).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(!admitted.inspection().imports.is_empty());
    }
    let refused = [
        (
            "imports `wasi:http/types@0.2.6`, which the sandbox does not provide",
            r#"(import "wasi:http/types@0.2.6" (instance))"#,
        ),
        (
            "imports `wasi:keyvalue/store@0.2.0-draft`, which the sandbox does not provide",
            r#"(import "wasi:keyvalue/store@0.2.0-draft" (instance))"#,
        ),
        (
            "imports `somebody:else/thing@1.0.0`, which the sandbox does not provide",
            r#"(import "somebody:else/thing@1.0.0" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment`, which the sandbox does not provide",
            r#"(import "wasi:cli/environment" (instance))"#,
        ),
        (
            "imports `print`, which the sandbox does not provide",
            r#"(import "print" (func))"#,
        ),
        (
            "imports `wasi:clocks/timezone@0.2.6`, which the sandbox does not provide",
            r#"(import "wasi:clocks/timezone@0.2.6" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment@0.3.0`, and the sandbox provides versions 0.2.x",
            r#"(import "wasi:cli/environment@0.3.0" (instance))"#,
        ),
        (
            "imports `wasi:cli/environment@0.2.0-rc-2023-11-10`, and the sandbox provides",
            r#"(import "wasi:cli/environment@0.2.0-rc-2023-11-10" (instance))"#,
        ),
        (
            "imports `opensky:compute/context@0.2.0`, and the sandbox provides versions 0.1.x",
            r#"(import "opensky:compute/context@0.2.0" (instance))"#,
        ),
        (
            "imports `fork` of `wasi:cli/exit@0.2.6`, which is not part of that interface",
            r#"(import "wasi:cli/exit@0.2.6" (instance (export "fork" (func))))"#,
        ),
        (
            "imports `gpu` of `wasi:io/poll@0.2.6`, which is not part of that interface",
            r#"(import "wasi:io/poll@0.2.6" (instance (export "gpu" (type (sub resource)))))"#,
        ),
    ];
    for (expected, text) in refused {
        let bytes = binary(&command_and(text));
        assert_refused(&bytes, expected);
        // Inspection goes on, and says the same of that import alone.
        let imports = inspect(&bytes).unwrap().imports;
        let told = imports[0].refusal.as_ref().unwrap().to_string();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn exports_that_cannot_be_called_are_refused_by_name() {
    let text = |from: &str, to: &str| COMMAND.replacen(from, to, 1);
    let cases = [
        (
            "(component)".into(),
            "exports nothing that can be run (it has no exports at all)",
        ),
        (
            text("wasi:cli/run@0.2.3", "wasi:cli/run@0.3.0"),
            "exports nothing that can be run (it exports `wasi:cli/run@0.3.0`)",
        ),
        (
            text("wasi:cli/run@0.2.3", "opensky:compute/job@0.1.0"),
            "`run` of `opensky:compute/job@0.1.0` is exported as `func() -> result`, not \
             `func(list<u8>) -> result<list<u8>, variant{invalid-input(string), failed(string), ",
        ),
        (
            text("wasi:cli/run@0.2.3", "opensky:compute/stepper@0.1.0"),
            "`init` of `opensky:compute/stepper@0.1.0` is exported as `nothing`",
        ),
        (
            text(r#"(export "run" (func $run))"#, ""),
            "`run` of `wasi:cli/run@0.2.3` is exported as `nothing`, not `func() -> result`",
        ),
        (
            text(
                r#"(export "wasi:cli/run@0.2.3" (instance $run))"#,
                r#"(export "wasi:cli/run@0.2.3" (func $run))"#,
            ),
            "`run` of `wasi:cli/run@0.2.3` is exported as `nothing`",
        ),
    ];
    for (text, expected) in cases {
        assert_refused(&binary(&text), expected);
    }
}

/// `count` times `item`.
fn many(count: usize, item: &str) -> String {
    item.repeat(count)
}

fn numbered(count: usize, mut item: impl FnMut(&mut String, usize)) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        item(&mut text, index);
        text
    })
}

/// What is limited, the limit, and text that has so many of it.
type Limited<'a> = (&'static str, u64, &'a dyn Fn(usize) -> String);

/// For each limit, the largest module body that is accepted and one that is one too large.
#[test]
fn each_limit_of_a_module_is_exact() {
    let nested = |depth| format!("(func {} {})", many(depth, "block "), many(depth, "end "));
    let exports = |count| {
        let list = numbered(count, |text, i| {
            write!(text, r#"(export "{i}" (func $f))"#).unwrap();
        });
        format!("(func $f) {list}")
    };
    let types = |count| {
        // Equal types are one type in the text format, so each gets its own index here.
        numbered(count, |text, i| {
            write!(text, "(type $t{i} (func))").unwrap()
        })
    };
    let cases: [Limited; 10] = [
        ("locals of a function", 20_000, &|n| {
            format!("(func (local {}))", many(n, "i64 "))
        }),
        ("targets of a `br_table`", 16_384, &|n| {
            format!("(func (br_table {} 0 (i32.const 0)))", many(n, "0 "))
        }),
        // The function itself is the first block.
        ("blocks inside each other", 20_000, &|n| nested(n - 1)),
        // Locals, and the operator that ends the body, take one byte each.
        ("bytes of a function's body", 2 << 20, &|n| {
            format!("(func {})", many(n - 2, "nop "))
        }),
        // The command has a function of its own.
        ("functions", 100_000, &|n| many(n - 1, "(func)")),
        ("types of a module", 20_000, &types),
        ("exports of a module", 50_000, &exports),
        ("globals of a module", 50_000, &|n| {
            many(n, "(global i32 (i32.const 0))")
        }),
        ("data segments of a module", 50_000, &|n| many(n, "(data)")),
        ("elements of a table at its start", 100_000, &|n| {
            format!("(table {n} funcref)")
        }),
    ];
    for (what, max, body) in cases {
        let largest = binary(&command_with_module(&body(max as usize)));
        if let Err(refusal) = admit(&largest) {
            panic!("{what}: {refusal}");
        }
        let too_large = binary(&command_with_module(&body(max as usize + 1)));
        let value = max + 1;
        let expected = format!("{what}: {value}, and at most {max} are accepted");
        assert_refused(&too_large, &expected);
    }
}

#[test]
fn each_limit_of_a_component_is_exact() {
    let instances = |body: &str, count: usize| {
        format!(
            "(core module $x {body}) {}",
            many(count, "(core instance (instantiate $x))")
        )
    };
    let cases: [Limited; 7] = [
        ("core instances", 64, &|n| instances("", n - 1)),
        ("core modules", 64, &|n| many(n - 1, "(core module)")),
        ("memories of all core instances", 16, &|n| {
            instances("(memory 1)", n)
        }),
        ("tables of all core instances", 64, &|n| {
            // Two instances with half of them, or one more.
            let half = many(n / 2, "(table 1 funcref)");
            let rest = many(
                n % 2,
                "(core module $y (table 1 funcref)) (core instance (instantiate $y))",
            );
            format!("{} {rest}", instances(&half, 2))
        }),
        ("components inside each other", 4, &|n| {
            format!("{}{}", many(n, "(component "), many(n, ")"))
        }),
        // The whole is an instance too.
        ("component instances", 500, &|n| {
            format!(
                "(component $c) {}",
                many(n - 1, "(instance (instantiate $c))")
            )
        }),
        // The command's own are a module, an instance, an alias, two types, a function, an
        // instance and an export.
        ("entries of component sections", 50_000, &|n| {
            many(n - 8, "(type u8)")
        }),
    ];
    for (what, max, text) in cases {
        let largest = binary(&command_and(&text(max as usize)));
        if let Err(refusal) = admit(&largest) {
            panic!("{what}: {refusal}");
        }
        let too_large = binary(&command_and(&text(max as usize + 1)));
        let value = max + 1;
        let expected = format!("{what}: {value}, and at most {max} are accepted");
        assert_refused(&too_large, &expected);
    }
}

/// Each component holds two instances of the one before it: 30 of them would be a billion.
#[test]
fn components_that_multiply_are_refused_in_no_time() {
    let text = numbered(30, |text, i| match i {
        0 => text.push_str("(component $c0)"),
        _ => {
            let last = i - 1;
            write!(
                text,
                "(component $c{i} (alias outer 1 $c{last} (component $x))
                    (instance (instantiate $x)) (instance (instantiate $x)))"
            )
            .unwrap();
        }
    });
    assert_refused(&binary(&command_and(&text)), "component instances: ");
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// A component whose one type is so many types inside each other: of components where `kind` is
/// 0x41, of instances where it is 0x42.
fn nested_types(depth: usize, kind: u8) -> Vec<u8> {
    let mut types = vec![1];
    types.extend([kind, 1, 1].repeat(depth - 1));
    types.extend([kind, 0]);
    let header = b"\0asm\x0d\0\x01\0";
    [&header[..], &section(7, &types)].concat()
}

/// The reader goes into them by recursion: 600 KB would use up any stack.
#[test]
fn types_inside_each_other_are_refused_before_they_are_read() {
    for kind in [0x41, 0x42] {
        inspect(&nested_types(50, kind)).expect("that is deep enough for everybody");
        for depth in [200_000, 51] {
            let deep = nested_types(depth, kind);
            assert_refused(&deep, "component types inside each other");
            let mut nested = b"\0asm\x0d\0\x01\0".to_vec();
            nested.extend(section(4, &deep));
            assert_refused(&nested, "component types inside each other");
            let name = b"\x0ecomponent-type";
            let mut module = binary(HELLO);
            module.extend(section(0, &[name, &deep[..]].concat()));
            let refusal = adapt(&module).unwrap_err().to_string();
            assert!(refusal.contains("component types"), "{refusal}");
        }
    }
}

#[test]
fn hostile_shapes_are_refused_quickly() {
    let blocks = format!(
        "(module (func {} {}))",
        many(690_000, "block "),
        many(690_000, "end ")
    );
    let functions = format!("(module {})", many(150_000, "(func)"));
    // One function whose one group of locals has 2^32 - 1 of them.
    let locals = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",
        b"\x03\x02\x01\0",
        b"\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b",
    ];
    // A section that promises 2^32 - 1 types in eleven bytes.
    let types = [&b"\0asm\x01\0\0\0"[..], b"\x01\x05\xff\xff\xff\xff\x0f"];
    let shapes = [
        binary(&blocks),
        binary(&functions),
        locals.concat(),
        types.concat(),
    ];
    for bytes in shapes {
        let start = Instant::now();
        let refusal = inspect(&bytes).unwrap_err();
        assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

#[test]
fn every_prefix_is_read_without_a_panic() {
    let whole = job_with("");
    let entries = inspect(&whole).unwrap().entries;
    for len in 0..whole.len() {
        match admit(&whole[..len]) {
            // Custom sections follow the exports: without them it is the same program.
            Ok(admitted) => assert_eq!(admitted.inspection().entries, entries),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
        assert!(adapt(&whole[..len]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutated_components_are_read_without_a_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = mutable().to_vec();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let inspected = inspect(&bytes);
        match admit(&bytes) {
            Ok(admitted) => prop_assert_eq!(Ok(admitted.inspection()), inspected.as_ref()),
            Err(refusal) => if inspected.is_err() {
                prop_assert_eq!(Err(refusal), inspected);
            }
        }
    }

    #[test]
    fn random_bytes_after_a_header_are_read_without_a_panic(
        component in any::<bool>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let header = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
        let bytes = [&header[..], &rest].concat();
        prop_assert_eq!(inspect(&bytes).is_err() || admit(&bytes).is_err(), true);
        let _ = adapt(&bytes);
    }
}

/// A component with every kind of section, made once.
fn mutable() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| adapt(&binary(HELLO)).unwrap())
}

/// A command that prints `hello`.
const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\10\00\00\00\06\00\00\00hello\n")
    (func (export "_start")
        (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 64))
            (then (unreachable)))))"#;

#[test]
fn a_preview_1_command_becomes_a_component_and_always_the_same() {
    let module = binary(HELLO);
    let adapted = adapt(&module).unwrap();
    assert_eq!(adapted, adapt(&module).unwrap());
    let admitted = admit(&adapted).unwrap();
    assert_eq!(admitted.entry(), Entry::Command);
    let imports: Vec<&str> = admitted
        .inspection()
        .imports
        .iter()
        .map(|import| import.name.as_str())
        .collect();
    assert!(
        imports.iter().all(|name| name.starts_with("wasi:")),
        "{imports:?}"
    );
    assert!(
        imports
            .iter()
            .any(|name| name.starts_with("wasi:cli/stdout@0.2.")),
        "{imports:?}"
    );
    assert_eq!(adapt(&adapted), Err(Refusal::Component));
}

#[test]
fn modules_that_are_no_preview_1_command_are_refused_by_name() {
    let cases = [
        (
            r#"(module (import "env" "emscripten_sleep" (func)) (func (export "_start")))"#,
            "imports `emscripten_sleep` of `env`, which is not part of WASI preview 1",
        ),
        (
            r#"(module (import "wasi_unstable" "fd_write" (func)) (func (export "_start")))"#,
            "imports `fd_write` of `wasi_unstable`",
        ),
        (
            r#"(module (import "wasi_snapshot_preview1" "thread_spawn" (func)))"#,
            "imports `thread_spawn` of `wasi_snapshot_preview1`",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "_initialize")))"#,
            "is a core module that does not export `_start`",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "f")))"#,
            "is a core module that does not export `_start`",
        ),
        (
            r#"(module (func (export "_start")))"#,
            "is a core module that does not export `memory`",
        ),
        (
            r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
            "cannot be adapted from WASI preview 1: ",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#,
            "cannot be adapted from WASI preview 1: ",
        ),
        ("(component)", "is a component already"),
    ];
    for (text, expected) in cases {
        let refusal = adapt(&binary(text)).expect_err(expected).to_string();
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}
