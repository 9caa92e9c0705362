//! What compilers made: each program of `corpus/`, on two inputs, in every way and within every limit
//! that could matter.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use opensky_executor::{
    Backend, Cache, Inputs, PROFILE_1, Sandbox, adapt,
    inspect::{Entry, Kind, inspect},
    worker::{Compiler, Pool, PoolOptions},
};
use opensky_protocol::{Class, Digest, Limits, NodeKey, Shard, Work, World, names};

use crate::{
    golden, launcher,
    ways::{Seen, compiled, once, pooled},
};

/// What every program is run on.
const INPUTS: [&str; 2] = ["bytes", "text"];
/// Into how many parts a map unit sorts what it finds.
const PARTITIONS: u32 = 2;
/// How often a unit is run in one sandbox: leftovers of one run would show in a later one.
const RUNS: usize = 3;
/// More than any of them needs.
const FUEL: u64 = 1_000_000_000;
/// The end of the name of what a preview-1 module was adapted to. It is kept, since an adapter is a
/// program too, and costs what it costs: a newer one makes another program.
const ADAPTED: &str = ".adapted.wasm";

/// One file of the corpus.
#[derive(Clone)]
pub struct Binary {
    /// Its path below `corpus/`.
    pub name: String,
    path: PathBuf,
    bytes: Arc<Vec<u8>>,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Every file of the corpus that ends in `.wasm`, in the order of their names.
pub fn binaries() -> Vec<Binary> {
    let mut paths = Vec::new();
    let folders = fs::read_dir(corpus()).expect("the corpus is a folder");
    for folder in folders.map(|entry| entry.expect("readable").path()) {
        let files = fs::read_dir(&folder).into_iter().flatten();
        paths.extend(files.map(|file| file.expect("readable").path()));
    }
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    paths.sort();
    paths.into_iter().map(Binary::read).collect()
}

impl Binary {
    fn read(path: PathBuf) -> Self {
        let name = path.strip_prefix(corpus()).expect("it is in the corpus");
        Self {
            name: name.to_string_lossy().into_owned(),
            bytes: Arc::new(fs::read(&path).expect("the file is readable")),
            path,
        }
    }

    pub fn is_component(&self) -> bool {
        self.kind() == Kind::Component
    }

    fn kind(&self) -> Kind {
        inspect(&self.bytes).expect("the file is admitted").kind
    }

    /// The units that it is run in, each with what it is called. The input of a reduce unit is what the
    /// sandbox makes of the maps.
    fn units(&self, sandbox: &Sandbox) -> (Vec<(String, Arc<Work>)>, Inputs) {
        let mut inputs = Inputs::default();
        let entry = inspect(&self.bytes).expect("the file is admitted").entries[0];
        let world = match entry {
            Entry::Command => World::Command,
            Entry::Job => World::Job,
            Entry::MapReduce { finish: false } => {
                let partitions = PARTITIONS;
                World::Map { partitions }
            }
            Entry::MapReduce { finish: true } | Entry::Stepper => {
                panic!("{}: no program of the corpus exports {entry:?}", self.name)
            }
        };
        let mut units: Vec<_> = INPUTS
            .into_iter()
            .map(|name| {
                let input = fs::read(corpus().join("inputs").join(name)).expect("it is there");
                let input = BTreeMap::from([(names::INPUT.into(), inputs.insert(input))]);
                (name.to_owned(), Arc::new(self.work(world, input)))
            })
            .collect();
        if let World::Map { partitions } = world {
            let reduces = self.reduces(sandbox, partitions, &units, &mut inputs);
            units.extend(reduces);
        }
        (units, inputs)
    }

    /// A reduce unit for each partition of these maps.
    fn reduces(
        &self,
        sandbox: &Sandbox,
        partitions: u32,
        maps: &[(String, Arc<Work>)],
        inputs: &mut Inputs,
    ) -> Vec<(String, Arc<Work>)> {
        let program = compiled(sandbox, &self.bytes);
        let outputs: Vec<_> = maps
            .iter()
            .map(|(_, map)| {
                let run = sandbox.run(&program, map, inputs, None);
                run.expect("the guest has a result").outputs
            })
            .collect();
        let reduce = |nth| {
            let shards = (0..).zip(&outputs).map(|(shard, outputs)| {
                let partition = outputs[&names::partition(nth)].clone();
                (names::shard(shard), inputs.insert(partition))
            });
            let work = self.work(World::Reduce, shards.collect());
            (format!("partition {nth}"), Arc::new(work))
        };
        (0..partitions).map(reduce).collect()
    }

