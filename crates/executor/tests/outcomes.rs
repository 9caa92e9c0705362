//! Each way in which a guest can end, and what is said of it.

mod fixture;

use std::sync::Arc;

use fixture::{
    component, component_of, echo, job, job_module, job_with_imports, run, run_job, sandbox, work,
};
use opensky_executor::{
    Backend, Inputs, PROFILE_0, PROFILE_1, Rules, Run, RunError, Sandbox, Within,
};
use opensky_protocol::{Abort, Class, GuestError, Limits, Work, World, names};

fn class_of(body: &str) -> Class {
    run_job(&job(body), b"input")
        .expect("the guest has a result")
        .class
}

#[test]
fn output_is_what_the_job_returns() {
    let run = run_job(&echo(), b"hello").unwrap();
    assert_eq!(run.class, Class::Ok);
    assert_eq!(run.outputs[names::OUTPUT], b"hello");
    assert!(
        run.fuel > 0 && run.memory == 4 << 16,
        "{} {}",
        run.fuel,
        run.memory
    );
}

#[test]
fn guest_error_is_a_result_of_its_own() {
    let component = job("(call $failed (local.get $ptr) (local.get $len))");
    let run = run_job(&component, b"because").unwrap();
    assert_eq!(run.class, Class::Err);
    assert_eq!(run.error, Some(GuestError::Failed("because".into())));
    assert_eq!(run.outputs.keys().collect::<Vec<_>>(), [names::ERROR]);
}

#[test]
fn guest_error_costs_what_an_answer_costs() {
    let fuel = |len: u32| {
        let body = format!("(call $failed (i32.const 100000) (i32.const {len}))");
        let run = run_job(&job(&body), b"").unwrap();
        assert_eq!(run.class, Class::Err);
        run.fuel
    };
    // Where an error is kept, its length takes 1 byte, from 64 on 2.
    assert_eq!(fuel(1_000) - fuel(0), Rules::DEFAULT.byte * 1_001);
}

#[test]
fn traps_are_told_apart_only_as_far_as_they_can_be_compared() {
    assert_eq!(class_of("(unreachable)"), Class::Panic);
    assert_eq!(class_of("(i32.load (i32.const -1))"), Class::Trap);
    assert_eq!(
        class_of("(i32.div_u (i32.const 1) (i32.const 0))"),
        Class::Trap
    );
    // A result outside of memory breaks the canonical ABI: the guest's fault, not the host's.
    assert_eq!(
        class_of("(call $ok (i32.const -16) (i32.const 15))"),
        Class::Trap
    );
    assert_eq!(
        class_of("(call $ok (i32.const 0) (i32.const -1))"),
        Class::Trap
    );
}

fn ended(within: Within) -> Option<Run> {
    match within {
        Within::Ended(run) => Some(run),
        Within::Stopped(_) => None,
    }
}

/// A claim of fuel is followed to its last unit, and no further.
#[test]
fn unit_ends_within_the_fuel_that_it_uses_and_not_within_less() {
    let bodies = [
        "(call $ok (local.get $ptr) (local.get $len))",
        "(call $failed (local.get $ptr) (local.get $len))",
        "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 99))))
        (call $ok (local.get $ptr) (local.get $len))",
        "(memory.fill (i32.const 9000) (i32.const 1) (i32.const 70000))
        (call $ok (i32.const 9000) (i32.const 70000))",
    ];
    for body in bodies {
        let component = job(body);
        let sandbox = sandbox();
        let program = sandbox.compile(&component).unwrap();
        let mut inputs = Inputs::default();
        inputs.insert(*b"input");
        let work = Arc::new(work(&component, World::Job, b"input"));
        let within = |fuel| {
            let run = sandbox.run_within(&program, &work, &inputs, None, fuel);
            ended(run.unwrap()).map(|run| (run.class, run.fuel, run.outputs))
        };
        let whole = sandbox.run(&program, &work, &inputs, None).unwrap();
        let whole = Some((whole.class, whole.fuel, whole.outputs));
        let (_, used, _) = whole.as_ref().unwrap();
        assert_eq!(within(*used), whole);
        assert_eq!(within(u64::MAX), whole);
        for less in [0, 1, used / 2, used - 1] {
            assert_eq!(within(less), None, "{less} of {used}");
        }
    }
}

