//! `opensky build`: a project becomes a component that the sandbox runs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use opensky_protocol::Digest;
use serde_json::json;

use crate::{
    Exit, Problem,
    project::{self, Selection, Target},
    term::{self, Format},
};

/// Build a project into a component.
///
/// Rust: wraps `cargo build --release --target wasm32-wasip2` with a toolchain that knows the target.
/// A library with `crate-type = ["cdylib"]` becomes a job, a binary becomes a command. Prints the
/// file, its size and digest, what it exports and every import that the sandbox would refuse.
///
/// Other languages: a folder with a package.json is built by `npm run build`, one with a Makefile by
/// `make` (with a requirements.txt beside it, in a Python environment of its own, .venv). The one
/// .wasm file in build/ is the result.
///
/// Exits with 1 if it does not compile, with 3 if the sandbox would refuse what came out.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky build                          the project in this folder
  opensky build examples/hello           that one
  opensky build -p server --bin worker   one of several
  opensky build -- --features extra      cargo's own flags after --
  opensky build -- --config profile.release.strip=false   keep debug information")]
pub struct Args {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    which: Which,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which of a project's components.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Which {
    /// The package, in a workspace of several.
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// The library.
    #[arg(long, group = "target")]
    lib: bool,
    /// A binary.
    #[arg(long, group = "target", value_name = "NAME")]
    bin: Option<String>,
    /// An example.
    #[arg(long, group = "target", value_name = "NAME")]
    example: Option<String>,
    /// For cargo, as they are.
    #[arg(last = true, value_name = "CARGO_ARGS")]
    cargo_args: Vec<OsString>,
}

impl From<Which> for Selection {
    fn from(which: Which) -> Self {
        let target = match (which.lib, which.bin, which.example) {
            (true, ..) => Target::Lib,
            (_, Some(name), _) => Target::Bin(name),
            (.., Some(name)) => Target::Example(name),
            _ => Target::Only,
        };
        Self {
            package: which.package,
            target,
            cargo_args: which.cargo_args,
        }
    }
}

/// Builds and reports.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let file = project::build(&args.dir, &args.which.into())?;
    let built = Built::read(&file)?;
    match args.format {
        Format::Text => term::to_stdout(&built.as_text())?,
        Format::Json => term::json_to_stdout(&built.as_json())?,
    }
    Ok(Exit::Success)
}

/// What came out.
struct Built {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Built {
    fn read(file: &Path) -> Result<Self, Problem> {
        let bytes = std::fs::read(file).map_err(|error| {
            Problem::host(format!("cannot read `{}`", file.display())).because(error)
        })?;
        Ok(Self {
            file: file.to_owned(),
            bytes,
        })
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn as_text(&self) -> String {
        term::columns([
            ("file", self.file.display().to_string()),
            ("size", term::size(self.size())),
            ("digest", Digest::of(&self.bytes).to_string()),
        ])
    }

    fn as_json(&self) -> serde_json::Value {
        json!({
            "file": self.file,
            "size": self.size(),
            "digest": Digest::of(&self.bytes).to_string(),
        })
    }
}
