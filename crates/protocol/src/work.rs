//! Work: all that can influence a unit's result, and nothing else.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::{fmt, iter};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Class, Digest};

/// The exact rules of execution. Receipts of one profile compare bit for bit.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub struct Profile(String);

impl Profile {
    /// The profile of that id. Any text names a profile; an executor knows only a few.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id, as written in receipts.
    pub fn id(&self) -> &str {
        &self.0
    }

    /// Whether the fuel of a result of this class is exact, and so a part of what is compared. Where
    /// it is not, a unit costs its limit.
    ///
    /// Every profile counts `Ok` and `Err`. From profile 1 on a guest hands over what it has left
    /// before it panics; where it cannot, its panic costs the limit.
    pub fn counts(&self, class: Class) -> bool {
        match class {
            Class::Ok | Class::Err => true,
            Class::Panic => self.0 != "0" && !self.0.starts_with("0-"),
            Class::OutOfFuel | Class::Trap | Class::Limit => false,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a unit calls in its program, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum World {
    /// `opensky:compute/job`: one call from input to output.
    Job,
    /// `opensky:compute/map-reduce`: map and combine one shard into this many partitions.
    Map {
        /// At least 1.
        partitions: u32,
    },
    /// `opensky:compute/map-reduce`: reduce one partition of all shards.
    Reduce,
    /// `opensky:compute/finish`: one output of all partitions.
    Finish,
    /// `opensky:compute/stepper`: up to this many steps, from an input or from a state.
    Stepper {
        /// At least 1.
        steps: u32,
    },
    /// `wasi:cli/run`: an unmodified command.
    Command,
}

/// Which part of a sharded job the unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many shards there are, at least 1.
    pub count: u32,
}

impl Shard {
    /// The shard of a job that is not sharded.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// What a unit may use. A guest that reaches one ends with a result of its own class, never in a
/// host failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Limits {
    /// Fuel, as the profile counts it.
    pub fuel: u64,
    /// Bytes of linear memory, all memories of the unit together; and, counted apart, of what a map
    /// or reduce unit holds between its calls.
    pub memory: u64,
    /// Bytes of all outputs together.
    pub output: u64,
    /// Bytes of log and standard error together.
    pub log: u64,
}

impl Limits {
    /// What a unit gets when nothing is said: 100 Gfuel, 1 GiB of memory, 256 MiB of output and
    /// 1 MiB of log.
    pub const DEFAULT: Self = Self {
        fuel: 100_000_000_000,
        memory: 1 << 30,
        output: 256 << 20,
        log: 1 << 20,
    };

    /// Bytes of output that a unit of that class may have. While it runs nobody counts what the host itself says for a
    /// guest that failed: its exit code, or which of its inputs is no partition, and why.
    pub fn output_of(&self, class: Class) -> u64 {
        match class {
            Class::Err => self.output.saturating_add(HOSTS_WORDS),
            _ => self.output,
        }
    }
}

/// Bytes of an error that the host says: it names one input, and no text of a guest.
const HOSTS_WORDS: u64 = 1_024;

/// All that can influence a unit's result, and nothing else. Equal work has an equal result, for
/// ever, whoever asks and whatever it costs.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Work {
    /// The rules of execution.
    pub profile: Profile,
    /// The component's digest.
    pub program: Digest,
    /// What is called.
    pub world: World,
    /// Named input blobs. [`names::INPUT`](crate::names::INPUT) is the main one. A command sees each
    /// as a file below `/in`, so a name is a path: 1 to 255 bytes in at most 16 parts, none of them
    /// empty, `.` or `..`, and no control characters. None is below another one, which is a file. At
    /// most [`MAX_SHARDS`] inputs, in as many folders.
    pub inputs: BTreeMap<String, Digest>,
    /// Command-line arguments, without the program's name. No NUL bytes.
    pub args: Vec<String>,
    /// Environment variables. No NUL bytes, and no `=` in a name.
    pub env: BTreeMap<String, String>,
    /// Parameters that `opensky:compute/context` shows. Any text.
    pub params: BTreeMap<String, String>,
    /// Which part of the job this is.
    pub shard: Shard,
    /// Feeds the seed: two units that differ only here draw different random numbers.
    pub entropy: [u8; 32],
    /// The virtual clock's start, in Unix seconds.
    pub virtual_time: u64,
    /// What the unit may use.
    pub limits: Limits,
}

/// Why a work cannot be run by anyone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WorkError {
    /// Shard index or count is impossible.
    #[error("shard {index} of {count} does not exist")]
    Shard {
        /// As given.
        index: u32,
        /// As given.
        count: u32,
    },
    /// The world asks for no partition, no step, or too many of them.
    #[error("{what} must be between 1 and {max}, not {value}")]
    Count {
        /// Which number it is.
        what: &'static str,
        /// As given.
        value: u32,
        /// The largest that is accepted.
        max: u32,
    },
    /// An input's name could not be a file's path below `/in`.
    #[error(
        "{0:?} is not an input name: use 1 to 255 bytes of path below /in, in at most {max} parts, \
         without `.`, `..`, empty parts, or control characters",
        max = MAX_NAME_PARTS
    )]
    InputName(String),
    /// An input's name goes through that of another one, which is no folder.
    #[error("no input can be named {name:?}: {file:?} is an input itself, not a folder")]
    InputBelow {
        /// The name of one.
        name: String,
        /// The name of the other.
        file: String,
    },
    /// A job's named input has the name of one that its plan gives to units.
    #[error("a job gives its units inputs named {0:?} itself: use another name")]
    ReservedName(String),
    /// An argument or variable that no operating system would pass.
    #[error("{what} {text:?} holds a NUL byte or an equals sign where none can stand")]
    Text {
        /// What the text is.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// Too many or too large inputs, arguments, variables or parameters.
    #[error("the work has {value} {what}, more than {max}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        value: usize,
        /// The largest that is accepted.
        max: usize,
    },
}

