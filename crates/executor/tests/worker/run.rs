//! Units in worker processes: the same results as in process, and nothing lost when a worker is.

use std::{
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use opensky_executor::{
    Artifact, Backend, Cache, Export, Inputs, Rules, Run, RunError, Sandbox,
    worker::{Compiler, Launcher, Pool, PoolOptions, SandboxReport, Stops, Watchdog},
};
use opensky_protocol::{Abort, Class, Digest, Limits, NodeKey, Work, World, names};
use tempfile::TempDir;

use crate::{
    fixture::{echo, job, sandbox, work},
    launcher, tests,
};

tests! {
    result_is_that_of_the_same_work_in_process,
    backend_other_than_the_spares_is_served,
    large_inputs_and_outputs_cross,
    units_that_cannot_run_are_refused_as_in_process,
    killed_worker_aborts_its_unit_only,
    endless_loop_meets_the_watchdog_and_the_rest_runs,
    stopped_unit_ends_at_once_and_the_rest_runs,
    guest_memory_beyond_the_host_is_an_abort,
    worker_is_kept_for_its_requester_and_for_nobody_else,
    more_callers_than_workers_wait_and_are_served,
    idle_worker_is_ended,
    nothing_is_left_of_two_hundred_units,
    worker_starts_units_from_a_pool,
    worker_is_locked_in,
    workers_that_die_at_their_start_are_started_again,
    pool_without_a_program_says_so,
}

pub const ALICE: NodeKey = NodeKey([1; 32]);
pub const BOB: NodeKey = NodeKey([2; 32]);

/// Ends only when its fuel does.
const LOOP: &str = "(loop $again (br $again)) (unreachable)";

pub fn artifact(component: &[u8]) -> Artifact {
    artifact_for(&sandbox(), component)
}

fn artifact_for(sandbox: &Sandbox, component: &[u8]) -> Artifact {
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), Cache::DEFAULT_LIMIT);
    Compiler::new(cache, launcher("worker"))
        .artifact(sandbox, component)
        .unwrap()
}

pub fn options() -> PoolOptions {
    PoolOptions {
        spares: 1,
        most: 2,
        ..PoolOptions::default()
    }
}

pub fn pool() -> Pool {
    Pool::new(launcher("worker"), options())
}

pub fn inputs(blobs: &[&[u8]]) -> Inputs {
    let mut inputs = Inputs::default();
    for blob in blobs {
        inputs.insert(*blob);
    }
    inputs
}

