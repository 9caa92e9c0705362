//! What `opensky new` writes: the files of each kind of project.

use clap::ValueEnum;

/// A kind of project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Template {
    /// Rust: one function from input to output.
    #[default]
    Job,
    /// Rust: an ordinary program with stdin, stdout and arguments.
    Command,
    /// Rust: one program over many shards.
    MapReduce,
    /// Rust: a long computation, cut into steps.
    Stepper,
    /// A job in Python.
    Python,
    /// A job in JavaScript.
    Js,
    /// A command in C.
    C,
}

/// A file's path in the project and its text, with `{{name}}` and `{{sdk}}` to be filled in.
pub type File = (&'static str, &'static str);

/// The contract between host and guest: projects that do not use the SDK build from it.
const WIT: File = ("wit/opensky.wit", include_str!("../../../wit/opensky.wit"));

/// The files of one folder under `templates/`.
macro_rules! files {
    ($folder:literal: $($file:literal = $from:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../templates/", $folder, "/", $from)))),+]
    };
}

impl Template {
    /// Whether cargo builds it.
    pub fn is_rust(self) -> bool {
        matches!(
            self,
            Self::Job | Self::Command | Self::MapReduce | Self::Stepper
        )
    }

    /// Whether it depends on the SDK.
    pub fn uses_sdk(self) -> bool {
        matches!(self, Self::Job | Self::MapReduce | Self::Stepper)
    }

    /// The project's files.
    pub fn files(self) -> Vec<File> {
        let own: &[File] = match self {
            Self::Job => {
                files!("job": "Cargo.toml" = "Cargo.toml.in", "README.md" = "README.md.in",
                ".gitignore" = "gitignore", "src/lib.rs" = "src/lib.rs")
            }
            Self::Command => {
                files!("command": "Cargo.toml" = "Cargo.toml.in", "README.md" = "README.md.in",
                ".gitignore" = "gitignore", "src/main.rs" = "src/main.rs")
            }
            Self::MapReduce => {
                files!("map-reduce": "Cargo.toml" = "Cargo.toml.in", "README.md" = "README.md.in",
                ".gitignore" = "gitignore", "src/lib.rs" = "src/lib.rs")
            }
            Self::Stepper => {
                files!("stepper": "Cargo.toml" = "Cargo.toml.in", "README.md" = "README.md.in",
                ".gitignore" = "gitignore", "src/lib.rs" = "src/lib.rs")
            }
            Self::Python => {
                files!("python": "README.md" = "README.md.in", ".gitignore" = "gitignore",
                "Makefile" = "Makefile", "app.py" = "app.py", "requirements.txt" = "requirements.txt")
            }
            Self::Js => files!("js": "README.md" = "README.md.in", ".gitignore" = "gitignore",
                "job.js" = "job.js", "package.json" = "package.json.in"),
            Self::C => files!("c": "README.md" = "README.md.in", ".gitignore" = "gitignore",
                "Makefile" = "Makefile", "main.c" = "main.c", "requirements.txt" = "requirements.txt"),
        };
        let wit = matches!(self, Self::Python | Self::Js).then_some(WIT);
        own.iter().copied().chain(wit).collect()
    }
}
