//! What a file is, as far as reading it tells.

use opensky_protocol::Digest;

use super::refusal::Refusal;

/// What reading a valid file told. Nothing was compiled or run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// Component or core module.
    pub kind: Kind,
    /// Names the file as a program, if it is a component.
    pub digest: Digest,
    /// What can be called as a unit, best first: the first is what runs when nothing is said.
    pub entries: Vec<Entry>,
    /// All imports, in the file's order.
    pub imports: Vec<Import>,
    /// The names of all exports, in the file's order.
    pub exports: Vec<String>,
    /// How large it is.
    pub sizes: Sizes,
}

/// What kind of file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A WebAssembly component: what the sandbox runs.
    Component,
    /// A core module that looks like a WASI preview-1 command: it can be adapted.
    Preview1Command,
    /// Any other core module.
    CoreModule,
}

/// A way to run a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// `opensky:compute/stepper`.
    Stepper,
    /// `opensky:compute/map-reduce`.
    MapReduce {
        /// Whether it exports `opensky:compute/finish` too.
        finish: bool,
    },
    /// `opensky:compute/job`.
    Job,
    /// `wasi:cli/run`.
    Command,
}

impl Entry {
    /// The name that commands and reports use: `stepper`, `map-reduce`, `job`, `command`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stepper => "stepper",
            Self::MapReduce { .. } => "map-reduce",
            Self::Job => "job",
            Self::Command => "command",
        }
    }
}

/// One import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The interface of a component, `module#name` of a core module.
    pub name: String,
    /// Why the sandbox refuses it. `None`: it is provided.
    pub refusal: Option<Refusal>,
}

/// How large a file is. Counts are of what core modules define themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// The file.
    pub bytes: u64,
    /// Core modules in it, or 1.
    pub core_modules: u32,
    /// Instances of them that running it makes.
    pub core_instances: u32,
    /// Functions.
    pub functions: u64,
    /// Bytes of the largest function body.
    pub largest_body: u64,
    /// The most locals of a function, parameters not counted.
    pub most_locals: u64,
    /// The most targets of a `br_table`.
    pub largest_br_table: u64,
    /// The most blocks inside each other.
    pub deepest_block: u64,
    /// Bytes of data segments.
    pub data_bytes: u64,
    /// The memories of all core instances, in the order in which they are made.
    pub memories: Vec<MemorySize>,
    /// Tables of all core instances.
    pub tables: u32,
    /// Elements that the largest table has at its start.
    pub largest_table: u64,
}

/// A linear memory's declared size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemorySize {
    /// Bytes at the start.
    pub minimum: u64,
    /// Bytes to which it may grow; 4 GiB when nothing is declared.
    pub maximum: u64,
}