#[test]
fn unit_of_no_exact_fuel_ends_as_itself_or_not_at_all() {
    let component = job("(loop $l (br_if $l (i32.eqz (local.get $ptr))))
        (drop (i32.load (i32.const -1))) (unreachable)");
    let sandbox = sandbox();
    let program = sandbox.compile(&component).unwrap();
    let mut inputs = Inputs::default();
    inputs.insert(*b"input");
    let mut work = work(&component, World::Job, b"input");
    let within = |work: &Work, fuel| {
        let work = Arc::new(work.clone());
        let run = sandbox.run_within(&program, &work, &inputs, None, fuel);
        ended(run.unwrap()).map(|run| (run.class, run.fuel))
    };
    let limit = work.limits.fuel;
    assert_eq!(within(&work, 10_000_000), Some((Class::Trap, limit)));
    assert_eq!(within(&work, 1), None);
    work.limits.fuel = 2;
    assert_eq!(within(&work, 2), Some((Class::OutOfFuel, 2)));
    assert_eq!(within(&work, 0), None);
}

#[test]
fn endless_loop_ends_out_of_fuel() {
    let component = job("(loop $l (br $l)) (unreachable)");
    let mut endless = work(&component, World::Job, b"");
    endless.limits.fuel = 1_000_000;
    let run = run(&sandbox(), &component, endless, &[b""]).unwrap();
    assert_eq!((run.class, run.fuel), (Class::OutOfFuel, 1_000_000));
    assert!(run.outputs.is_empty());
}

/// A unit of `component` under these rules, with this limit of fuel.
fn under(rules: &Rules, component: &[u8], fuel: u64) -> Result<Run, RunError> {
    let sandbox =
        Sandbox::without_pool(&rules.profile(), Backend::Cranelift).expect("the engine starts");
    let mut unit = work(component, World::Job, b"input");
    unit.profile = rules.profile();
    unit.limits.fuel = fuel;
    run(&sandbox, component, unit, &[b"input"])
}

#[test]
fn endless_recursion_is_nobodys_result_in_profile_0_and_a_limit_in_profile_1() {
    let component = job("(call $run (local.get $ptr) (local.get $len))");
    let error = under(&PROFILE_0, &component, u64::MAX).unwrap_err();
    assert!(matches!(error, RunError::Abort(Abort::Stack)), "{error}");
    let run = under(&PROFILE_1, &component, u64::MAX).unwrap();
    assert_eq!((run.class, run.fuel), (Class::Limit, u64::MAX));
    assert!(run.detail.unwrap().contains("depth of calls"));
}

#[test]
fn fuel_of_a_panic_is_exact_from_profile_1_on() {
    let component = job("(unreachable)");
    let fuel = |rules, limit| {
        let run = under(rules, &component, limit).unwrap();
        (run.class, run.fuel)
    };
    assert_eq!(fuel(&PROFILE_0, 1 << 40), (Class::Panic, 1 << 40));
    let (class, used) = fuel(&PROFILE_1, 1 << 40);
    assert_eq!(class, Class::Panic);
    assert_eq!(fuel(&PROFILE_1, used), (Class::Panic, used));
    assert_eq!(fuel(&PROFILE_1, used - 1), (Class::OutOfFuel, used - 1));
}

/// Where the host makes room for a list, the guest cannot tell it anything.
#[test]
fn panic_while_the_host_passes_the_input_costs_the_limit() {
    let module = job_module("", "(i32.const 0)");
    let alloc = r#"(func $alloc (export "cabi_realloc")"#;
    assert!(module.contains(alloc));
    let broken = module.replacen(
        alloc,
        r#"(func (export "cabi_realloc")
        (param i32 i32 i32 i32) (result i32) (unreachable))
        (func $alloc"#,
        1,
    );
    let component = component("job-world", &broken);
    for rules in Rules::ALL {
        let run = under(rules, &component, 1 << 40).unwrap();
        assert_eq!(
            (run.class, run.fuel),
            (Class::Panic, 1 << 40),
            "{}",
            rules.id
        );
        let run = under(rules, &component, 1).unwrap();
        assert_eq!((run.class, run.fuel), (Class::OutOfFuel, 1), "{}", rules.id);
    }
}

#[test]
fn answer_of_more_bytes_than_a_call_may_carry_is_a_trap() {
    let ending = |len: usize| {
        let component = job(&format!(
            "(drop (memory.grow (i32.const 4096)))
            (call $ok (i32.const 4096) (i32.const {len}))"
        ));
        let mut work = work(&component, World::Job, b"");
        work.limits.fuel = u64::MAX;
        let run = run(&sandbox(), &component, work, &[b""]).unwrap();
        (run.class, run.detail)
    };
    let most = Rules::DEFAULT.call_bytes;
    assert_eq!(ending(most), (Class::Ok, None));
    let (class, detail) = ending(most + 1);
    assert_eq!(class, Class::Trap);
    assert!(detail.unwrap().contains("too much data"));
}

#[test]
fn fuel_limit_is_exact() {
    let component = echo();
    let limited = |fuel| {
        let mut work = work(&component, World::Job, b"hello");
        work.limits.fuel = fuel;
        run(&sandbox(), &component, work, &[b"hello"]).unwrap()
    };
    let need = limited(1_000_000).fuel;
    assert_eq!(limited(need).class, Class::Ok);
    assert_eq!(limited(need - 1).class, Class::OutOfFuel);
}

#[test]
fn memory_beyond_the_limit_is_a_failed_grow_or_a_limit_at_the_start() {
    let grow = job("(i32.store (i32.const 128) (memory.grow (i32.const 16384)))
         (call $ok (i32.const 128) (i32.const 4))");
    let limited = |component: &[u8], memory| {
        let mut work = work(component, World::Job, b"");
        work.limits.memory = memory;
        work.limits.fuel = u64::MAX;
        run(&sandbox(), component, work, &[b""]).unwrap()
    };
    assert_eq!(
        limited(&grow, 1 << 30).outputs[names::OUTPUT],
        (-1i32).to_le_bytes()
    );
    assert_eq!(
        limited(&grow, 2 << 30).outputs[names::OUTPUT],
        4i32.to_le_bytes()
    );
    assert_eq!(limited(&echo(), 3 << 16).class, Class::Limit);
}

/// An echo whose module has this in place of its memory.
fn echo_with(memory: &str) -> Vec<u8> {
    let module = job_module("", "(call $ok (local.get $ptr) (local.get $len))");
    let whole = r#"(memory (export "memory") 4)"#;
    assert!(module.contains(whole));
    component("job-world", &module.replacen(whole, memory, 1))
}

/// From nothing, too: it is not what the instance begins with.
#[test]
fn growth_that_fails_in_a_start_function_is_seen_by_the_guest() {
    let component = echo_with(
        r#"(memory (export "memory") 0)
        (table $table 0 funcref)
        (func $fails (param i32) (if (i32.ne (local.get 0) (i32.const -1)) (then (unreachable))))
        (func $start
            (call $fails (table.grow $table (ref.null func) (i32.const 1048577)))
            (call $fails (memory.grow (i32.const 5)))
            (drop (memory.grow (i32.const 4))))
        (start $start)"#,
    );
    let mut work = work(&component, World::Job, b"hello");
    work.limits.memory = 4 << 16;
    let run = run(&sandbox(), &component, work, &[b"hello"]).unwrap();
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
}

#[test]
fn start_that_ends_after_a_failed_growth_ends_as_itself() {
    let ends = [
        ("(unreachable)", Class::Panic),
        ("(i32.load (i32.const -1)) (drop)", Class::Trap),
    ];
    for (end, class) in ends {
        let component = echo_with(&format!(
            r#"(memory (export "memory") 0)
            (func $start (drop (memory.grow (i32.const 65536))) {end})
            (start $start)"#
        ));
        let run = run_job(&component, b"").unwrap();
        assert_eq!(run.class, class, "{:?}", run.detail);
    }
}

#[test]
fn instance_that_begins_with_too_much_is_a_limit() {
    let pooled =
        || Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift).expect("the engine starts");
    let cases = [
        (r#"(memory (export "memory") 17000)"#, "memory"),
        (
            r#"(memory (export "memory") 4) (table 1048577 funcref)"#,
            "table elements",
        ),
    ];
    for (text, what) in cases {
        let component = echo_with(text);
        // The pool has no room for such a table, and says so when it compiles.
        let sandboxes = [Some(sandbox()), (what == "memory").then(pooled)];
        for sandbox in sandboxes.into_iter().flatten() {
            let work = work(&component, World::Job, b"");
            let run = run(&sandbox, &component, work, &[b""]).unwrap();
            assert_eq!(run.class, Class::Limit, "{:?}", run.detail);
            let detail = run.detail.unwrap();
            assert!(detail.contains(what), "{detail}");
        }
    }
}

#[test]
fn output_beyond_the_limit_is_a_limit() {
    let component = echo();
    let limited = |output| {
        let mut work = work(&component, World::Job, b"12345");
        work.limits = Limits {
            output,
            ..work.limits
        };
        run(&sandbox(), &component, work, &[b"12345"])
            .unwrap()
            .class
    };
    assert_eq!(limited(5), Class::Ok);
    assert_eq!(limited(4), Class::Limit);
}

#[test]
fn missing_input_and_missing_export_are_errors_of_the_host() {
    let component = echo();
    let error = run(
        &sandbox(),
        &component,
        work(&component, World::Job, b"x"),
        &[],
    )
    .unwrap_err();
    assert!(
        matches!(error, RunError::Abort(Abort::MissingInput(_))),
        "{error}"
    );
    let other = work(&component, World::Command, b"");
    let error = run(&sandbox(), &component, other, &[b""]).unwrap_err();
    assert!(matches!(error, RunError::World(_)), "{error}");
}

#[test]
fn unknown_profile_is_refused() {
    let profile = opensky_protocol::Profile::new("9");
    assert!(Sandbox::new(&profile, opensky_executor::Backend::Cranelift).is_err());
}

/// A job that leaves by WASI's `exit`.
fn exits(status: &str) -> Vec<u8> {
    let wit = r#"package test:exit;
        world program {
            import wasi:cli/exit@0.2.12;
            include opensky:compute/job-world@0.1.0;
        }
        package wasi:cli@0.2.12 { interface exit { exit: func(status: result); } }"#;
    let import = r#"(import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))"#;
    let body = format!("(call $exit (i32.const {status})) (unreachable)");
    component_of(wit, "program", &job_module(import, &body))
}

#[test]
fn a_job_that_exits_as_though_it_had_succeeded_has_no_output_and_is_not_ok() {
    let run = run_job(&exits("0"), b"").unwrap();
    assert_eq!(run.class, Class::Trap, "{:?}", run.outputs);
    assert!(run.detail.unwrap().contains("exit"));
    let run = run_job(&exits("1"), b"").unwrap();
    assert_eq!(run.error, Some(GuestError::Exit(1)));
}

#[test]
fn an_error_is_an_output_and_counts_as_one() {
    let component = job("(call $failed (local.get $ptr) (local.get $len))");
    let limited = |output| {
        let mut work = work(&component, World::Job, b"12345");
        work.limits.output = output;
        run(&sandbox(), &component, work, &[b"12345"]).unwrap()
    };
    let whole = limited(100);
    let len = whole.outputs[names::ERROR].len() as u64;
    assert_eq!((whole.class, limited(len).class), (Class::Err, Class::Err));
    assert_eq!(limited(len - 1).class, Class::Limit);
}

const BLOBS: &str = r#"
    (import "opensky:compute/blobs@0.1.0" "put" (func $put (param i32 i32 i32)))
    (import "opensky:compute/blobs@0.1.0" "[constructor]writer" (func $writer (result i32)))
    (import "opensky:compute/blobs@0.1.0" "[method]writer.write"
        (func $write (param i32 i32 i32)))
    (import "opensky:compute/blobs@0.1.0" "[resource-drop]writer" (func $drop (param i32)))"#;

#[test]
fn blobs_are_limited_in_number_too() {
    let put = |count: u32| {
        let body = format!(
            "(loop $more
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (i32.store (i32.const 128) (local.get $i))
                (call $put (i32.const 128) (i32.const 4) (i32.const 256))
                (br_if $more (i32.lt_u (local.get $i) (i32.const {count}))))
             (call $ok (i32.const 0) (i32.const 0))"
        );
        run_job(&job_with_imports(BLOBS, &body), b"").unwrap()
    };
    let all = put(65_536);
    assert_eq!((all.class, all.outputs.len()), (Class::Ok, 65_537));
    assert_eq!(put(65_537).class, Class::Limit);
}

#[test]
fn a_writer_that_is_dropped_gives_its_bytes_back() {
    let body = "(loop $more
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (i32.store (i32.const 128) (call $writer))
            (call $write (i32.load (i32.const 128)) (i32.const 0) (i32.const 1000))
            (call $drop (i32.load (i32.const 128)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 10))))
         (call $ok (i32.const 0) (i32.const 5))";
    let component = job_with_imports(BLOBS, body);
    let mut work = work(&component, World::Job, b"");
    work.limits.output = 1_000;
    let run = run(&sandbox(), &component, work, &[b""]).unwrap();
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
}

