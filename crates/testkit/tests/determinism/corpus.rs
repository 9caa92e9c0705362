//! Guests, one for each thing that differs from run to run or from machine to machine elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use opensky_executor::{Backend, Inputs, Rules, Sandbox, adapt};
use opensky_protocol::{Class, Digest, Limits, Shard, Work, World, names};

/// A program, its input, and how it has to end.
#[derive(Clone)]
pub struct Guest {
    pub name: &'static str,
    pub component: Arc<Vec<u8>>,
    pub class: Class,
    pub fuel: u64,
}

impl Guest {
    fn new(name: &'static str, class: Class, body: &str) -> Self {
        let module = wat::parse_str(module(body)).expect("the guest is valid text");
        let component = adapt(&module).expect("the guest is a preview-1 command");
        Self {
            name,
            component: Arc::new(component),
            class,
            fuel: 20_000_000,
        }
    }

    /// The work, and the input that it names.
    pub fn work(&self, rules: &Rules, entropy: [u8; 32]) -> (Arc<Work>, Inputs) {
        let mut inputs = Inputs::default();
        let input = inputs.insert(input());
        let text = |text: &str| text.to_owned();
        let work = Work {
            profile: rules.profile(),
            program: Digest::of(&self.component),
            world: World::Command,
            inputs: BTreeMap::from([(names::INPUT.into(), input)]),
            args: vec![text("--first"), text("second")],
            env: BTreeMap::from([(text("B"), text("2")), (text("A"), text("1"))]),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy,
            virtual_time: 1_700_000_000,
            limits: Limits {
                fuel: self.fuel,
                memory: 64 << 20,
                output: 1 << 20,
                log: 1 << 16,
            },
        };
        (Arc::new(work), inputs)
    }
}

/// Ten thousand bytes that are not all alike.
fn input() -> Vec<u8> {
    (0..10_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// What every guest may call. `$put` writes so many bytes from 1024 to standard output.
fn module(body: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir"
            (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_create_directory"
            (func $mkdir (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (table $table 1 funcref)
        (data (i32.const 512) "zebra" "apple" "mango" "Zebra" "a-dir" "/" "out")
        (func $ok (param i32) (if (local.get 0) (then (unreachable))))
        (func $put_to (param $fd i32) (param $len i32)
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (local.get $len))
            (call $ok (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func $put (param $len i32) (call $put_to (i32.const 1) (local.get $len)))
        (func (export "_start") (local $i i32) (local $at i32) (local $x f64) (local $y f32)
            (local.set $at (i32.const 1024))
            {body}))"#
    )
}

/// Both clocks, into the next 16 bytes.
const CLOCKS: &str = "
    (call $ok (call $clock (i32.const 0) (i64.const 1) (local.get $at)))
    (call $ok (call $clock (i32.const 1) (i64.const 1) (i32.add (local.get $at) (i32.const 8))))
    (local.set $at (i32.add (local.get $at) (i32.const 16)))";

/// Waits for an hour.
const SLEEP: &str = "
    (i32.store (i32.const 272) (i32.const 1))
    (i64.store (i32.const 280) (i64.const 3600000000000))
    (call $ok (call $poll (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 8)))";

/// What is not a number, made in every way, and its bits.
const NANS: &str = "
    (f64.store (i32.const 1024) (f64.div (local.get $x) (local.get $x)))
    (f64.store (i32.const 1032) (f64.sub (f64.const inf) (f64.const inf)))
    (f64.store (i32.const 1040) (f64.sqrt (f64.const -1)))
    (f64.store (i32.const 1048) (f64.add (f64.const nan:0x8000000000001) (local.get $x)))
    (f64.store (i32.const 1056) (f64.add (f64.const -nan) (f64.const nan:0x4000000000000)))
    (f64.store (i32.const 1064) (f64.min (f64.const nan:0x4000000000001) (f64.const 1)))
    (f64.store (i32.const 1072) (f64.promote_f32 (f32.const nan:0x200001)))
    (f32.store (i32.const 1080) (f32.demote_f64 (f64.const nan:0x4000000000001)))
    (f32.store (i32.const 1084) (f32.mul (f32.const inf) (local.get $y)))
    (f32.store (i32.const 1088) (f32.neg (f32.div (local.get $y) (local.get $y))))
    (v128.store (i32.const 1104)
        (f32x4.div (f32x4.splat (local.get $y)) (f32x4.splat (local.get $y))))
    (v128.store (i32.const 1120)
        (f64x2.max (f64x2.splat (f64.const -nan)) (f64x2.splat (f64.const 3))))
    (call $put (i32.const 112))";

/// A thousand steps of a chaotic sequence: one different last bit, and all that follows differs.
const CHAOS: &str = "
    (local.set $x (f64.const 0.1)) (local.set $y (f32.const 0.1))
    (loop $next
        (local.set $x (f64.mul (f64.mul (f64.const 3.99) (local.get $x))
            (f64.sub (f64.const 1) (local.get $x))))
        (local.set $y (f32.mul (f32.mul (f32.const 3.99) (local.get $y))
            (f32.sub (f32.const 1) (local.get $y))))
        (f64.store (local.get $at) (f64.sqrt (local.get $x)))
        (f64.store (i32.add (local.get $at) (i32.const 8)) (f64.nearest
            (f64.mul (local.get $x) (f64.convert_i32_u (local.get $i)))))
        (i64.store (i32.add (local.get $at) (i32.const 16)) (i64.trunc_sat_f64_s
            (f64.div (f64.const 1e18) (f64.sub (local.get $x) (f64.const 0.5)))))
        (f32.store (i32.add (local.get $at) (i32.const 24)) (local.get $y))
        (local.set $at (i32.add (local.get $at) (i32.const 28)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 1000))))
    (call $put (i32.const 28000))";

/// Grows until it cannot, and says what each attempt gave.
const GROW: &str = "
    (loop $next
        (i32.store (local.get $at) (memory.grow (i32.const 100)))
        (i32.store (i32.add (local.get $at) (i32.const 4))
            (table.grow $table (ref.null func) (i32.const 300000)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 20))))
    (call $put (i32.const 160))";

/// Makes files and a folder, in no order, and lists what is there: names, inodes, kinds.
const FILES: &str = "
    (call $ok (call $path_open (i32.const 3) (i32.const 0) (i32.const 538) (i32.const 3)
        (i32.const 2) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
    (loop $next
        (call $ok (call $path_open (i32.load (i32.const 16)) (i32.const 0)
            (i32.add (i32.const 512) (i32.mul (local.get $i) (i32.const 5))) (i32.const 5)
            (i32.const 9) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 20)))
        (call $put_to (i32.load (i32.const 20)) (i32.const 100))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 4))))
    (call $ok (call $mkdir (i32.load (i32.const 16)) (i32.const 532) (i32.const 5)))
    (call $ok (call $fd_readdir (i32.load (i32.const 16)) (i32.const 1024) (i32.const 4096)
        (i64.const 0) (i32.const 24)))
    (call $put (i32.load (i32.const 24)))";

