//! The ways to run a unit, and that they cannot be told apart.

use std::{collections::BTreeMap, sync::Arc};

use opensky_executor::{
    Backend, Cache, Counter, Inputs, PROFILE_1, Program, Rules, Run, RunError, Sandbox,
    on_guest_thread,
    worker::{Compiler, Pool, PoolOptions},
};
use opensky_protocol::{Class, Digest, NodeKey, Outputs, Statement, Work};

use crate::{
    corpus::{Guest, guests},
    golden, launcher,
};

/// How often a unit is run in one sandbox: leftovers of one run would show in a later one.
const RUNS: usize = 100;
/// Threads that run the same unit at the same time. More than there are processors.
const THREADS: usize = 8;

/// All of a run that is signed, and what else must not differ.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub compare_key: Digest,
    pub class: Class,
    pub fuel: u64,
    pub output: Digest,
    pub outputs: BTreeMap<String, Digest>,
    transcript: Digest,
    log: Vec<u8>,
    memory: u64,
}

impl Seen {
    pub fn of(work: &Work, run: Result<Run, RunError>) -> Self {
        let run = run.expect("the guest has a result");
        let outputs = Outputs::of(&run.outputs);
        let node = NodeKey([1; 32]);
        let (class, fuel) = (run.class, run.fuel);
        let said = Statement::new(node, work, class, fuel, &run.transcript, &outputs);
        let digests = outputs
            .0
            .iter()
            .map(|(name, output)| (name.clone(), output.digest));
        Self {
            compare_key: said.compare_key,
            class: run.class,
            fuel: run.fuel,
            output: outputs.digest(),
            outputs: digests.collect(),
            transcript: run.transcript.root,
            log: run.log,
            memory: run.memory,
        }
    }
}

pub fn pooled(rules: &Rules, backend: Backend) -> Sandbox {
    Sandbox::new(&rules.profile(), backend).expect("the engine starts")
}

fn without_pool(rules: &Rules) -> Sandbox {
    Sandbox::without_pool(&rules.profile(), Backend::Cranelift).expect("the engine starts")
}

pub fn compiled(sandbox: &Sandbox, component: &[u8]) -> Program {
    sandbox.compile(component).expect("the guest compiles")
}

pub fn once(sandbox: &Sandbox, program: &Program, work: &Arc<Work>, inputs: &Inputs) -> Seen {
    Seen::of(work, sandbox.run(program, work, inputs, None))
}

pub fn check(guest: &Guest, rules: &Rules) {
    let (work, inputs) = guest.work(rules, [0; 32]);
    let sandbox = without_pool(rules);
    let first = once(
        &sandbox,
        &compiled(&sandbox, &guest.component),
        &work,
        &inputs,
    );
    assert_eq!(first.class, guest.class);

    let sandbox = pooled(rules, Backend::Cranelift);
    let program = compiled(&sandbox, &guest.component);
    for nth in 1..=RUNS {
        assert_eq!(
            once(&sandbox, &program, &work, &inputs),
            first,
            "run {nth} with the pool"
        );
    }
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                on_guest_thread(|| {
                    for _ in 0..5 {
                        assert_eq!(
                            once(&sandbox, &program, &work, &inputs),
                            first,
                            "in a thread"
                        );
                    }
                })
                .expect("a thread starts");
            });
        }
    });
    in_workers(guest, &sandbox, &work, &inputs, &first);
    on_the_other_backend(guest, &work, &inputs, &first);
}

/// Compiled in a process, taken from the cache, run in another process.
fn in_workers(guest: &Guest, sandbox: &Sandbox, work: &Arc<Work>, inputs: &Inputs, first: &Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let compiler = || {
        let cache = Cache::open(folder.path(), Cache::DEFAULT_LIMIT);
        Compiler::new(cache, launcher())
    };
    compiler()
        .artifact(sandbox, &guest.component)
        .expect("the guest compiles");
    let cached = compiler()
        .compile(sandbox, &guest.component)
        .expect("the cache has it");
    assert_eq!(
        once(sandbox, &cached, work, inputs),
        *first,
        "from the cache"
    );

    let artifact = compiler()
        .artifact(sandbox, &guest.component)
        .expect("the cache has it");
    let pool = Pool::new(launcher(), PoolOptions::default());
    let works = [work.clone(), work.clone(), work.clone()];
    for requester in [NodeKey([1; 32]), NodeKey([2; 32])] {
        for run in pool.run(&artifact, &requester, &works, inputs) {
            assert_eq!(Seen::of(work, run), *first, "in a worker");
        }
    }
}