/// Shards of one map-reduce job.
pub const MAX_SHARDS: usize = 65_536;
/// Steps of one stepper unit. One state digest each: the list stays below 3 MiB.
const MAX_STEPS: u32 = 65_536;
/// Partitions of a map unit. Each is an output of its own.
const MAX_PARTITIONS: u32 = 4_096;
/// Inputs of one unit: a reduce unit has one for each shard.
const MAX_INPUTS: usize = MAX_SHARDS;
/// Bytes of an input's name: what file systems take as the name of one file.
const MAX_NAME_BYTES: usize = 255;
/// Parts of an input's name between slashes. A command sees each but the last as a folder.
const MAX_NAME_PARTS: usize = 16;
/// Folders that all inputs together are in. They take memory that nobody is charged for.
pub(crate) const MAX_FOLDERS: usize = MAX_INPUTS;
/// Arguments, variables and parameters: each list's entries, and their bytes together.
const MAX_TEXTS: usize = 4_096;
const MAX_TEXT_BYTES: usize = 1 << 20;

impl Work {
    /// The unit's id: `H("opensky unit 1", Work)`.
    pub fn unit(&self) -> Digest {
        Digest::derive("opensky unit 1", self)
    }

    /// The seed of a unit's random numbers, from its id.
    pub fn seed(unit: &Digest) -> Digest {
        Digest::derive("opensky seed 1", unit)
    }

    /// The seed of one step of a stepper unit, from the unit's and the digest of the state that the
    /// step starts from. `init` has the unit's own.
    pub fn step_seed(unit: &Digest, state: &Digest) -> Digest {
        Digest::derive("opensky step seed 1", &(unit, state))
    }

