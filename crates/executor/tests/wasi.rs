//! What a guest sees of WASI: each interface through its own imports, and ordinary programs.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod fixture;

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::Arc};

use fixture::{
    PRELUDE, sandbox,
    wit::{encode, everything, imports},
    work,
};
use opensky_executor::{Backend, Inputs, Rules, Run, Sandbox, adapt, admit};
use opensky_protocol::{Class, Digest, GuestError, Work, World, names};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures")
}

/// A command whose `run` is this body, with what it calls imported. `$print` writes bytes of its
/// memory to standard output.
fn command(body: &str) -> Vec<u8> {
    let (resolve, world) = everything();
    let body = format!(
        r#"{PRELUDE}
        (func $print (param $ptr i32) (param $len i32)
            (call $cli/stdout#get-stdout)
            (call $io/streams#!method!output-stream.blocking-write-and-flush
                (local.get $ptr) (local.get $len) (i32.const 128)))
        (func $print64 (param $value i64)
            (i64.store (i32.const 136) (local.get $value))
            (call $print (i32.const 136) (i32.const 8)))
        (func (export "wasi:cli/run@0.2.12#run") (result i32)
            (local $i i32) (local $j i32) (local $k i32)
            {body}
            (i32.const 0))"#
    );
    let named = |name: &str| {
        body.match_indices(name).any(|(at, _)| {
            let next = body[at + name.len()..].chars().next();
            next.is_none_or(|next| next.is_whitespace() || next == ')')
        })
    };
    let imports = imports(&resolve, world, named);
    encode(&resolve, world, &format!("(module {imports} {body})"))
}

fn run_with(component: &[u8], work: Work, input: &[u8]) -> Run {
    fixture::run(&sandbox(), component, work, &[input]).expect("the guest has a result")
}

fn run_on(body: &str, input: &[u8]) -> Run {
    let component = command(body);
    run_with(&component, work(&component, World::Command, input), input)
}

fn run(body: &str) -> Run {
    run_on(body, b"")
}

/// The output as numbers.
fn numbers(run: &Run) -> Vec<u64> {
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
    let output = run.outputs[names::OUTPUT].chunks_exact(8);
    output
        .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
        .collect()
}

fn assert_limit(run: &Run, of: &str) {
    assert_eq!(run.class, Class::Limit, "{:?}", run.detail);
    let detail = run.detail.as_deref().unwrap();
    assert!(detail.contains(of), "{detail}");
    assert!(run.outputs.is_empty());
}

#[test]
fn every_function_is_there_with_its_type() {
    let (resolve, world) = everything();
    let all = imports(&resolve, world, |_| true);
    assert_eq!(all.lines().count(), 139);
    // A resource's drop is a part of its type.
    let module = format!(
        r#"(module {all} {PRELUDE}
            (func (export "wasi:cli/run@0.2.12#run") (result i32) (i32.const 0)))"#
    );
    let component = encode(&resolve, world, &module);
    admit(&component).unwrap();
    let run = run_with(&component, work(&component, World::Command, b""), b"");
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
}

