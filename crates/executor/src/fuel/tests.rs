//! The host's side of a meter, against one written by hand: also what no pass would write.

use std::{collections::BTreeMap, sync::Arc};

use opensky_protocol::{Class, Digest, Limits, Shard, Work, World};
use wasmtime::component::Component;

use crate::{Backend, Inputs, PROFILE_1, Run, RunError, Sandbox};

/// A command whose `run` is `body`, in a module that may use the meter and WASI's `exit`. The parts
/// that the pass adds to a component are as it writes them.
fn command(body: &str) -> String {
    format!(
        r#"(component
    (type $limit (func (result s64)))
    (type $report (func (param "rest" s64)))
    (import "opensky-fuel-limit" (func $limit (type $limit)))
    (import "opensky-fuel-report" (func $report (type $report)))
    (core func $limit (canon lower (func $limit)))
    (core func $report (canon lower (func $report)))
    (core module $meter (@name "opensky:meter")
        (import "host" "limit" (func $limit (result i64)))
        (import "host" "report" (func $report (param i64)))
        (global $fuel (export "fuel") (mut i64) (i64.const 0))
        (func $panic (export "panic") (call $report (global.get $fuel)) unreachable)
        (func $too-deep (export "too-deep") unreachable)
        (func (export "exit") (call $report (global.get $fuel)))
        (func (export "left") (result i64) (global.get $fuel))
        (func $start (global.set $fuel (call $limit)))
        (start $start))
    (core instance $meter (instantiate $meter (with "host" (instance
        (export "limit" (func $limit)) (export "report" (func $report))))))
    (func $left (type $limit) (canon lift (core func $meter "left")))
    (export "opensky-fuel-left" (func $left))

    (import "wasi:cli/exit@0.2.0" (instance $wasi
        (export "exit" (func (param "status" (result))))))
    (core func $exit (canon lower (func $wasi "exit")))
    (import "wasi:random/insecure-seed@0.2.0" (instance $random
        (export "insecure-seed" (func (result (tuple u64 u64))))))
    (core module $memory (memory (export "memory") 1))
    (core instance $memory (instantiate $memory))
    (core func $seed (canon lower (func $random "insecure-seed")
        (memory (core memory $memory "memory"))))
    (core module $guest
        (import "opensky:meter" "panic" (func $panic))
        (import "opensky:meter" "too-deep" (func $too-deep))
        (import "opensky:meter" "exit" (func $report))
        (import "opensky:meter" "fuel" (global $fuel (mut i64)))
        (import "wasi" "exit" (func $exit (param i32)))
        (import "wasi" "seed" (func $seed (param i32)))
        (func $use (param $fuel i64)
            (global.set $fuel (i64.sub (global.get $fuel) (local.get $fuel)))
            (if (i64.lt_s (global.get $fuel) (i64.const 0)) (then unreachable)))
        (func $clean (export "clean") (param i32)
            (if (i32.eq (local.get 0) (i32.const 2)) (then (call $panic) unreachable)))
        (func (export "run") (result i32) {body}))
    (core instance $guest (instantiate $guest
        (with "opensky:meter" (instance $meter))
        (with "wasi" (instance (export "exit" (func $exit)) (export "seed" (func $seed))))))
    (func $run (result (result)) (canon lift (core func $guest "run")))
    (instance $entry (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $entry)))"#
    )
}

fn run(body: &str, fuel: u64) -> Result<Run, RunError> {
    let bytes = wat::parse_str(command(body)).expect("valid text");
    let sandbox =
        Sandbox::without_pool(&PROFILE_1.profile(), Backend::Cranelift).expect("the engine starts");
    let component = Component::from_binary(&sandbox.engine, &bytes).expect("a component");
    let program = sandbox.link(&component)?;
    let work = Work {
        profile: PROFILE_1.profile(),
        program: Digest::of(&bytes),
        world: World::Command,
        inputs: BTreeMap::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: [0; 32],
        virtual_time: 0,
        limits: Limits {
            fuel,
            ..Limits::DEFAULT
        },
    };
    sandbox.run(&program, &Arc::new(work), &Inputs::default(), None)
}

fn ending(body: &str, fuel: u64) -> (Class, u64) {
    let run = run(body, fuel).expect("the guest has a result");
    (run.class, run.fuel)
}

