//! `opensky inspect`: what a file is, before anything of it runs.

use std::path::PathBuf;

use opensky_executor::inspect::{Inspection, Kind, Refusal};
use serde_json::json;

use crate::{
    Exit, foreign, source,
    term::{self, BAD, DIM, Format, GOOD, PLAIN},
};

/// Show what a file is: its worlds, imports and sizes
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Nothing is run or built, and what the sandbox would refuse is named.

Examples:
  opensky inspect hello.wasm
  opensky inspect hello.wat --format json

Exit codes: 3 if the file is no WebAssembly that the sandbox knows.")]
pub struct Args {
    /// A component, a core module, or WebAssembly text.
    pub file: PathBuf,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let (_, inspection) = source::look(&args.file, source::refused)?;
    match args.format {
        Format::Text => term::to_stdout(&text(&inspection))?,
        Format::Json => term::json_to_stdout(&json(&inspection))?,
    }
    Ok(Exit::Success)
}

fn kind(inspection: &Inspection) -> &'static str {
    match inspection.kind {
        Kind::Component => "component",
        Kind::Preview1Command => "WASI preview-1 command, adapted when it is run",
        Kind::CoreModule => "core module, cannot be run",
    }
}

/// What the adapter of preview-1 modules takes, as far as it needs it: a page for its stack, and one for
/// its state. It is there only while the program runs, so a file does not tell of it.
const ADAPTER: u64 = 2 * 65536;

fn memory(inspection: &Inspection) -> String {
    let memories = inspection.sizes.memories.iter();
    let memories: Vec<_> = memories.map(|memory| term::size(memory.minimum)).collect();
    let own = match memories.is_empty() {
        true => "none".into(),
        false => memories.join(" + "),
    };
    match inspection.kind {
        Kind::Preview1Command => {
            let adapter = term::size(ADAPTER);
            format!("{own}, and up to {adapter} for the adapter when it is run")
        }
        Kind::Component | Kind::CoreModule => own,
    }
}

fn text(inspection: &Inspection) -> String {
    let sizes = &inspection.sizes;
    let entries: Vec<_> = inspection
        .entries
        .iter()
        .map(|entry| entry.name())
        .collect();
    let mut text = term::columns([
        ("kind", kind(inspection).to_owned()),
        ("digest", inspection.digest.to_string()),
        (
            "worlds",
            match inspection.kind {
                Kind::Preview1Command => "command, once it is adapted".into(),
                _ if entries.is_empty() => "none".into(),
                _ => entries.join(", "),
            },
        ),
        ("size", term::size(sizes.bytes)),
        (
            "modules",
            format!(
                "{} with {}",
                sizes.core_modules,
                term::count(sizes.functions, "function")
            ),
        ),
        ("largest function", term::size(sizes.largest_body)),
        ("data", term::size(sizes.data_bytes)),
        ("memory at start", memory(inspection)),
        ("imports", inspection.imports.len().to_string()),
    ]);
    for import in &inspection.imports {
        text.push_str(&match &import.refusal {
            None => format!(
                "    {GOOD}allowed{PLAIN}  {}\n",
                foreign::name(&import.name)
            ),
            Some(why) => format!(
                "    {BAD}refused{PLAIN}  {} {DIM}{}{PLAIN}\n",
                foreign::name(&import.name),
                foreign::message(&reason(why))
            ),
        });
    }
    text
}

/// Why an import is refused. Nobody wrote those of the meter, so nobody can leave them out.
fn reason(refusal: &Refusal) -> String {
    match source::is_metered(refusal) {
        true => "belongs to the meter: run the program that this was made from".into(),
        false => refusal.with_advice(),
    }
}

fn json(inspection: &Inspection) -> serde_json::Value {
    let sizes = &inspection.sizes;
    let imports = inspection.imports.iter().map(
        |import| json!({ "name": import.name, "refused": import.refusal.as_ref().map(reason) }),
    );
    let memories = sizes
        .memories
        .iter()
        .map(|memory| json!({ "minimum": memory.minimum, "maximum": memory.maximum }));
    json!({
        "kind": match inspection.kind {
            Kind::Component => "component",
            Kind::Preview1Command => "preview1-command",
            Kind::CoreModule => "core-module",
        },
        "digest": inspection.digest.to_string(),
        "worlds": inspection.entries.iter().map(|entry| entry.name()).collect::<Vec<_>>(),
        "exports": inspection.exports,
        "imports": imports.collect::<Vec<_>>(),
        "size": sizes.bytes,
        "core_modules": sizes.core_modules,
        "functions": sizes.functions,
        "largest_function": sizes.largest_body,
        "data": sizes.data_bytes,
        "memories": memories.collect::<Vec<_>>(),
    })
}