pub fn run_one(pool: &Pool, component: &[u8], work: Work, input: &[u8]) -> Result<Run, RunError> {
    let works = [Arc::new(work)];
    let mut results = pool.run(&artifact(component), &ALICE, &works, &inputs(&[input]));
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn abort(result: Result<Run, RunError>) -> Abort {
    match result {
        Err(RunError::Abort(abort)) => abort,
        Err(error) => panic!("{error}"),
        Ok(run) => panic!("a result: {:?}", run.class),
    }
}

/// What a run is, without how it came about.
fn essence(run: &Run) -> impl PartialEq + std::fmt::Debug + use<> {
    let run = run.clone();
    (
        run.class,
        run.fuel,
        run.outputs,
        run.transcript,
        run.states,
        run.error,
        run.log,
        run.memory,
    )
}

fn check_same(component: &[u8], works: &[Arc<Work>], blobs: &[&[u8]]) {
    let sandbox = sandbox();
    let program = sandbox.compile(component).unwrap();
    let inputs = inputs(blobs);
    let results = pool().run(&artifact(component), &ALICE, works, &inputs);
    assert_eq!(results.len(), works.len());
    for (work, result) in works.iter().zip(results) {
        match (sandbox.run(&program, work, &inputs, None), result) {
            (Ok(here), Ok(there)) => {
                assert_eq!(essence(&here), essence(&there));
                assert_eq!(here.detail.is_some(), there.detail.is_some());
            }
            (here, there) => {
                let (here, there) = (here.map(|_| "a result"), there.map(|_| "a result"));
                assert_eq!(format!("{here:?}"), format!("{there:?}"));
            }
        }
    }
}

fn result_is_that_of_the_same_work_in_process() {
    let bodies = [
        "(call $ok (local.get $ptr) (local.get $len))",
        "(call $failed (local.get $ptr) (local.get $len))",
        "(unreachable)",
        "(i32.div_u (local.get $ptr) (i32.const 0))",
        "(call $ok (i32.const -16) (i32.const 15))",
        "(drop (memory.grow (i32.const 1000))) (call $ok (i32.const 0) (i32.const 70000))",
        LOOP,
    ];
    for body in bodies {
        let component = job(body);
        let mut tight = work(&component, World::Job, b"two");
        tight.limits = Limits {
            fuel: 100,
            output: 2,
            ..tight.limits
        };
        let mut small = work(&component, World::Job, b"three");
        small.limits.memory = 1 << 16;
        let works = [work(&component, World::Job, b"one"), tight, small];
        check_same(
            &component,
            &works.map(Arc::new),
            &[b"one", b"two", b"three"],
        );
    }
}

fn backend_other_than_the_spares_is_served() {
    let pulley = Sandbox::without_pool(&Rules::DEFAULT.profile(), Backend::Pulley).unwrap();
    let component = echo();
    let works = [Arc::new(work(&component, World::Job, b"hello"))];
    let program = artifact_for(&pulley, &component);
    let mut results = pool().run(&program, &ALICE, &works, &inputs(&[b"hello"]));
    assert_eq!(results.remove(0).unwrap().outputs[names::OUTPUT], b"hello");
}

fn large_inputs_and_outputs_cross() {
    let large = vec![7; 40 << 20];
    let component = echo();
    let works = [
        work(&component, World::Job, &large),
        work(&component, World::Job, b"small"),
    ];
    let works = works.map(Arc::new);
    let results = pool().run(
        &artifact(&component),
        &ALICE,
        &works,
        &inputs(&[&large, b"small"]),
    );
    let outputs: Vec<_> = results
        .into_iter()
        .map(|run| run.unwrap().outputs)
        .collect();
    assert!(outputs[0][names::OUTPUT] == large);
    assert_eq!(outputs[1][names::OUTPUT], b"small");
}

fn units_that_cannot_run_are_refused_as_in_process() {
    let component = echo();
    let good = work(&component, World::Job, b"here");
    let missing = work(&component, World::Job, b"not here");
    let mut impossible = good.clone();
    impossible.shard.index = 9;
    let mut foreign = good.clone();
    foreign.profile = opensky_protocol::Profile::new("9");
    let entry = work(&component, World::Finish, b"here");
    let works = [missing, good.clone(), impossible, foreign, entry, good];
    check_same(&component, &works.map(Arc::new), &[b"here"]);

    let mut other = work(&component, World::Job, b"here");
    other.program = Digest::of(b"another");
    assert!(matches!(
        abort(run_one(&pool(), &component, other, b"here")),
        Abort::Internal(_)
    ));
    let entry = work(&component, World::Stepper { steps: 1 }, b"here");
    let error = run_one(&pool(), &component, entry, b"here").unwrap_err();
    assert!(matches!(error, RunError::World(Export::Stepper)));
}

/// The processes whose parent this one is, by state and id.
pub fn children() -> Vec<(char, u32)> {
    let own = std::process::id().to_string();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let (id, rest) = stat.split_once(' ').unwrap();
        let rest = &rest[rest.rfind(')').unwrap() + 2..];
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next().unwrap(), fields.next().unwrap());
        if parent == own {
            children.push((state.chars().next().unwrap(), id.parse().unwrap()));
        }
    }
    children
}