    fn work(&self, world: World, inputs: BTreeMap<String, Digest>) -> Work {
        Work {
            profile: PROFILE_1.profile(),
            program: Digest::of(&self.bytes),
            world,
            inputs,
            args: vec!["--first".into(), "second".into()],
            env: BTreeMap::from([("A".into(), "1".into())]),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [7; 32],
            virtual_time: 1_700_000_000,
            limits: Limits {
                fuel: FUEL,
                memory: 64 << 20,
                output: 1 << 20,
                log: 1 << 16,
            },
        }
    }
}

/// The unit, and the same with the limit that it just keeps to and with the one below, if what it
/// needs is known exactly. With another limit it is another unit with other random numbers: no program
/// of the corpus may do more or less for them.
fn within_limits(label: &str, work: &Arc<Work>, seen: &Seen) -> Vec<(String, Arc<Work>)> {
    let mut all = vec![(label.to_owned(), work.clone())];
    if work.profile.counts(seen.class) {
        for (limit, name) in [(seen.fuel, "need"), (seen.fuel - 1, "need - 1")] {
            let mut work = Work::clone(work);
            work.limits.fuel = limit;
            all.push((format!("{label}, {name}"), Arc::new(work)));
        }
    }
    all
}

/// Everything that the binary is run as, and what came of it in this sandbox: it is out of fuel below
/// what it needs, and only there.
fn runs(binary: &Binary, sandbox: &Sandbox) -> (Vec<(String, Arc<Work>, Seen)>, Inputs) {
    let program = compiled(sandbox, &binary.bytes);
    let (units, inputs) = binary.units(sandbox);
    let mut runs = Vec::new();
    for (label, work) in &units {
        let first = once(sandbox, &program, work, &inputs);
        assert_ne!(first.class, Class::OutOfFuel, "{}: {label}", binary.name);
        for (label, work) in within_limits(label, work, &first) {
            let seen = once(sandbox, &program, &work, &inputs);
            let expected = match work.limits.fuel < first.fuel {
                true => (Class::OutOfFuel, work.limits.fuel),
                false => (first.class, first.fuel),
            };
            assert_eq!(
                (seen.class, seen.fuel),
                expected,
                "{}: {label}",
                binary.name
            );
            runs.push((label, work, seen));
        }
    }
    (runs, inputs)
}

/// The component gives the same on both back ends, with the pool and without, in this process and in
/// workers.
pub fn gives_one_result(binary: &Binary) {
    let rules = &PROFILE_1;
    let without_pool =
        |backend| Sandbox::without_pool(&rules.profile(), backend).expect("the engine starts");
    let cranelift = pooled(rules, Backend::Cranelift);
    let (runs, inputs) = runs(binary, &cranelift);

    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path(), Cache::DEFAULT_LIMIT);
    let artifact = Compiler::new(cache, launcher())
        .artifact(&cranelift, &binary.bytes)
        .expect("the program compiles");
    let pool = Pool::new(launcher(), PoolOptions::default());
    let works: Vec<_> = runs.iter().map(|(_, work, _)| work.clone()).collect();
    let in_workers = pool.run(&artifact, &NodeKey([1; 32]), &works, &inputs);
    for (run, (label, work, first)) in in_workers.into_iter().zip(&runs) {
        assert_eq!(Seen::of(work, run), *first, "{label}, in a worker");
    }

    for (way, sandbox) in [
        ("with the pool", cranelift),
        ("without a pool", without_pool(Backend::Cranelift)),
        ("interpreted", pooled(rules, Backend::Pulley)),
        ("interpreted without a pool", without_pool(Backend::Pulley)),
    ] {
        let program = compiled(&sandbox, &binary.bytes);
        for _ in 0..RUNS {
            for (label, work, first) in &runs {
                let seen = once(&sandbox, &program, work, &inputs);
                assert_eq!(seen, *first, "{label}, {way}");
            }
        }
    }
}

