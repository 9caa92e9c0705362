//! Recursion ends at the same depth everywhere, and always before the native stack does.

mod bench;

use std::{fmt::Write, thread};

use bench::{End, Seen, call, engine, metered};
use wasmtime::{Engine, OptLevel};

const PLENTY: i64 = 1 << 50;

/// Calls `f` of the metered module on every engine, with the stack that the profile asks for, and
/// returns what all of them show.
fn everywhere(text: &str) -> Seen {
    let plain = wat::parse_str(text).expect("the text is WebAssembly");
    let metered = metered(&plain);
    let engines = [
        engine(OptLevel::None),
        engine(OptLevel::Speed),
        bench::pulley(),
    ];
    let run = |engine: &Engine| {
        thread::scope(|scope| {
            thread::Builder::new()
                .stack_size(opensky_meter::NATIVE_STACK + (8 << 20))
                .spawn_scoped(scope, || call(engine, &metered, "f", PLENTY))
                .expect("a thread starts")
                .join()
                .expect("the call ends")
        })
    };
    let seen: Vec<Seen> = engines.iter().map(run).collect();
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    seen[0].clone()
}

/// How deep recursion got, as the module counts it in its memory.
fn ends_too_deep(text: &str) {
    assert_eq!(everywhere(text).end, End::TooDeep);
}

#[test]
fn endless_recursion_is_too_deep() {
    ends_too_deep(
        r#"(module (memory (export "m") 1)
          (func $f (export "f")
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (call $f)
            (i32.store (i32.const 4) (i32.const 1))))"#,
    );
}

#[test]
fn mutual_recursion_through_a_table_is_too_deep() {
    ends_too_deep(
        r#"(module (memory (export "m") 1) (table 2 funcref) (type $t (func (param i32) (result i32)))
          (elem (i32.const 0) $a $b)
          (func $a (type $t) (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 1))))
          (func $b (type $t)
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (i32.add (i32.const 2) (call_indirect (type $t) (local.get 0) (i32.const 0))))
          (func (export "f") (result i32) (call $a (i32.const 7))))"#,
    );
}

#[test]
fn calls_one_after_the_other_do_not_add_up() {
    // Each round goes nearly as deep as the limit lets it.
    let seen = everywhere(
        r#"(module
          (func $down (param i32)
            (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
          (func $between (param i32) (call $down (local.get 0)) (call $down (local.get 0)))
          (func (export "f") (result i32) (local $i i32)
            (loop $again
              (call $between (i32.const 60000))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (i32.const 8))))
            (local.get $i)))"#,
    );
    assert_eq!(seen.end, End::Returned);
}

#[test]
fn endless_loop_that_never_returns_may_recurse_again_and_again() {
    let seen = everywhere(
        r#"(module (memory (export "m") 1)
          (func $down (param i32)
            (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
          (func $forever (local $i i32)
            (loop $again
              (call $down (i32.const 60000))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (if (i32.eq (local.get $i) (i32.const 10)) (then (unreachable)))
              (br $again)))
          (func (export "f") (call $forever)))"#,
    );
    assert_eq!(seen.end, End::Panicked);
}

/// A recursive function with `values` different numbers that are needed before and after the call,
/// and hardly any locals: what makes frames larger than they look.
fn hungry(values: u32, mid: &str) -> String {
    let mut body = String::new();
    for value in 0..values {
        let number = 2 * value + 3;
        write!(
            body,
            "(local.set 1 (i64.xor (local.get 1) (i64.mul (local.get 0) (i64.const {number}))))"
        )
        .expect("a string takes all");
    }
    format!(
        r#"(module (memory (export "m") 1)
          (func $f (export "f") (param i64) (result i64) (local i64)
            {body}
            (local.set 1 (i64.add (local.get 1) {mid}))
            {body}
            (local.get 1)))"#
    )
}

#[test]
fn values_that_live_across_a_call_do_not_overflow_the_native_stack() {
    for values in [10, 100, 1_000, 4_000] {
        ends_too_deep(&hungry(
            values,
            "(call $f (i64.add (local.get 0) (local.get 1)))",
        ));
    }
}

#[test]
fn many_locals_and_parameters_do_not_overflow_the_native_stack() {
    for (count, ty) in [(200, "i64"), (200, "v128"), (900, "f64")] {
        let params = format!("{ty} ").repeat(count);
        let args: String = (0..count)
            .map(|index| format!("(local.get {index})"))
            .collect();
        ends_too_deep(&format!(
            r#"(module (memory (export "m") 1) (func $f (export "f") (param {params})
              (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
              (call $f {args}) (call $f {args})))"#
        ));
    }
}

#[test]
fn long_chain_without_recursion_does_not_overflow_the_native_stack() {
    let mut text = String::from(r#"(module (func $f0 (result i32) (i32.const 1))"#);
    for index in 1..30_000 {
        write!(
            text,
            "(func $f{index} (result i32) (i32.add (i32.const 1) (call $f{})))",
            index - 1
        )
        .expect("a string takes all");
    }
    text.push_str(r#"(func (export "f") (result i32) (call $f29999)))"#);
    assert_eq!(everywhere(&text).end, End::Returned);
}