/// The pool bounds what all core instances of a component are made of together.
#[test]
fn many_instances_of_many_globals_run_from_the_pool() {
    let component = wat::parse_str(format!(
        r#"(component
            (core module $globals {})
            {}
            (core module $m (func (export "run") (result i32) (i32.const 0)))
            (core instance $m (instantiate $m))
            (func $run (result (result)) (canon lift (core func $m "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.12" (instance $run)))"#,
        "(global i32 (i32.const 0))".repeat(20_000),
        "(core instance (instantiate $globals))".repeat(60),
    ))
    .expect("the text is WebAssembly");
    opensky_executor::admit(&component).expect("it is within the limits");
    let pooled =
        Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift).expect("the engine starts");
    let mut work = work(&component, World::Command, b"");
    work.limits.fuel = u64::MAX;
    let run = run(&pooled, &component, work, &[b""]).expect("every machine has a result");
    assert_eq!(run.class, Class::Ok, "{:?}", run.detail);
}

/// Tables are the one thing of which a module may have as many as a whole component.
#[test]
fn what_is_admitted_runs_from_the_pool_and_without() {
    let tables = "(table 1 funcref)".repeat(opensky_executor::inspect::MAX_TABLES as usize);
    let module = job_module("", "(call $ok (local.get $ptr) (local.get $len))");
    let component = fixture::component(
        "job-world",
        &module.replacen("(memory", &format!("{tables} (memory"), 1),
    );
    opensky_executor::admit(&component).expect("it is within the limits");
    let pooled =
        Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift).expect("the engine starts");
    for sandbox in [pooled, sandbox()] {
        let work = work(&component, World::Job, b"hello");
        let run = run(&sandbox, &component, work, &[b"hello"]).unwrap();
        assert_eq!(run.class, Class::Ok);
    }
}
