//! `opensky build`: a project becomes a component that the sandbox runs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use opensky_executor::inspect::{Entry, Exports, Inspection, Kind, Refusal, inspect};
use serde_json::json;

use crate::{
    Exit, Problem, foreign,
    project::{self, Selection, Target},
    term::{self, BAD, Format, GOOD, PLAIN},
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
  opensky build -- --config profile.release.strip=false
                                         keep debug information")]
pub struct Args {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    which: Which,
    /// How to report on stdout.
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
    /// Given to cargo as they are.
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
    let bytes = std::fs::read(&file).map_err(|error| {
        Problem::host(format!("cannot read `{}`", file.display())).because(error)
    })?;
    let inspection = inspect(&bytes).map_err(|refusal| refused(&file, &refusal))?;
    match args.format {
        Format::Text => term::to_stdout(&as_text(&file, &inspection))?,
        Format::Json => term::json_to_stdout(&as_json(&file, &inspection))?,
    }
    match refusal(&inspection) {
        Some(refusal) => Err(refused(&file, &refusal).into()),
        None => Ok(Exit::Success),
    }
}

fn refused(file: &Path, refusal: &Refusal) -> Problem {
    Problem::refused(format!("the sandbox would refuse `{}`", file.display()))
        .because(refusal.to_string())
        .help(refusal.advice())
}

/// Why the sandbox would not run it: the first reason. A preview-1 command has none, since it is
/// adapted when it is run or published.
fn refusal(inspection: &Inspection) -> Option<Refusal> {
    let imports = inspection.imports.iter();
    let import = imports.filter_map(|import| import.refusal.clone()).next();
    import.or_else(|| match inspection.kind {
        Kind::Component if inspection.entries.is_empty() => Some(Refusal::NoEntry {
            exports: Exports(inspection.exports.clone()),
        }),
        Kind::Component | Kind::Preview1Command => None,
        Kind::CoreModule => Some(Refusal::CoreModule {
            advice: "build it for `wasm32-wasip2`, or as a WASI preview-1 command",
        }),
    })
}

/// What can be run of it, in the words of the WIT.
fn world(inspection: &Inspection) -> Vec<&'static str> {
    match inspection.kind {
        Kind::Component => inspection
            .entries
            .iter()
            .map(|entry| interface(*entry))
            .collect(),
        Kind::Preview1Command => vec!["wasi_snapshot_preview1 command"],
        Kind::CoreModule => Vec::new(),
    }
}

fn interface(entry: Entry) -> &'static str {
    match entry {
        Entry::Job => "opensky:compute/job",
        Entry::MapReduce { finish: false } => "opensky:compute/map-reduce",
        Entry::MapReduce { finish: true } => "opensky:compute/map-reduce + finish",
        Entry::Stepper => "opensky:compute/stepper",
        Entry::Command => "wasi:cli/run",
    }
}

fn as_text(file: &Path, inspection: &Inspection) -> String {
    let world = world(inspection);
    let world = match world.is_empty() {
        true => format!("{BAD}nothing to run{PLAIN}"),
        false => world.join(", "),
    };
    let mut text = term::columns([
        ("file", file.display().to_string()),
        ("size", term::size(inspection.sizes.bytes)),
        ("digest", inspection.digest.to_string()),
        ("exports", world),
        ("imports", imports_summary(inspection)),
    ]);
    for import in &inspection.imports {
        if let Some(refusal) = &import.refusal {
            let refusal = foreign::message(&refusal.with_advice());
            text.push_str(&format!("  {BAD}refused{PLAIN}  {refusal}\n"));
        }
    }
    text
}

fn imports_summary(inspection: &Inspection) -> String {
    let imports = &inspection.imports;
    let refused = imports
        .iter()
        .filter(|import| import.refusal.is_some())
        .count();
    match (imports.len(), refused) {
        (0, _) => "none".into(),
        (all, 0) => format!("{all}, {GOOD}all provided{PLAIN}"),
        (all, refused) => format!("{all}, {BAD}{refused} refused{PLAIN}"),
    }
}

fn as_json(file: &Path, inspection: &Inspection) -> serde_json::Value {
    let imports: Vec<_> = inspection
        .imports
        .iter()
        .map(|import| {
            let refused = import.refusal.as_ref().map(Refusal::with_advice);
            json!({ "name": import.name, "refused": refused })
        })
        .collect();
    json!({
        "file": term::path(file),
        "size": inspection.sizes.bytes,
        "digest": inspection.digest.to_string(),
        "exports": world(inspection),
        "imports": imports,
        "accepted": refusal(inspection).is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wat: &str) -> (String, Option<Refusal>) {
        let inspection = inspect(&wat::parse_str(wat).expect("valid WAT")).expect("readable");
        let text = as_text(Path::new("x.wasm"), &inspection);
        let plain = anstream::adapter::strip_str(&text).to_string();
        (plain, refusal(&inspection))
    }

    #[test]
    fn every_refused_import_is_named() {
        let (text, refusal) = text(
            r#"(component
                (import "wasi:http/types@0.2.0" (instance))
                (import "wasi:sockets/raw@0.2.0" (instance)))"#,
        );
        assert!(text.contains("2, 2 refused"), "{text}");
        assert!(text.contains("wasi:http/types"), "{text}");
        assert!(text.contains("wasi:sockets/raw"), "{text}");
        assert!(refusal.is_some());
    }

    #[test]
    fn component_without_an_entry_is_refused_and_a_command_module_is_not() {
        let (shown, refusal) = text("(component)");
        assert!(shown.contains("nothing to run"), "{shown}");
        assert!(matches!(refusal, Some(Refusal::NoEntry { .. })));

        let (shown, refusal) =
            text(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
        assert!(shown.contains("wasi_snapshot_preview1 command"), "{shown}");
        assert_eq!(refusal, None);
    }
}