/// Copies standard input, a little at a time.
const ECHO: &str = "
    (loop $next
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 777))
        (call $ok (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $i (i32.load (i32.const 8)))
        (if (local.get $i) (then (call $put (local.get $i)) (br $next))))";

pub fn guests() -> Vec<Guest> {
    let clocks =
        format!("{CLOCKS}{CLOCKS}{SLEEP}{CLOCKS}{SLEEP}{CLOCKS} (call $put (i32.const 64))");
    let random = "(call $ok (call $random (i32.const 1024) (i32.const 256)))
        (call $put (i32.const 256))
        (call $ok (call $random (i32.const 1024) (i32.const 3))) (call $put (i32.const 3))";
    let surroundings = "(call $ok (call $args (i32.const 1024) (i32.const 1088)))
        (call $ok (call $environ (i32.const 1152) (i32.const 1216))) (call $put (i32.const 320))";
    let noise = "(call $put_to (i32.const 2) (i32.const 40)) (call $put (i32.const 40))
        (call $exit (i32.const 7))";
    let flood = "(loop $next (call $put (i32.const 4096)) (br $next))";
    vec![
        Guest::new("clocks and sleeps", Class::Ok, &clocks),
        Guest::new("randomness", Class::Ok, random),
        Guest::new("what is not a number", Class::Ok, NANS),
        Guest::new("floating point", Class::Ok, CHAOS),
        Guest {
            fuel: 1_000_000_000,
            ..Guest::new("growing memory and tables", Class::Ok, GROW)
        },
        Guest::new("files and folders", Class::Ok, FILES),
        Guest::new("arguments and environment", Class::Ok, surroundings),
        Guest::new("input and output", Class::Ok, ECHO),
        Guest::new("an exit code", Class::Err, noise),
        Guest::new(
            "a panic",
            Class::Panic,
            "(call $put (i32.const 9)) (unreachable)",
        ),
        Guest::new("a trap", Class::Trap, "(drop (i32.load (i32.const -1)))"),
        Guest::new(
            "an endless loop",
            Class::OutOfFuel,
            "(loop $next (br $next))",
        ),
        Guest::new("a flood", Class::Limit, flood),
    ]
}

pub fn has_every_class(rules: &Rules) {
    let sandbox = Sandbox::new(&rules.profile(), Backend::Cranelift).expect("the engine starts");
    let mut found = BTreeSet::new();
    for guest in guests() {
        let program = sandbox
            .compile(&guest.component)
            .expect("the guest compiles");
        let (work, inputs) = guest.work(rules, [0; 32]);
        let run = sandbox
            .run(&program, &work, &inputs, None)
            .expect("the guest has a result");
        assert_eq!(run.class, guest.class, "{}: {:?}", guest.name, run.detail);
        found.insert(run.class.name());
    }
    assert_eq!(found.len(), 6, "{found:?}");
}
