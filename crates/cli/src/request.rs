//! What a person asks to be run: the flags that make a unit's work or a job's spec.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use clap::{
    ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use opensky_executor::{Backend, Inputs, Rules, inspect::Entry};
use opensky_protocol::{Digest, JobPlan, JobSpec, Limits, Shard, Work, WorkError, World, names};
use opensky_storage::Store;

use crate::{
    Problem, local,
    shards::{self, Cut},
    source::{self, Source},
    value,
};

/// What influences a result.
#[derive(Clone, Debug, clap::Args)]
pub struct Unit {
    /// The input, `-` for stdin. For map-reduce, may be given many times: one shard each.
    #[arg(short, long, value_name = "FILE|-")]
    pub input: Vec<PathBuf>,
    /// A named input: a file /in/NAME for a command, a blob in the manifest for a job.
    #[arg(long = "in", value_name = "NAME=FILE",
        value_parser = OsStringValueParser::new().try_map(value::named_file))]
    pub named: Vec<(String, PathBuf)>,
    /// A command-line argument for the program.
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    pub args: Vec<String>,
    /// An environment variable for the program.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub env: Vec<(String, String)>,
    /// A parameter for the program.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub param: Vec<(String, String)>,
    /// The fuel limit of each unit: 5000, 200M, 1.5G [default: 100G].
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    pub fuel: Option<u64>,
    /// The memory limit of each unit: 64KiB, 512MiB, 2GiB [default: 1GiB].
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub memory: Option<u64>,
    /// The limit on all outputs of each unit [default: 256MiB].
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub max_output: Option<u64>,
    /// The limit on log and standard error of each unit [default: 1MiB].
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub max_log: Option<u64>,
    /// Entropy for the program's random numbers, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = value::seed, default_value = "0")]
    pub seed: [u8; 32],
    /// The virtual clock's start, in Unix seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub time: u64,
    /// What to call, where the program exports several.
    #[arg(long, value_enum)]
    pub world: Option<Family>,
    /// Map-reduce: how many partitions, and so reduce units [default: 1].
    #[arg(long, value_name = "N")]
    pub partitions: Option<NonZeroU32>,
    /// Map-reduce: cut the inputs into shards of this many lines.
    #[arg(long, value_name = "N", conflicts_with = "shard_bytes")]
    pub shard_lines: Option<NonZeroUsize>,
    /// Map-reduce: cut the inputs into shards of at most this size.
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    pub shard_bytes: Option<u64>,
    /// Stepper: steps of one unit [default: 1000].
    #[arg(long, value_name = "N")]
    pub steps: Option<NonZeroU32>,
    /// The rules of execution: in 1 the program counts its fuel itself; in 0 the engine does, to
    /// compare with [default: 1].
    #[arg(long, value_name = "ID", value_parser = value::profile)]
    pub profile: Option<&'static Rules>,
}

/// How units are computed on this machine: nothing that influences a result.
#[derive(Clone, Debug, clap::Args)]
pub struct Here {
    /// Units at once, up to 256 [default: one for each processor].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// What executes the program. The result is the same.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendName,
}

/// What a unit may use where nobody says otherwise.
pub const LIMITS: Limits = Limits {
    fuel: 100_000_000_000,
    memory: 1 << 30,
    output: 256 << 20,
    log: 1 << 20,
};

/// What a program exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Family {
    Job,
    MapReduce,
    Stepper,
    Command,
}

/// A backend by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum BackendName {
    /// Native code.
    #[default]
    Cranelift,
    /// An interpreter, to check results with.
    Pulley,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Cranelift => Self::Cranelift,
            BackendName::Pulley => Self::Pulley,
        }
    }
}

impl Unit {
    /// What each unit may use.
    fn limits(&self) -> Limits {
        Limits {
            fuel: self.fuel.unwrap_or(LIMITS.fuel),
            memory: self.memory.unwrap_or(LIMITS.memory),
            output: self.max_output.unwrap_or(LIMITS.output),
            log: self.max_log.unwrap_or(LIMITS.log),
        }
    }