#[test]
fn time_is_virtual_and_both_clocks_agree() {
    let seen = numbers(&run("(call $print64 (call $clocks/monotonic-clock#now))
         (call $print64 (call $clocks/monotonic-clock#now))
         (call $io/poll#!method!pollable.block
            (call $clocks/monotonic-clock#subscribe-duration (i64.const 86400000000000)))
         (call $print64 (call $clocks/monotonic-clock#now))
         (call $clocks/wall-clock#now (i32.const 64))
         (call $print64 (i64.load (i32.const 64)))
         (call $print64 (i64.load32_u (i32.const 72)))"));
    let day = 86_400_000_002_000;
    assert_eq!(seen, [0, 1_000, day, 1_700_086_400, 3_000]);
}

#[test]
fn a_timer_that_is_asked_again_and_again_is_ready_in_the_end() {
    let seen = numbers(&run(
        "(local.set $i (call $clocks/monotonic-clock#subscribe-instant (i64.const 5000)))
         (loop $again
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br_if $again (i32.eqz (call $io/poll#!method!pollable.ready (local.get $i)))))
         (call $print64 (i64.extend_i32_u (local.get $j)))",
    ));
    assert_eq!(seen, [6]);
}

#[test]
fn poll_answers_in_order_and_jumps_only_when_it_must() {
    // Three timers and a stream at 64; the answer's address and length at 80.
    let seen = numbers(&run(
        "(i32.store (i32.const 64) (call $clocks/monotonic-clock#subscribe-instant (i64.const 5000)))
         (i32.store (i32.const 68) (call $clocks/monotonic-clock#subscribe-instant (i64.const 3000)))
         (i32.store (i32.const 72) (call $clocks/monotonic-clock#subscribe-instant (i64.const 3000)))
         (i32.store (i32.const 76) (call $io/streams#!method!output-stream.subscribe
            (call $cli/stdout#get-stdout)))
         (call $io/poll#poll (i32.const 64) (i32.const 4) (i32.const 80))
         (call $print64 (i64.load32_u (i32.const 84)))
         (call $print64 (i64.load32_u (i32.load (i32.const 80))))
         (call $io/poll#poll (i32.const 64) (i32.const 3) (i32.const 80))
         (call $print64 (i64.load32_u (i32.const 84)))
         (call $print64 (i64.load (i32.load (i32.const 80))))
         (call $print64 (call $clocks/monotonic-clock#now))
         (call $io/poll#poll (i32.const 64) (i32.const 1) (i32.const 80))
         (call $print64 (call $clocks/monotonic-clock#now))",
    ));
    assert_eq!(seen, [1, 3, 2, 1 | 2 << 32, 3_000, 5_000]);
}

/// An event loop that always has something to write, and waits for a timer.
#[test]
fn a_timer_that_is_polled_beside_a_stream_is_ready_in_the_end() {
    let seen = numbers(&run(
        "(i32.store (i32.const 64) (call $clocks/monotonic-clock#subscribe-instant (i64.const 5000)))
         (i32.store (i32.const 68) (call $io/streams#!method!output-stream.subscribe
            (call $cli/stdout#get-stdout)))
         (loop $again
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (call $io/poll#poll (i32.const 64) (i32.const 2) (i32.const 80))
            (br_if $again (i32.ne (i32.load (i32.const 84)) (i32.const 2))))
         (call $print64 (i64.extend_i32_u (local.get $j)))
         (call $print64 (call $clocks/monotonic-clock#now))
         ;; of two timers the first is ready, the other is not
         (i32.store (i32.const 68) (call $clocks/monotonic-clock#subscribe-instant (i64.const 9000)))
         (call $io/poll#poll (i32.const 64) (i32.const 2) (i32.const 80))
         (call $print64 (call $clocks/monotonic-clock#now))",
    ));
    assert_eq!(seen, [6, 5_000, 7_000]);
}

#[test]
fn times_that_are_set_to_now_together_are_the_same() {
    // The result of `stat` is at 256; its times are 40 and 64 bytes on, nanoseconds 8 behind seconds.
    let seen = numbers(&run(
        "(call $filesystem/preopens#get-directories (i32.const 64))
         (local.set $i (i32.load (i32.load (i32.const 64))))
         (call $filesystem/types#!method!descriptor.set-times (local.get $i)
            (i32.const 1) (i64.const 0) (i32.const 0)
            (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 80))
         (call $filesystem/types#!method!descriptor.stat (local.get $i) (i32.const 256))
         (call $print64 (i64.load (i32.const 296)))
         (call $print64 (i64.load32_u (i32.const 304)))
         (call $print64 (i64.load (i32.const 320)))
         (call $print64 (i64.load32_u (i32.const 328)))
         (call $print64 (call $clocks/monotonic-clock#now))",
    ));
    let start = 1_700_000_000;
    assert_eq!(seen, [start, 0, start, 0, 1_000]);
}

#[test]
fn what_wasi_calls_a_trap_is_one() {
    for body in [
        "(call $io/poll#poll (i32.const 64) (i32.const 0) (i32.const 80))",
        "(call $print (i32.const 0) (i32.const 4097))",
        "(drop (memory.grow (i32.const 32)))
         (call $io/streams#!method!output-stream.write
            (call $cli/stdout#get-stdout) (i32.const 0) (i32.const 1048577) (i32.const 64))",
        "(call $io/streams#!method!output-stream.write-zeroes
            (call $cli/stdout#get-stdout) (i64.const -1) (i32.const 64))",
        "(drop (call $io/poll#!method!pollable.ready (i32.const 99)))",
    ] {
        assert_eq!(run(body).class, Class::Trap, "{body}");
    }
}

#[test]
fn exit_codes_arrive_whole_and_what_was_printed_stays() {
    let exited = run("(call $print (i32.const 0) (i32.const 3))
         (call $cli/exit#exit-with-code (i32.const 200))");
    assert_eq!(exited.class, Class::Err);
    assert_eq!(exited.error, Some(GuestError::Exit(200)));
    assert_eq!(exited.outputs[names::OUTPUT], [0; 3]);
    assert_eq!(run("(call $cli/exit#exit (i32.const 0))").class, Class::Ok);
    let failed = run("(call $cli/exit#exit (i32.const 1))");
    assert_eq!(failed.error, Some(GuestError::Exit(1)));
    let returned = run("(return (i32.const 1))");
    assert_eq!(returned.error, Some(GuestError::Exit(1)));
}

#[test]
fn chance_is_the_units_own() {
    let component = command(
        "(call $print64 (call $random/random#get-random-u64))
         (call $random/random#get-random-bytes (i64.const 8) (i32.const 64))
         (call $print (i32.load (i32.const 64)) (i32.const 8))
         (call $print64 (call $random/insecure#get-insecure-random-u64))
         (call $random/insecure-seed#insecure-seed (i32.const 64))
         (call $print (i32.const 64) (i32.const 16))
         (call $random/insecure-seed#insecure-seed (i32.const 64))
         (call $print (i32.const 64) (i32.const 8))",
    );
    let of = |entropy| {
        let mut work = work(&component, World::Command, b"");
        work.entropy = [entropy; 32];
        numbers(&run_with(&component, work, b""))
    };
    let (one, two) = (of(1), of(2));
    assert_eq!(one, of(1));
    assert_eq!(one[3], one[5], "the seed stays");
    for (at, number) in one[..5].iter().enumerate() {
        assert!(!two.contains(number) && !one[..at].contains(number));
    }
}

#[test]
fn bytes_are_paid_before_they_are_made() {
    let body = |len: i64| {
        format!("(call $random/random#get-random-bytes (i64.const {len}) (i32.const 64))")
    };
    let most = Rules::DEFAULT.call_bytes as i64;
    assert_limit(&run(&body(most + 1)), "bytes of one host call");
    let component = command(&body(100 << 20));
    let mut poor = work(&component, World::Command, b"");
    poor.limits.fuel = 100_000;
    assert_eq!(run_with(&component, poor, b"").class, Class::OutOfFuel);
}

#[test]
fn whatever_a_guest_fills_has_a_limit() {
    let forever = |body: &str| format!("(loop $l {body} (br $l))");
    let handles = run(&forever("(drop (call $cli/stdin#get-stdin))"));
    assert_limit(&handles, "handles");
    let timers = "(drop (call $clocks/monotonic-clock#subscribe-duration (i64.const 1)))";
    assert_limit(&run(&forever(timers)), "handles");

    let flood = |stream: &str| {
        forever(&format!(
            "(call $io/streams#!method!output-stream.blocking-write-and-flush
                (local.tee $i (select (local.get $i)
                    (call $cli/{stream}#get-{stream}) (local.get $i)))
                (i32.const 0) (i32.const 4096) (i32.const 64))"
        ))
    };
    let flooded = |stream| {
        let component = command(&flood(stream));
        let mut small = work(&component, World::Command, b"");
        small.limits.output = 1 << 20;
        small.limits.log = 1 << 18;
        run_with(&component, small, b"")
    };
    assert_limit(&flooded("stdout"), "bytes of output");
    let said = flooded("stderr");
    assert_limit(&said, "bytes of log");
    assert_eq!(said.log.len(), 1 << 18);
}

#[test]
fn standard_input_is_the_main_input_and_ends() {
    let copy = "
        (local.set $i (call $cli/stdin#get-stdin))
        (local.set $j (call $cli/stdout#get-stdout))
        (loop $more
            (call $io/streams#!method!output-stream.splice
                (local.get $j) (local.get $i) (i64.const -1) (i32.const 64))
            (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
        ;; the error is `closed`
        (if (i32.ne (i32.load8_u (i32.const 72)) (i32.const 1)) (then (unreachable)))";
    let input: Vec<u8> = (0..2_500_000_u32).map(|number| number as u8).collect();
    let run = run_on(copy, &input);
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
    assert!(run.outputs[names::OUTPUT] == input);
    assert_eq!(run.transcript.count, 2 + 4);
}

#[test]
fn sockets_are_denied() {
    let seen = numbers(&run(
        "(call $sockets/tcp-create-socket#create-tcp-socket (i32.const 0) (i32.const 64))
         (call $print64 (i64.load8_u (i32.const 64)))
         (call $print64 (i64.load8_u (i32.const 68)))
         (call $sockets/ip-name-lookup#resolve-addresses
            (call $sockets/instance-network#instance-network)
            (i32.const 0) (i32.const 4) (i32.const 64))
         (call $print64 (i64.load8_u (i32.const 64)))
         (call $print64 (i64.load8_u (i32.const 68)))",
    ));
    assert_eq!(seen, [1, 1, 1, 1]);
}

/// A program of preview 1, made as C compilers make them: it copies `/in/data` to `/out/copy` by the
/// calls that libc would use, and exits with the number of its arguments.
const PREVIEW_1: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
        (func $preopen (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "in/data")
    (data (i32.const 16) "out/copy")
    (func $check (param i32) (if (local.get 0) (then (unreachable))))
    (func (export "_start")
        ;; descriptor 3 is `/`
        (call $check (call $preopen (i32.const 3) (i32.const 32) (i32.const 1)))
        (if (i32.ne (i32.load8_u (i32.const 32)) (i32.const 47)) (then (unreachable)))
        (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 7)
            (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 40)))
        (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 8)
            (i32.const 9) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 44)))
        (i32.store (i32.const 48) (i32.const 1024))
        (i32.store (i32.const 52) (i32.const 1000))
        (loop $more
            (i32.store (i32.const 52) (i32.const 1000))
            (call $check (call $read (i32.load (i32.const 40)) (i32.const 48) (i32.const 1)
                (i32.const 56)))
            (i32.store (i32.const 52) (i32.load (i32.const 56)))
            (if (i32.load (i32.const 56)) (then
                (call $check (call $write (i32.load (i32.const 44)) (i32.const 48) (i32.const 1)
                    (i32.const 60)))
                (br $more))))
        (call $check (call $args (i32.const 64) (i32.const 68)))
        (call $exit (i32.load (i32.const 64)))))"#;

#[test]
fn preview_1_programs_run_adapted() {
    let component = adapt(&wat::parse_str(PREVIEW_1).unwrap()).unwrap();
    let data = vec![42; 12_345];
    let mut work = work(&component, World::Command, &data);
    work.inputs.insert("data".into(), Digest::of(&data));
    work.args = vec!["one".into(), "two".into()];
    let run = run_with(&component, work, &data);
    assert_eq!(run.error, Some(GuestError::Exit(3)), "{:?}", run.detail);
    assert_eq!(run.outputs["out/copy"], data);
}

/// A read of nothing is done, not interrupted: who is interrupted asks again for ever.
#[test]
fn preview_1_reads_of_no_bytes_succeed() {
    let reads = r#"(call $check (call $pread (i32.load (i32.const 40)) (i32.const 48) (i32.const 1)
            (i64.const 1) (i32.const 56)))
        (call $check (call $read (i32.load (i32.const 40)) (i32.const 48) (i32.const 1)
            (i32.const 56)))
        (call $exit (i32.load (i32.const 56)))"#;
    let import = r#"(import "wasi_snapshot_preview1" "fd_pread"
        (func $pread (param i32 i32 i32 i64 i32) (result i32)))"#;
    let module = PREVIEW_1
        .replacen("(import", &format!("{import} (import"), 1)
        .replacen(
            "(i32.store (i32.const 48)",
            &format!("{reads} (i32.store (i32.const 48)"),
            1,
        );
    let component = adapt(&wat::parse_str(module).unwrap()).unwrap();
    let mut work = work(&component, World::Command, b"data");
    work.inputs.insert("data".into(), Digest::of(b"data"));
    let run = run_with(&component, work, b"data");
    assert_eq!(
        (run.class, run.error),
        (Class::Ok, None),
        "{:?}",
        run.detail
    );
}

/// How a preview-1 command ends whose `_start` is this body.
fn ending(body: &str) -> (Class, Option<GuestError>) {
    let module = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $again (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") {body}))"#
    );
    let component = adapt(&wat::parse_str(module).unwrap()).unwrap();
    let run = run_with(&component, work(&component, World::Command, b""), b"");
    (run.class, run.error)
}

#[test]
fn preview_1_exit_codes_are_kept_as_an_operating_system_does() {
    let exited = |code| (Class::Err, Some(GuestError::Exit(code)));
    assert_eq!(
        ending("(call $exit (i32.const 7)) (unreachable)"),
        exited(7)
    );
    assert_eq!(ending("(call $again (i32.const 255))"), exited(255));
    assert_eq!(ending("(call $exit (i32.const 300))"), exited(44));
    assert_eq!(ending("(call $exit (i32.const -1))"), exited(255));
    assert_eq!(
        ending("(drop (call $yield)) (call $exit (i32.const 0)) (unreachable)"),
        (Class::Ok, None)
    );
    assert_eq!(ending("(call $exit (i32.const 256))"), (Class::Ok, None));
    assert_eq!(ending(""), (Class::Ok, None));
    assert_eq!(ending("(unreachable)").0, Class::Panic);
}

/// A reference to `proc_exit` is as good as its name, wherever it is taken and under each profile.
#[test]
fn preview_1_exit_may_be_called_through_a_reference() {
    let call = "(call_indirect (param i32) (i32.const 3) (i32.const 1))";
    let cases = [
        ("(elem (i32.const 1) $exit)", ""),
        ("(elem (i32.const 1) funcref (ref.func $exit))", ""),
        (
            "(elem declare func $exit)",
            "(table.set (i32.const 1) (ref.func $exit))",
        ),
        (
            "(global $way funcref (ref.func $exit))",
            "(table.set (i32.const 1) (global.get $way))",
        ),
        (
            r#"(elem $way func $exit) (export "way" (func $exit))"#,
            "(table.init $way (i32.const 1) (i32.const 0) (i32.const 1))
             (if (i32.eqz (memory.size)) (then (call $exit (i32.const 4))))",
        ),
    ];
    for (place, take) in cases {
        let module = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (table 2 funcref)
                {place}
                (func (export "_start") {take} {call}))"#
        );
        let component = adapt(&wat::parse_str(module).unwrap()).unwrap();
        for rules in Rules::ALL {
            let sandbox = Sandbox::without_pool(&rules.profile(), Backend::Cranelift).unwrap();
            let mut work = work(&component, World::Command, b"");
            work.profile = rules.profile();
            let run = fixture::run(&sandbox, &component, work, &[b""]).unwrap();
            assert_eq!(
                run.error,
                Some(GuestError::Exit(3)),
                "{place} {:?}",
                run.detail
            );
        }
    }
}

#[test]
fn preview_1_command_that_only_exits_needs_no_more_than_that() {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 7))))"#;
    let component = adapt(&wat::parse_str(module).unwrap()).unwrap();
    let run = run_with(&component, work(&component, World::Command, b""), b"");
    assert_eq!(run.error, Some(GuestError::Exit(7)));
}

/// The component of a Rust program, or `None` where this machine cannot build one.
fn rust_program(name: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program.wasm");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition", "2024", "--target", "wasm32-wasip2", "-O", "-o"])
        .arg(&file)
        .arg(fixtures().join(name))
        .output();
    let Ok(built) = built else {
        eprintln!("SKIPPED: there is no rustc here to build {name} with");
        return None;
    };
    let said = String::from_utf8_lossy(&built.stderr);
    if said.contains("E0463") {
        eprintln!("SKIPPED: the target wasm32-wasip2 is not installed, so {name} was not built");
        return None;
    }
    assert!(built.status.success(), "{said}");
    Some(std::fs::read(file).unwrap())
}

#[test]
fn an_ordinary_program_runs_the_same_everywhere() {
    let Some(component) = rust_program("wasi_std.rs") else {
        return;
    };
    let (stdin, csv, more) = (b"typed\n", b"a,b\n1,2\n", b"below");
    let mut unit = work(&component, World::Command, stdin);
    for (name, bytes) in [("data.csv", &csv[..]), ("more/data", more)] {
        unit.inputs.insert(name.into(), Digest::of(bytes));
    }
    unit.args = vec!["-v".into(), "two words".into()];
    unit.env = BTreeMap::from([("HOME".into(), "/tmp".into())]);
    let mut inputs = Inputs::default();
    for bytes in [&stdin[..], csv, more] {
        inputs.insert(bytes);
    }
    let unit = Arc::new(unit);
    let on = |sandbox: Sandbox| {
        let program = sandbox.compile(&component).unwrap();
        let first = sandbox.run(&program, &unit, &inputs, None).unwrap();
        let second = sandbox.run(&program, &unit, &inputs, None).unwrap();
        assert_eq!(first.transcript.root, second.transcript.root);
        assert_eq!(first.fuel, second.fuel);
        second
    };
    let profile = Rules::DEFAULT.profile();
    let run = on(Sandbox::without_pool(&profile, Backend::Cranelift).unwrap());
    let printed =
        String::from_utf8_lossy(&run.outputs.get(names::OUTPUT).cloned().unwrap_or_default())
            .into_owned();
    let log = String::from_utf8_lossy(&run.log).into_owned();
    // It exits with 7, which the C library of WASI 0.2.0 turns into 1.
    assert!(
        matches!(run.error, Some(GuestError::Exit(1 | 7))),
        "{printed}\n{log}\n{:?}",
        run.detail
    );
    for line in [
        r#"args ["program", "-v", "two words"]"#,
        r#"env [("HOME", "/tmp")]"#,
        r#"stdin "typed\n""#,
        "wall 1700000000",
        r#"listing [("Z", false), ("a", false), ("b", false), ("c", false), ("er", true), ("é", false)]"#,
        "modified 1700000000s",
        r#"input "a,b\n1,2\n""#,
        r#"nested "below""#,
        r#"tail "2\n""#,
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line}\n{printed}"
        );
    }
    assert_eq!(log, "said on standard error\n");
    assert_eq!(run.outputs["out/moved"].len(), 3_000_000);
    assert_eq!(run.outputs["out/deep/é"], "é".as_bytes());

    let pooled = on(Sandbox::new(&profile, Backend::Cranelift).unwrap());
    let interpreted = on(Sandbox::without_pool(&profile, Backend::Pulley).unwrap());
    for other in [pooled, interpreted] {
        assert_eq!(other.outputs, run.outputs);
        assert_eq!(other.transcript.root, run.transcript.root);
        assert_eq!(other.fuel, run.fuel);
    }
}