/// A preview-1 module still becomes a command that does what the kept one does. What it costs is not
/// compared: another adapter is another program.
pub fn adapts_to_the_same(binary: &Binary) {
    assert_eq!(binary.kind(), Kind::Preview1Command, "{}", binary.name);
    let component = adapt(&binary.bytes).expect("it is a preview-1 command");
    let path = binary.path.with_extension("").with_extension(&ADAPTED[1..]);
    if !path.exists() && env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &component).expect("the corpus can be added to");
    }
    assert!(
        path.exists(),
        "{} has no component beside it: UPDATE_EXPECT=1 makes one, once",
        binary.name
    );
    let now = Binary {
        bytes: Arc::new(component),
        ..binary.clone()
    };
    let sandbox = pooled(&PROFILE_1, Backend::Cranelift);
    let ends = |binary: &Binary| {
        let program = compiled(&sandbox, &binary.bytes);
        let (units, inputs) = binary.units(&sandbox);
        let end = |(label, work): &(String, Arc<Work>)| {
            let seen = once(&sandbox, &program, work, &inputs);
            (label.clone(), seen.class, seen.outputs)
        };
        units.iter().map(end).collect::<Vec<_>>()
    };
    assert_eq!(ends(&now), ends(&Binary::read(path)));
}

/// No file of the corpus is without its lines, and no line without its file.
pub fn results_are_golden() {
    let sandbox = pooled(&PROFILE_1, Backend::Cranelift);
    let mut text = String::new();
    for binary in binaries().iter().filter(|binary| binary.is_component()) {
        for (label, work, seen) in runs(binary, &sandbox).0 {
            let Seen {
                compare_key,
                class,
                fuel,
                output,
                ..
            } = seen;
            let (program, name) = (work.program, &binary.name);
            text += &format!("{program} {compare_key} {class} {fuel} {output} {name}: {label}\n");
        }
    }
    golden::check("corpus-1.txt", PROFILE_1.id, &text);
}

/// Every class of outcome, each of them from a program that a compiler made.
pub fn every_class_is_there() {
    let text = include_str!("corpus-1.txt");
    for class in [
        Class::Ok,
        Class::Err,
        Class::OutOfFuel,
        Class::Panic,
        Class::Trap,
        Class::Limit,
    ] {
        let is_there = text.contains(&format!(" {class} "));
        assert!(is_there, "no program of the corpus ends with {class}");
    }
}

/// Programs of these languages carry an interpreter, too large to be kept. If the example was built
/// here, it gives the same on both back ends.
pub fn interpreter_gives_one_result(language: &str) {
    let Some(bytes) = example(language) else {
        println!("skipped: `examples/words/{language}` was not built here");
        return;
    };
    let binary = Binary {
        name: language.into(),
        path: PathBuf::new(),
        bytes: Arc::new(bytes),
    };
    let ends = |backend| {
        let sandbox = pooled(&PROFILE_1, backend);
        let program = compiled(&sandbox, &binary.bytes);
        let (units, inputs) = binary.units(&sandbox);
        let end = |(label, work): &(String, Arc<Work>)| {
            let seen = once(&sandbox, &program, work, &inputs);
            assert_eq!(seen.class, Class::Ok, "{language}: {label}");
            seen
        };
        units.iter().map(end).collect::<Vec<_>>()
    };
    assert_eq!(ends(Backend::Cranelift), ends(Backend::Pulley));
}

/// What the tests of the examples built, or a person by `opensky build`. One that is being written
/// is no component yet.
fn example(language: &str) -> Option<Vec<u8>> {
    let built = format!("examples/words/{language}/build/words.wasm");
    let folders = [
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("mirror"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
    ];
    let mut files = folders.iter().map(|folder| fs::read(folder.join(&built)));
    let is_whole = |bytes: &Vec<u8>| inspect(bytes).is_ok();
    files.find_map(|file| file.ok().filter(is_whole))
}