    /// The rules of execution.
    pub fn rules(&self) -> &'static Rules {
        self.profile.unwrap_or(Rules::DEFAULT)
    }

    /// How inputs become shards.
    pub fn cut(&self) -> Result<Cut, Problem> {
        Cut::new(self.shard_lines, self.shard_bytes)
    }

    /// Reduce units of a map-reduce job.
    pub fn partitions(&self) -> u32 {
        self.partitions.map_or(1, NonZeroU32::get)
    }

    /// Steps of one unit of a stepper.
    pub fn steps(&self) -> u32 {
        self.steps.map_or(1_000, NonZeroU32::get)
    }

    /// A flag that only map-reduce has, if one is given.
    pub fn map_reduce_flag(&self) -> Option<&'static str> {
        let given = [
            ("--shard-lines", self.shard_lines.is_some()),
            ("--shard-bytes", self.shard_bytes.is_some()),
            ("--partitions", self.partitions.is_some()),
        ];
        let given = given.into_iter().find(|(_, is_given)| *is_given);
        given.map(|(flag, _)| flag)
    }

    /// The work of a program that is one unit. What it is about goes to the store.
    pub fn work(
        &self,
        source: &Source,
        entry: Entry,
        given: Given,
        store: &Store,
    ) -> Result<(Work, Inputs), Problem> {
        let mut inputs = Inputs::default();
        let mut digests = BTreeMap::new();
        let main = given
            .main
            .into_iter()
            .map(|bytes| (names::INPUT.to_owned(), bytes));
        for (name, bytes) in main.chain(given.named) {
            local::keep(store, &bytes)?;
            digests.insert(name, inputs.insert(bytes));
        }
        let work = Work {
            profile: self.rules().profile(),
            program: source.admitted.digest(),
            world: if entry == Entry::Command {
                World::Command
            } else {
                World::Job
            },
            inputs: digests,
            args: self.args.clone(),
            env: once("--env", &self.env)?,
            params: once("--param", &self.param)?,
            shard: Shard::WHOLE,
            entropy: self.seed,
            virtual_time: self.time,
            limits: self.limits(),
        };
        work.check().map_err(impossible)?;
        Ok((work, inputs))
    }

    /// The spec of a program that is many units. What it is about goes to the store.
    pub fn spec(
        &self,
        source: &Source,
        entry: Entry,
        given: Given,
        store: &Store,
    ) -> Result<(JobSpec, Inputs), Problem> {
        let mut inputs = Inputs::default();
        let plan = self.plan(entry, given.main, store, &mut inputs)?;
        let mut named = BTreeMap::new();
        for (name, bytes) in given.named {
            local::keep(store, &bytes)?;
            named.insert(name, inputs.insert(bytes));
        }
        let spec = JobSpec {
            profile: self.rules().profile(),
            program: source.admitted.digest(),
            inputs: named,
            args: self.args.clone(),
            env: once("--env", &self.env)?,
            params: once("--param", &self.param)?,
            entropy: self.seed,
            virtual_time: self.time,
            limits: self.limits(),
            plan,
        };
        spec.check().map_err(impossible)?;
        Ok((spec, inputs))
    }

    fn plan(
        &self,
        entry: Entry,
        main: Vec<Vec<u8>>,
        store: &Store,
        inputs: &mut Inputs,
    ) -> Result<JobPlan, Problem> {
        let mut add = |bytes: Vec<u8>| -> Result<Digest, Problem> {
            local::keep(store, &bytes)?;
            Ok(inputs.insert(bytes))
        };
        if entry == Entry::Stepper {
            let input = add(main.into_iter().next().unwrap_or_default())?;
            return Ok(JobPlan::Stepper {
                input,
                steps: self.steps(),
            });
        }
        let cut = self.cut()?;
        let mut shards: Vec<Digest> = Vec::new();
        for input in main {
            for shard in cut.shards(&input) {
                shards::check_room(shards.len())?;
                shards.push(add(shard.to_vec())?);
            }
        }
        shards::check_some(shards.len())?;
        let finish = entry == Entry::MapReduce { finish: true };
        Ok(JobPlan::MapReduce {
            shards,
            partitions: self.partitions(),
            finish,
        })
    }
}

fn impossible(error: WorkError) -> Problem {
    Problem::usage(error.to_string()).help("change what you ask for: opensky run --help")
}