/// Tests of one process share its children, so those that look at them run in one of their own.
pub fn alone(test: &str) -> bool {
    if std::env::var("OPENSKY_TEST_ALONE").is_ok_and(|name| name == test) {
        return true;
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("OPENSKY_TEST_ALONE", test)
        .status()
        .unwrap();
    assert!(status.success(), "{test} in a process of its own: {status}");
    false
}

fn stopped_unit_ends_at_once_and_the_rest_runs() {
    let component = echo_or_loop();
    let program = artifact(&component);
    let pool = Pool::new(launcher("worker"), options());
    let texts = [&b"short"[..], b"it is too long", b"too", b"never"];
    let unit = |text: &&[u8]| {
        let mut work = work(&component, World::Job, text);
        // The watchdog would wait for the whole test and longer.
        work.limits.fuel = u64::MAX / 4;
        Arc::new(work)
    };
    let works: Vec<_> = texts.iter().map(unit).collect();
    let mut inputs = Inputs::default();
    for text in texts {
        inputs.insert(text);
    }
    let stops = Stops::default();
    stops.stop(3);
    let later = stops.clone();
    let stopper = thread::spawn(move || {
        // Whenever it comes: before the loop begins, or in the middle of it.
        thread::sleep(Duration::from_millis(300));
        later.stop(1);
    });
    let results = pool.run_until_stopped(&program, &ALICE, &works, &inputs, &stops);
    stopper.join().unwrap();
    let output = |index: usize| results[index].as_ref().unwrap().outputs[names::OUTPUT].clone();
    assert_eq!((output(0), output(2)), (b"short".to_vec(), b"too".to_vec()));
    for index in [1, 3] {
        let died = matches!(&results[index], Err(RunError::Abort(Abort::WorkerDied(_))));
        assert!(died, "{index}: {:?}", results[index]);
    }
}

/// Echoes short inputs, and loops on long ones.
fn echo_or_loop() -> Vec<u8> {
    job(
        "(loop $again (br_if $again (i32.gt_u (local.get $len) (i32.const 8))))
        (call $ok (local.get $ptr) (local.get $len))",
    )
}

const LONG: &[u8] = b"a long input";

fn mixed(component: &[u8]) -> Vec<Arc<Work>> {
    let mut long = work(component, World::Job, LONG);
    long.limits.fuel = u64::MAX / 4;
    let short = work(component, World::Job, b"short");
    [short.clone(), long, short.clone(), short]
        .map(Arc::new)
        .to_vec()
}

fn check_mixed(results: Vec<Result<Run, RunError>>, expected: &Abort) {
    for (index, result) in results.into_iter().enumerate() {
        if index == 1 {
            let abort = abort(result);
            let same = std::mem::discriminant(&abort) == std::mem::discriminant(expected);
            assert!(same, "{abort}");
        } else {
            assert_eq!(result.unwrap().outputs[names::OUTPUT], b"short");
        }
    }
}

fn killed_worker_aborts_its_unit_only() {
    if !alone("killed_worker_aborts_its_unit_only") {
        return;
    }
    let component = echo_or_loop();
    let program = artifact(&component);
    let pool = Pool::new(
        launcher("worker"),
        PoolOptions {
            spares: 1,
            most: 1,
            ..options()
        },
    );
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            pool.run(
                &program,
                &ALICE,
                &mixed(&component),
                &inputs(&[LONG, b"short"]),
            )
        });
        kill(wait_for_busy());
        let results = running.join().unwrap();
        check_mixed(results, &Abort::WorkerDied(String::new()));
    });
}

/// The worker whose guest burns processor time.
pub fn wait_for_busy() -> u32 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline, "no worker runs");
        thread::sleep(Duration::from_millis(300));
        let mut children = children().into_iter().map(|(_, id)| id);
        if let Some(busy) = children.find(|id| is_busy(*id)) {
            return busy;
        }
    }
}

pub fn kill(child: u32) {
    // SAFETY: a signal to a child of this process, or to one that is gone.
    unsafe { libc::kill(child as i32, libc::SIGKILL) };
}

pub fn is_busy(id: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let states = threads.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    states.filter(|stat| stat.contains("(guest) R")).count() > 0
}

fn endless_loop_meets_the_watchdog_and_the_rest_runs() {
    let watchdog = Watchdog {
        ceiling: Duration::from_millis(700),
        ..Watchdog::default()
    };
    let pool = Pool::new(
        launcher("worker"),
        PoolOptions {
            watchdog,
            ..options()
        },
    );
    let component = echo_or_loop();
    let start = Instant::now();
    let results = pool.run(
        &artifact(&component),
        &ALICE,
        &mixed(&component),
        &inputs(&[LONG, b"short"]),
    );
    check_mixed(results, &Abort::Watchdog);
    assert!(start.elapsed() > Duration::from_millis(700));
}

fn guest_memory_beyond_the_host_is_an_abort() {
    // Workers without a pool, and with one: what they may use, and pages that are too many for it.
    for (memory, pages) in [(256 << 20, 8_192), (2 << 30, 28_000)] {
        let last = (pages << 16) - 8;
        let component = job(&format!(
            "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1))
              (then (unreachable)))
            (i32.store (i32.const {last}) (i32.const 1))
            (call $ok (local.get $ptr) (local.get $len))"
        ));
        let mut unit = work(&component, World::Job, b"in");
        unit.limits.memory = 4 << 30;
        unit.limits.fuel = u64::MAX;
        let small = Pool::new(
            launcher("worker"),
            PoolOptions {
                memory,
                ..options()
            },
        );
        let result = abort(run_one(&small, &component, unit.clone(), b"in"));
        assert_eq!(result, Abort::HostMemory);
        assert_eq!(
            run_one(&pool(), &component, unit, b"in").unwrap().class,
            Class::Ok
        );
    }
}

fn worker_is_kept_for_its_requester_and_for_nobody_else() {
    if !alone("worker_is_kept_for_its_requester_and_for_nobody_else") {
        return;
    }
    let component = echo();
    let program = artifact(&component);
    let pool = Pool::new(
        launcher("worker"),
        PoolOptions {
            most: 8,
            ..options()
        },
    );
    let works = [Arc::new(work(&component, World::Job, b"hello"))];
    let run = |requester: &NodeKey, program: &Artifact| {
        let results = pool.run(program, requester, &works, &inputs(&[b"hello"]));
        assert!(results.into_iter().all(|result| result.is_ok()));
        settled()
    };
    assert_eq!(run(&ALICE, &program), 2, "a worker of Alice's and a spare");
    assert_eq!(run(&ALICE, &program), 2);
    assert_eq!(run(&BOB, &program), 3);
    assert_eq!(run(&ALICE, &program), 3);
    drop(pool);
    assert_eq!(children(), []);
}