/// What the host takes for an instance and the call of `run`.
const RUN: u64 = PROFILE_1.instance + PROFILE_1.call;
/// What it takes for a call without arguments that results in two words.
const SEED: u64 = PROFILE_1.call + 16 * PROFILE_1.byte;

#[test]
fn guests_and_hosts_fuel_are_one_budget() {
    let one = "(call $use (i64.const 700)) (i32.const 0)";
    assert_eq!(ending(one, 700 + RUN), (Class::Ok, 700 + RUN));
    assert_eq!(ending(one, u64::MAX), (Class::Ok, 700 + RUN));
    // Neither of them alone goes beyond it, or is stopped.
    assert_eq!(ending(one, 699 + RUN), (Class::OutOfFuel, 699 + RUN));
    let both = "(call $use (i64.const 700)) (call $seed (i32.const 0)) (i32.const 0)";
    let all = 700 + RUN + SEED;
    assert_eq!(ending(both, all), (Class::Ok, all));
    assert_eq!(ending(both, all - 1), (Class::OutOfFuel, all - 1));
}

#[test]
fn instance_is_paid_before_it_is_made() {
    let body = "(i32.const 0)";
    let made = run(body, RUN).expect("the guest has a result");
    assert_eq!(
        (made.class, made.fuel, made.memory),
        (Class::Ok, RUN, 1 << 16)
    );
    let fuel = PROFILE_1.instance - 1;
    let refused = run(body, fuel).expect("the guest has a result");
    let ending = (refused.class, refused.fuel, refused.memory);
    assert_eq!(ending, (Class::OutOfFuel, fuel, 0));
}

#[test]
fn guest_or_host_alone_out_of_fuel_is_out_of_fuel() {
    let guest = "(loop $l (call $use (i64.const 1)) (br $l)) (unreachable)";
    assert_eq!(ending(guest, 100_000), (Class::OutOfFuel, 100_000));
    let host = "(loop $l (call $seed (i32.const 0)) (br $l)) (unreachable)";
    assert_eq!(ending(host, 1_000_000), (Class::OutOfFuel, 1_000_000));
}

#[test]
fn counter_below_zero_at_the_end_is_out_of_fuel() {
    let unseen = "(global.set $fuel (i64.const -1)) (i32.const 0)";
    assert_eq!(ending(unseen, 100_000).0, Class::OutOfFuel);
    assert_eq!(ending(unseen, u64::MAX).0, Class::OutOfFuel);
}

#[test]
fn panic_is_charged_what_it_used() {
    let panic = "(call $use (i64.const 30)) (call $panic) unreachable";
    assert_eq!(ending(panic, 100_000), (Class::Panic, 30 + RUN));
    assert_eq!(ending(panic, 30 + RUN), (Class::Panic, 30 + RUN));
    assert_eq!(ending(panic, 29 + RUN), (Class::OutOfFuel, 29 + RUN));
}

#[test]
fn stack_that_is_used_up_is_a_limit() {
    assert_eq!(
        ending("(call $too-deep) unreachable", 100_000).0,
        Class::Limit
    );
}

#[test]
fn other_traps_are_traps_wherever_they_are() {
    let divided = "(i32.div_u (i32.const 1) (i32.const 0))";
    assert_eq!(ending(divided, 100_000), (Class::Trap, 100_000));
}

#[test]
fn exit_is_charged_what_was_reported() {
    let exit = |status| {
        format!(
            "(call $use (i64.const 30)) (call $report)
             (call $exit (i32.const {status})) unreachable"
        )
    };
    // The status is one byte of an argument.
    let used = 30 + RUN + PROFILE_1.call + PROFILE_1.byte;
    assert_eq!(ending(&exit(0), 100_000), (Class::Ok, used));
    assert_eq!(ending(&exit(1), 100_000), (Class::Err, used));
    assert_eq!(ending(&exit(0), used), (Class::Ok, used));
    assert_eq!(ending(&exit(0), used - 1).0, Class::OutOfFuel);
}

#[test]
fn exit_past_the_meter_is_a_trap() {
    let exit = "(call $exit (i32.const 0)) unreachable";
    assert_eq!(ending(exit, 100_000), (Class::Trap, 100_000));
}