/// The pairs by key. A key that is given twice is refused: one of the values would be lost.
pub fn once(flag: &str, pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Problem> {
    let mut map = BTreeMap::new();
    for (key, value) in pairs {
        if map.insert(key.clone(), value.clone()).is_some() {
            return Err(Problem::usage(format!("{flag} gives `{key}` twice"))
                .help(format!("use each key of {flag} once")));
        }
    }
    Ok(map)
}

/// What of the program is to be called.
pub fn entry(source: &Source, asked: Option<Family>) -> Result<Entry, Problem> {
    let entries = &source.admitted.inspection().entries;
    let Some(asked) = asked else {
        return Ok(source.admitted.entry());
    };
    let found = entries.iter().find(|entry| {
        matches!(
            (entry, asked),
            (Entry::Job, Family::Job)
                | (Entry::MapReduce { .. }, Family::MapReduce)
                | (Entry::Stepper, Family::Stepper)
                | (Entry::Command, Family::Command)
        )
    });
    let all: Vec<_> = entries.iter().map(|entry| entry.name()).collect();
    found.copied().ok_or_else(|| {
        Problem::refused("the program does not export that world")
            .help(format!("it exports: {}", all.join(", ")))
    })
}

/// The inputs as read: the main ones in order, and the named ones.
pub struct Given {
    /// The main ones, in the order given.
    pub main: Vec<Vec<u8>>,
    /// The named ones.
    pub named: BTreeMap<String, Vec<u8>>,
}

/// Refuses a flag of something else than what is called: it would say nothing.
fn check_flags(unit: &Unit, entry: Entry) -> Result<(), Problem> {
    let of_map = unit.map_reduce_flag().map(|flag| (flag, "map-reduce"));
    let of_stepper = unit.steps.map(|_| ("--steps", "a stepper"));
    let stray = match entry {
        Entry::MapReduce { .. } => of_stepper,
        Entry::Stepper => of_map,
        Entry::Job | Entry::Command => of_map.or(of_stepper),
    };
    let Some((flag, of)) = stray else {
        return Ok(());
    };
    let called = entry.name();
    Err(
        Problem::usage(format!("{flag} is for {of}, and this is a {called}")).help(format!(
            "leave {flag} out, or run a program that exports {of}"
        )),
    )
}

/// Checks that the inputs can be those of what is called. None is read yet.
pub fn check_inputs(unit: &Unit, entry: Entry) -> Result<(), Problem> {
    match (entry, unit.input.len()) {
        (Entry::MapReduce { .. }, 0) => {
            return Err(Problem::usage("a map-reduce program needs an input")
                .help("give --input FILE, once for each shard, or cut one with --shard-lines N"));
        }
        (Entry::MapReduce { .. }, _) | (_, 0 | 1) => {}
        _ => {
            return Err(Problem::usage(format!("a {} has one input", entry.name()))
                .help("give --input once; more files go in with --in NAME=FILE"));
        }
    }
    check_flags(unit, entry)?;
    let mut seen = BTreeSet::new();
    for (name, _) in &unit.named {
        if name == names::INPUT {
            return Err(
                Problem::usage(format!("`{name}` is the name of the main input"))
                    .help("give the main input with --input, or use another NAME with --in"),
            );
        }
        if !seen.insert(name) {
            return Err(Problem::usage(format!("the input `{name}` is given twice"))
                .help("use each NAME of --in once"));
        }
    }
    Ok(())
}

/// Reads every input that is named.
pub fn read_inputs(unit: &Unit, entry: Entry) -> Result<Given, Problem> {
    check_inputs(unit, entry)?;
    let read = |file: &PathBuf| source::read(file, "the input");
    let main: Result<_, Problem> = unit.input.iter().map(read).collect();
    let named = unit.named.iter();
    let named: Result<_, Problem> = named
        .map(|(name, file)| Ok((name.clone(), read(file)?)))
        .collect();
    Ok(Given {
        main: main?,
        named: named?,
    })
}

/// More threads than this only cost memory: each has a stack that a guest fits in.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

/// As many as asked for, or as there are processors, within reason.
pub fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
        .min(MAX_THREADS)
}