    /// Whether anyone could run this, limits of text and counts included: up to 4,096 partitions,
    /// 65,536 steps, [`MAX_SHARDS`] inputs in as many folders, 4,096 each of arguments, variables and parameters, and
    /// 1 MiB of all three together. The numbers in [`Limits`] may be any: what a node takes on is its
    /// own choice.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), WorkError> {
        let Shard { index, count } = self.shard;
        if index >= count {
            return Err(WorkError::Shard { index, count });
        }
        match self.world {
            World::Map { partitions } => check_count("partitions", partitions, MAX_PARTITIONS)?,
            World::Stepper { steps } => check_count("steps", steps, MAX_STEPS)?,
            World::Job | World::Reduce | World::Finish | World::Command => {}
        }
        check_len("inputs", self.inputs.len(), MAX_INPUTS)?;
        self.inputs.keys().try_for_each(|name| check_name(name))?;
        self.check_folders()?;
        self.check_texts()
    }

    /// Whether there are not too many folders, and no input is in the place of one.
    fn check_folders(&self) -> Result<(), WorkError> {
        check_len("folders of inputs", self.count_folders(), MAX_FOLDERS)?;
        let below = |name: &String| {
            let file = folders(name).find(|folder| self.inputs.contains_key(*folder))?;
            Some(WorkError::InputBelow {
                name: name.clone(),
                file: file.into(),
            })
        };
        self.inputs.keys().find_map(below).map_or(Ok(()), Err)
    }

    /// Folders that the inputs are in. Names of one folder follow each other, so those that an input
    /// does not share with the one before it are new.
    pub(crate) fn count_folders(&self) -> usize {
        let before = iter::once("").chain(self.inputs.keys().map(String::as_str));
        let new = |(name, before): (&String, &str)| {
            let is_new = |folder: &&str| !is_below(before, folder);
            folders(name).filter(is_new).count()
        };
        self.inputs.keys().zip(before).map(new).sum()
    }

    fn check_texts(&self) -> Result<(), WorkError> {
        check_len("arguments", self.args.len(), MAX_TEXTS)?;
        check_len("variables", self.env.len(), MAX_TEXTS)?;
        check_len("parameters", self.params.len(), MAX_TEXTS)?;
        let pairs = || self.env.iter().chain(&self.params);
        let bytes = self.args.iter().map(String::len).sum::<usize>()
            + pairs()
                .map(|(key, value)| key.len() + value.len())
                .sum::<usize>();
        check_len(
            "bytes of arguments, variables and parameters",
            bytes,
            MAX_TEXT_BYTES,
        )?;
        for arg in &self.args {
            check_text("the argument", arg, &['\0'])?;
        }
        for (key, value) in &self.env {
            check_text("the variable's name", key, &['\0', '='])?;
            check_text("the variable's value", value, &['\0'])?;
        }
        Ok(())
    }
}

fn check_count(what: &'static str, value: u32, max: u32) -> Result<(), WorkError> {
    if (1..=max).contains(&value) {
        Ok(())
    } else {
        Err(WorkError::Count { what, value, max })
    }
}

pub(crate) fn check_len(what: &'static str, value: usize, max: usize) -> Result<(), WorkError> {
    if value <= max {
        Ok(())
    } else {
        Err(WorkError::TooMany { what, value, max })
    }
}

fn check_text(what: &'static str, text: &str, forbidden: &[char]) -> Result<(), WorkError> {
    if text.contains(forbidden) {
        return Err(WorkError::Text {
            what,
            text: text.into(),
        });
    }
    Ok(())
}

/// The folders that an input is in, the outermost first.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

fn is_below(name: &str, folder: &str) -> bool {
    let rest = name.strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

fn check_name(name: &str) -> Result<(), WorkError> {
    let part_ok = |part: &str| !matches!(part, "" | "." | "..");
    let ok = name.len() <= MAX_NAME_BYTES
        && !name.chars().any(char::is_control)
        && name.split('/').count() <= MAX_NAME_PARTS
        && name.split('/').all(part_ok);
    if ok {
        Ok(())
    } else {
        Err(WorkError::InputName(name.into()))
    }
}
