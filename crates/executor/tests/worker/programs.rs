//! Programs that only these tests need.

use std::fmt::Write;

use crate::fixture::{PRELUDE, component};

/// A component of this many functions, each a table of `targets` branches over 64 blocks: little to
/// read and much to compile.
pub fn branches(functions: usize, targets: usize) -> Vec<u8> {
    let mut module = String::from("(component (core module\n");
    for _ in 0..functions {
        module.push_str("(func (param i32) (result i32)\n");
        module.push_str(&"(block ".repeat(64));
        module.push_str("(br_table ");
        for target in 0..targets {
            write!(module, "{} ", target % 64).unwrap();
        }
        module.push_str("(local.get 0))");
        for block in 0..64 {
            write!(
                module,
                ") (local.set 0 (i32.mul (local.get 0) (i32.const {block})))"
            )
            .unwrap();
        }
        module.push_str("(local.get 0))\n");
    }
    module.push_str("))");
    wat::parse_str(module).unwrap()
}

/// A stepper whose state is one byte: it counts down to 0, then answers with the seed of its last
/// step. From [`ENDLESS`] it never comes back.
pub fn countdown() -> Vec<u8> {
    let module = format!(
        r#"(module
            (import "opensky:compute/context@0.1.0" "seed" (func $seed (param i32)))
            {PRELUDE}
            (func $answer (param $case i32) (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (i32.const 0))
                (i32.store8 (i32.const 72) (local.get $case))
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
                {ENDLESS_LOOP}
                (if (i32.eqz (i32.load8_u (local.get $ptr)))
                    (then
                        (call $seed (i32.const 128))
                        (return (call $answer (i32.const 1) (i32.const 128) (i32.const 32)))))
                (i32.store8 (local.get $ptr)
                    (i32.sub (i32.load8_u (local.get $ptr)) (i32.const 1)))
                (call $answer (i32.const 0) (local.get $ptr) (local.get $len))))"#
    );
    component("stepper-world", &module)
}

/// The first byte of an input or a state on which these programs do not come back.
pub const ENDLESS: u8 = b'~';

const ENDLESS_LOOP: &str = r#"(if (local.get $len)
    (then (loop $again
        (br_if $again (i32.eq (i32.load8_u (local.get $ptr)) (i32.const 126))))))"#;

/// Maps each byte of a shard to a record with that byte as the key and the shard's length as the
/// value; combines to the first value; reduces to the key and the first byte of every value. Finishes
/// with the first partition, and fails if that is empty.
pub fn bytes() -> Vec<u8> {
    let module = format!(
        r#"(module {PRELUDE}
            (func $answer (param $case i32) (param $ptr i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 64) (local.get $case))
                (i32.store (i32.const 72) (local.get $ptr))
                (i32.store (i32.const 76) (local.get $len))
                (i32.const 64))
            (func (export "opensky:compute/map-reduce@0.1.0#map-shard")
                (param $ptr i32) (param $len i32) (result i32) (local $i i32) (local $at i32) (local $to i32)
                {ENDLESS_LOOP}
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
                (call $answer (i32.const 0) (local.get $to) (local.get $len)))
            (func (export "opensky:compute/map-reduce@0.1.0#combine")
                (param $key i32) (param $key_len i32) (param $ptr i32) (param $len i32) (result i32)
                (call $answer (i32.const 0) (local.get $ptr) (i32.const 1)))
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
                (call $answer (i32.const 0) (i32.const 300) (i32.add (local.get $len) (i32.const 1))))
            (func (export "opensky:compute/finish@0.1.0#finish")
                (param $ptr i32) (param $len i32) (result i32)
                (if (i32.load offset=4 (local.get $ptr))
                    (then (return (call $answer (i32.const 0)
                        (i32.load (local.get $ptr)) (i32.load offset=4 (local.get $ptr))))))
                (i32.store8 (i32.const 72) (i32.const 1))
                (i32.store (i32.const 76) (i32.const 0))
                (i32.store (i32.const 80) (i32.const 0))
                (i32.store8 (i32.const 64) (i32.const 1))
                (i32.const 64)))"#
    );
    component("map-reduce-finish-world", &module)
}

/// A preview-1 command, adapted: it copies its standard input to its output and its standard error,
/// and exits with how many bytes that were.
pub fn copy() -> Vec<u8> {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 64))
            (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4))
                (then (unreachable)))
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (unreachable)))
            (if (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (unreachable)))
            (call $exit (i32.load (i32.const 4)))))"#;
    opensky_executor::adapt(&wat::parse_str(module).unwrap()).unwrap()
}