/// How many workers there are once the pool has its spares.
fn settled() -> usize {
    let mut last = 0;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = children().len();
        if now == last {
            return now;
        }
        last = now;
    }
}

fn more_callers_than_workers_wait_and_are_served() {
    let component = echo();
    let program = artifact(&component);
    let pool = pool();
    thread::scope(|scope| {
        for caller in 0..12u8 {
            let (pool, program, component) = (&pool, &program, &component);
            scope.spawn(move || {
                let works = [Arc::new(work(component, World::Job, b"hello"))];
                let requester = NodeKey([caller; 32]);
                let mut results = pool.run(program, &requester, &works, &inputs(&[b"hello"]));
                assert_eq!(results.remove(0).unwrap().class, Class::Ok);
            });
        }
    });
}

fn idle_worker_is_ended() {
    if !alone("idle_worker_is_ended") {
        return;
    }
    let options = PoolOptions {
        idle: Duration::from_millis(200),
        ..options()
    };
    let pool = Pool::new(launcher("worker"), options);
    let component = echo();
    let unit = work(&component, World::Job, b"hello");
    run_one(&pool, &component, unit, b"hello").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while settled() != 1 {
        assert!(
            Instant::now() < deadline,
            "more than the spare: {:?}",
            children()
        );
    }
}

fn nothing_is_left_of_two_hundred_units() {
    if !alone("nothing_is_left_of_two_hundred_units") {
        return;
    }
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let component = job(
        "(if (i32.eq (local.get $len) (i32.const 3)) (then (unreachable)))
        (call $ok (local.get $ptr) (local.get $len))",
    );
    let program = artifact(&component);
    let before = descriptors();
    let pool = pool();
    let inputs = inputs(&[b"hello", b"bad"]);
    for round in 0..20u8 {
        let unit = |i| {
            work(
                &component,
                World::Job,
                if i == 5 { b"bad" } else { b"hello" },
            )
        };
        let works: Vec<_> = (0..10).map(|i| Arc::new(unit(i))).collect();
        let results = pool.run(&program, &NodeKey([round / 4; 32]), &works, &inputs);
        assert!(results.iter().all(Result::is_ok));
    }
    assert!(
        children().iter().all(|(state, _)| *state != 'Z'),
        "{:?}",
        children()
    );
    assert!(children().len() <= 2, "{:?}", children());
    drop(pool);
    assert_eq!(children(), []);
    assert_eq!(descriptors(), before);
}

/// A pool that does not come about is seen by nothing but its price.
fn worker_starts_units_from_a_pool() {
    if !alone("worker_starts_units_from_a_pool") {
        return;
    }
    let pool = pool();
    let component = echo();
    let unit = work(&component, World::Job, b"hello");
    run_one(&pool, &component, unit, b"hello").unwrap();
    let peak = |(_, id): (char, u32)| -> u64 {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let mut lines = status.lines();
        let peak = lines.find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // 4 GiB of address space for each memory that a component may have.
    let most = children().into_iter().map(peak).max().unwrap();
    assert!(most > 32 * (4 << 20), "{most} KiB");
}

fn worker_is_locked_in() {
    let report = SandboxReport::probe(&launcher("worker")).unwrap();
    assert!(report.no_new_privileges && report.no_capabilities && report.resource_limits);
    // Every kernel that this is developed on has it; an old one is allowed to lack Landlock.
    assert!(report.seccomp, "{report:?}");
}

fn workers_that_die_at_their_start_are_started_again() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let honest = launcher("worker");
    let script = format!(
        "mkdir {} 2>&- && exit 1; mkdir {} 2>&- && exit 1; exec {} worker $0",
        first.display(),
        second.display(),
        honest.program.display()
    );
    let launcher = Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    };
    let pool = Pool::new(launcher, options());
    let component = echo();
    let unit = work(&component, World::Job, b"hello");
    run_one(&pool, &component, unit, b"hello").unwrap();
    assert!(second.exists());
}

fn pool_without_a_program_says_so() {
    let mut launcher = launcher("worker");
    launcher.program = "/nowhere/opensky".into();
    let pool = Pool::new(launcher, options());
    let component = echo();
    let unit = work(&component, World::Job, b"hello");
    match abort(run_one(&pool, &component, unit, b"hello")) {
        Abort::Internal(text) => assert!(text.contains("/nowhere/opensky"), "{text}"),
        abort => panic!("{abort}"),
    }
}
