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
pub struct Args {
    /// A component, a core module, or WebAssembly text.
    pub file: PathBuf,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Shows it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let (_, inspection) = source::look(&args.file)?;
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

fn text(inspection: &Inspection) -> String {
    let sizes = &inspection.sizes;
    let entries: Vec<_> = inspection
        .entries
        .iter()
        .map(|entry| entry.name())
        .collect();
    let memories: Vec<_> = sizes
        .memories
        .iter()
        .map(|memory| term::size(memory.minimum))
        .collect();
    let mut text = term::columns([
        ("kind", kind(inspection).to_owned()),
        ("digest", inspection.digest.to_string()),
        (
            "worlds",
            if entries.is_empty() {
                "none".into()
            } else {
                entries.join(", ")
            },
        ),
        ("size", term::size(sizes.bytes)),
        (
            "modules",
            format!("{} with {} functions", sizes.core_modules, sizes.functions),
        ),
        ("largest function", term::size(sizes.largest_body)),
        ("data", term::size(sizes.data_bytes)),
        (
            "memory at start",
            if memories.is_empty() {
                "none".into()
            } else {
                memories.join(" + ")
            },
        ),
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
                foreign::message(&why.with_advice())
            ),
        });
    }
    text
}

fn json(inspection: &Inspection) -> serde_json::Value {
    let sizes = &inspection.sizes;
    let imports = inspection.imports.iter().map(|import| {
        json!({ "name": import.name, "refused": import.refusal.as_ref().map(Refusal::with_advice) })
    });
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
