//! Parts of WebAssembly that the sandbox does not have, by their names.

use opensky_executor::{
    admit,
    inspect::{Refusal, inspect},
};

use crate::components::{assert_refused, binary, command_and, command_with_module};

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
