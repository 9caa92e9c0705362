//! Compilation in a process that can be killed, and the cache behind it.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use opensky_executor::{
    Backend, Cache, CompileError, Inputs, Rules, Sandbox,
    worker::{CompileLimits, Compiler},
};
use opensky_protocol::{Abort, Class, World, names};
use tempfile::TempDir;

use crate::{
    fixture::{echo, sandbox, work},
    launcher, programs, tests,
};

tests! {
    compiled_code_runs_and_is_found_again,
    pulley_code_is_compiled_and_kept_apart,
    compile_bomb_is_killed,
    compile_that_eats_memory_is_killed,
    invalid_component_is_no_program,
    launcher_that_does_not_exist_is_named,
}

fn compiler(folder: &Path) -> Compiler {
    Compiler::new(
        Cache::open(folder, Cache::DEFAULT_LIMIT),
        launcher("worker"),
    )
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "native"))
        .collect()
}

fn check_echo(compiler: &Compiler, sandbox: &Sandbox) {
    let component = echo();
    let program = compiler.compile(sandbox, &component).unwrap();
    let mut inputs = Inputs::default();
    inputs.insert(*b"hello");
    let work = Arc::new(work(&component, World::Job, b"hello"));
    let run = sandbox.run(&program, &work, &inputs, None).unwrap();
    assert_eq!(run.class, Class::Ok);
    assert_eq!(run.outputs[names::OUTPUT], b"hello");
}

fn compiled_code_runs_and_is_found_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a/compiled");
    check_echo(&compiler(&path), &sandbox());
    assert_eq!(entries(&path).len(), 1);
    // Found again: with a launcher that could not compile it.
    let cache = Cache::open(&path, Cache::DEFAULT_LIMIT);
    check_echo(&Compiler::new(cache, launcher("--list")), &sandbox());
    assert_eq!(entries(&path).len(), 1);
    // A sandbox with a pool runs the same code.
    let pooled = Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift).unwrap();
    check_echo(&compiler(&path), &pooled);
    assert_eq!(entries(&path).len(), 1);
}

fn pulley_code_is_compiled_and_kept_apart() {
    let folder = TempDir::new().unwrap();
    let pulley = Sandbox::without_pool(&Rules::DEFAULT.profile(), Backend::Pulley).unwrap();
    check_echo(&compiler(folder.path()), &pulley);
    check_echo(&compiler(folder.path()), &sandbox());
    check_echo(&compiler(folder.path()), &pulley);
    assert_eq!(entries(folder.path()).len(), 2);
}

fn check_bomb(limits: CompileLimits, component: &[u8], reason: &str) {
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), Cache::DEFAULT_LIMIT);
    let compiler = Compiler::with_limits(cache, launcher("worker"), limits);
    let start = Instant::now();
    match compiler.artifact(&sandbox(), component) {
        // Another machine, or this one later, may compile it.
        Err(CompileError::Abort(Abort::WorkerDied(text))) => {
            assert!(text.contains(reason), "{text}")
        }
        Err(abort) => panic!("{abort}"),
        Ok(_) => panic!("the bomb compiled in {:?}", start.elapsed()),
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(entries(folder.path()).len(), 0);
    check_echo(&compiler, &sandbox());
}

fn compile_bomb_is_killed() {
    let limits = CompileLimits {
        base: Duration::from_millis(800),
        per_mib: Duration::ZERO,
        ..CompileLimits::default()
    };
    check_bomb(limits, &programs::branches(400, 4_000), "longer than 800");
}

fn compile_that_eats_memory_is_killed() {
    let limits = CompileLimits {
        memory: 48 << 20,
        threads: NonZeroUsize::MIN,
        ..CompileLimits::default()
    };
    check_bomb(limits, &programs::branches(4_000, 40), "memory");
}

fn invalid_component_is_no_program() {
    let folder = TempDir::new().unwrap();
    let compiler = compiler(folder.path());
    for bytes in [&b""[..], b"not wasm", &echo()[..100]] {
        match compiler.artifact(&sandbox(), bytes) {
            Err(CompileError::Refused(_) | CompileError::Abort(Abort::Compile(_))) => {}
            compiled => panic!("{:?}", compiled.err()),
        }
    }
}

fn launcher_that_does_not_exist_is_named() {
    let folder = TempDir::new().unwrap();
    let mut launcher = launcher("worker");
    launcher.program = "/nowhere/opensky".into();
    let cache = Cache::open(folder.path(), Cache::DEFAULT_LIMIT);
    match Compiler::new(cache, launcher).artifact(&sandbox(), &echo()) {
        Err(CompileError::Abort(Abort::Internal(text))) => {
            assert!(text.contains("/nowhere/opensky"), "{text}")
        }
        compiled => panic!("{:?}", compiled.err()),
    }
}
