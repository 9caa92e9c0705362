//! Why a file is refused, and what to do about it.

use std::fmt;

/// Why a file cannot become a program of the network. Found by reading it, before anything is
/// compiled, run or signed. Each text names what is refused; [`advice`](Self::advice) says what to
/// do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The bytes do not begin like WebAssembly.
    #[error("the file is not WebAssembly")]
    NotWasm,
    /// The bytes are not a valid component or module.
    #[error("not valid WebAssembly: {message} (at byte {offset})")]
    Malformed {
        /// Where, from the file's start.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// The file uses a part of WebAssembly that the sandbox does not have.
    #[error("uses {feature} (at byte {offset}), which the sandbox does not have")]
    Feature {
        /// The proposal's name.
        feature: &'static str,
        /// Where it is used first.
        offset: usize,
        /// What to do.
        advice: &'static str,
    },
    /// Something is larger than the sandbox accepts.
    #[error("{what}: {value}, and at most {max} are accepted")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The largest that is accepted.
        max: u64,
    },
    /// An import that no version of the sandbox provides.
    #[error("imports `{name}`, which the sandbox does not provide")]
    Import {
        /// As the component names it.
        name: String,
        /// What to do.
        advice: &'static str,
    },
    /// An import that the sandbox provides in other versions.
    #[error("imports `{name}`, and the sandbox provides versions {supported}")]
    ImportVersion {
        /// As the component names it.
        name: String,
        /// The versions that would do.
        supported: String,
    },
    /// A known interface with something in it that is not part of it.
    #[error("imports `{item}` of `{interface}`, which is not part of that interface")]
    ImportItem {
        /// The interface, as the component names it.
        interface: String,
        /// The function or resource.
        item: String,
    },
    /// A known interface with something in it that is of another type.
    #[error("imports `{item}` of `{interface}` as `{found}`, and it is `{expected}`")]
    ImportType {
        /// The interface, as the component names it.
        interface: String,
        /// The function or resource.
        item: String,
        /// The type it has.
        expected: String,
        /// The type that the component takes it for.
        found: String,
    },
    /// The name of an interface for something else.
    #[error("imports `{name}`, but not as an interface")]
    NotAnInterface {
        /// As the component names it.
        name: String,
    },
    /// A component within the component has code of its own.
    #[error(
        "holds a component with code inside another (at byte {offset}); composed components are \
         not accepted yet"
    )]
    NestedCode {
        /// Where that code is.
        offset: usize,
    },
    /// A core module or a component is passed as a value.
    #[error("passes a {what} across a component's border (at byte {offset})")]
    CodeAsValue {
        /// Core module or component.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// Nothing in it can be called as a unit.
    #[error("exports nothing that can be run ({exports})")]
    NoEntry {
        /// What it does export.
        exports: Exports,
    },
    /// An export has the right name and another type.
    #[error("`{function}` of `{interface}` is exported as `{found}`, not `{expected}`")]
    EntryType {
        /// The interface.
        interface: String,
        /// The function.
        function: &'static str,
        /// The type it must have.
        expected: String,
        /// The type it has, or `nothing`.
        found: String,
    },
    /// A core module where a component is needed.
    #[error("is a core module, not a component")]
    CoreModule {
        /// What to do.
        advice: &'static str,
    },
    /// A component where a core module is needed.
    #[error("is a component already")]
    Component,
    /// A core module imports something that is no function of WASI preview 1.
    #[error("imports `{name}` of `{module}`, which is not part of WASI preview 1")]
    ModuleImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// A core module without what a preview-1 command exports.
    #[error("is a core module that does not export `{export}`")]
    NotACommand {
        /// What is missing.
        export: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The adapter found the module to be unlike what a compiler makes.
    #[error("cannot be adapted from WASI preview 1: {0}")]
    Adapter(String),
}

impl Refusal {
    /// The reason and what to do, where there is one line for both.
    pub fn with_advice(&self) -> String {
        format!("{self}: {}", self.advice())
    }

    /// What the file's author can do about it: an imperative sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotWasm => "name a `.wasm` or `.wat` file, or a project to build",
            Self::Malformed { .. } => "the file is damaged or incomplete: build it again",
            Self::Limit { .. } => {
                "build with optimisation, and split what is generated or do it in several units"
            }
            Self::ImportVersion { .. } => {
                "build for a version that is provided (the target `wasm32-wasip2` does)"
            }
            Self::ImportItem { .. }
            | Self::ImportType { .. }
            | Self::NotAnInterface { .. }
            | Self::EntryType { .. } => "build with the interface's published definition",
            Self::NestedCode { .. } => {
                "link the parts into one core module, or deploy them one by one"
            }
            Self::CodeAsValue { .. } => "instantiate it where it is defined",
            Self::NoEntry { .. } => {
                "export `opensky:compute/job@0.1.0`, `…/map-reduce`, `…/stepper` or \
                 `wasi:cli/run@0.2.x`"
            }
            Self::Component => "run it as it is",
            Self::ModuleImport { .. } => {
                "only `wasi_snapshot_preview1` is adapted: build for `wasm32-wasip1` or \
                 `wasm32-wasip2`"
            }
            Self::Adapter(_) => "build it for `wasm32-wasip2` instead",
            Self::Feature { advice, .. }
            | Self::Import { advice, .. }
            | Self::CoreModule { advice }
            | Self::NotACommand { advice, .. } => advice,
        }
    }
}

/// The names that a file exports, for an error's text: the first few of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exports(pub Vec<String>);

impl fmt::Display for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        if self.0.is_empty() {
            return f.write_str("it has no exports at all");
        }
        f.write_str("it exports")?;
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} `{name}`")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