/// In profile 0 what is promised of the other back end is the result, not what it cost.
fn on_the_other_backend(guest: &Guest, work: &Arc<Work>, inputs: &Inputs, first: &Seen) {
    let rules = Rules::of(&work.profile).expect("the profile is known");
    let sandbox = pooled(rules, Backend::Pulley);
    let there = once(
        &sandbox,
        &compiled(&sandbox, &guest.component),
        work,
        inputs,
    );
    if rules.counter == Counter::Program {
        assert_eq!(there, *first);
    }
    assert_eq!(there.class, first.class);
    assert_eq!(there.outputs, first.outputs);
    assert_eq!(there.transcript, first.transcript);
    assert_eq!(there.log, first.log);
}

/// A unit is out of fuel if and only if it needs more than its limit. In profile 0 the engine is not
/// that exact.
pub fn limit_is_exact(guest: &Guest) {
    let rules = &PROFILE_1;
    let sandbox = pooled(rules, Backend::Cranelift);
    let program = compiled(&sandbox, &guest.component);
    let (work, inputs) = guest.work(rules, [0; 32]);
    let first = once(&sandbox, &program, &work, &inputs);
    let with = |fuel| {
        let mut work = Work::clone(&work);
        work.limits.fuel = fuel;
        once(&sandbox, &program, &Arc::new(work), &inputs)
    };
    if !work.profile.counts(first.class) {
        return;
    }
    for fuel in [first.fuel, first.fuel + 1] {
        let seen = with(fuel);
        assert_eq!((seen.class, seen.fuel), (first.class, first.fuel));
        assert_eq!(seen.outputs.len(), first.outputs.len());
    }
    for fuel in [0, first.fuel / 2, first.fuel - 1] {
        let seen = with(fuel);
        assert_eq!((seen.class, seen.fuel), (Class::OutOfFuel, fuel));
        assert!(seen.outputs.is_empty());
    }
}

pub fn seed_decides(rules: &Rules) {
    let guest = guests()
        .into_iter()
        .find(|guest| guest.name == "randomness");
    let guest = guest.expect("the corpus has it");
    let sandbox = pooled(rules, Backend::Cranelift);
    let program = compiled(&sandbox, &guest.component);
    let outputs = |entropy: [u8; 32]| {
        let (work, inputs) = guest.work(rules, entropy);
        once(&sandbox, &program, &work, &inputs).outputs
    };
    assert_eq!(outputs([1; 32]), outputs([1; 32]));
    assert_ne!(outputs([1; 32]), outputs([2; 32]));
}

/// The files were written on one machine: on every other, these are the results too. Where a program's
/// digest, the first column, stays and anything behind it changes, the profile has changed.
pub fn results_are_golden(rules: &Rules) {
    let sandbox = pooled(rules, Backend::Cranelift);
    let lines = guests().into_iter().map(|guest| {
        let (work, inputs) = guest.work(rules, [0; 32]);
        let seen = once(
            &sandbox,
            &compiled(&sandbox, &guest.component),
            &work,
            &inputs,
        );
        let Seen {
            compare_key,
            class,
            fuel,
            ..
        } = seen;
        let program = work.program;
        format!("{program} {compare_key} {class} {fuel} {}\n", guest.name)
    });
    let text = lines.collect::<String>();
    let file = match rules.counter {
        Counter::Engine => "golden-0.txt",
        Counter::Program => "golden-1.txt",
    };
    // The adapter is a part of these programs, and not of the profile: with another one they are
    // others, so this file is never frozen. The programs of the corpus are kept as bytes.
    golden::check(
        file,
        &format!("{} and the adapter at hand", rules.id),
        &text,
    );
}
