//! Components to be judged, made from text.

use std::path::Path;

use opensky_executor::admit;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text:.400}"))
}

/// A world with all that we can call, which nobody would write.
pub const EVERYTHING: &str = "package test:everything;
    world everything {
        include opensky:compute/job-world@0.1.0;
        include opensky:compute/map-reduce-finish-world@0.1.0;
        include opensky:compute/stepper-world@0.1.0;
    }";

/// The component of a core module that implements one of our worlds, or all of them.
pub fn component(world: &str, module: &str) -> Vec<u8> {
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

pub const ALLOCATOR: &str = r#"
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))"#;

/// A job with more code beside its `run`.
pub fn job_with(more: &str) -> Vec<u8> {
    component("job-world", &format!("(module {ALLOCATOR} {JOB} {more})"))
}

pub const JOB: &str = r#"
    (func (export "opensky:compute/job@0.1.0#run") (param i32 i32) (result i32) (unreachable))"#;

pub const MAP_REDUCE: &str = r#"
    (func (export "opensky:compute/map-reduce@0.1.0#map-shard")
        (param i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/map-reduce@0.1.0#combine")
        (param i32 i32 i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/map-reduce@0.1.0#reduce")
        (param i32 i32 i32 i32) (result i32) (unreachable))"#;

pub const FINISH: &str = r#"(func (export "opensky:compute/finish@0.1.0#finish")
    (param i32 i32) (result i32) (unreachable))"#;

pub const STEPPER: &str = r#"
    (func (export "opensky:compute/stepper@0.1.0#init") (param i32 i32) (result i32) (unreachable))
    (func (export "opensky:compute/stepper@0.1.0#step") (param i32 i32) (result i32) (unreachable))"#;

/// A command whose component the text format can say in full.
pub const COMMAND: &str = r#"(component
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.3" (instance $run)))"#;

/// A command beside one of these, so that nothing else is wrong with it.
pub fn command_and(more: &str) -> String {
    COMMAND.replacen("(component", &format!("(component {more}"), 1)
}

/// One core module that is instantiated, in a component that could otherwise be run.
pub fn command_with_module(body: &str) -> String {
    command_and(&format!(
        "(core module $x {body}) (core instance (instantiate $x))"
    ))
}

/// Refused, with a text that begins like this.
pub fn assert_refused(bytes: &[u8], expected: &str) {
    let refusal = admit(bytes).expect_err(expected);
    let text = refusal.to_string();
    assert!(
        text.starts_with(expected),
        "expected {expected:?}, got {text:?}"
    );
}

/// A command that prints `hello`.
pub const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\10\00\00\00\06\00\00\00hello\n")
    (func (export "_start")
        (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 64))
            (then (unreachable)))))"#;
