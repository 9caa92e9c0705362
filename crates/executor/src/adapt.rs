//! Turns a WASI preview-1 command, a core module, into a component.

mod exits;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::inspect::{Inspection, Kind, Refusal, check_description, inspect};

/// The component that runs `module`, a WASI preview-1 command: a core module that exports `_start`
/// and its `memory`, and imports nothing but `wasi_snapshot_preview1`.
///
/// Its exit code is kept as an operating system would, modulo 256: `proc_exit` goes to
/// `wasi:cli/exit` directly, since the adapter's own tells success from failure only.
///
/// The same module gives the same component, byte for byte, with the same build of this crate: the
/// adapter is part of the component, so the program's digest covers it.
pub fn adapt(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    check(&inspect(module)?)?;
    check_descriptions(module)?;
    let module = exits::redirected(module).map_err(|error| Refusal::Adapter(error.to_string()))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
            )
        })
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| Refusal::Adapter(format!("{error:#}")))
}

/// A module may describe itself with components of its own, which the encoder reads.
fn check_descriptions(module: &[u8]) -> Result<(), Refusal> {
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload
            && section.name().starts_with("component-type")
        {
            check_description(section.data())?;
        }
    }
    Ok(())
}

fn check(inspection: &Inspection) -> Result<(), Refusal> {
    if inspection.kind == Kind::Component {
        return Err(Refusal::Component);
    }
    let refusal = |import: &crate::inspect::Import| import.refusal.clone();
    if let Some(refusal) = inspection.imports.iter().find_map(refusal) {
        return Err(refusal);
    }
    let exports = |name: &str| inspection.exports.iter().any(|export| export == name);
    if !exports("_start") {
        return Err(Refusal::NotACommand {
            export: "_start",
            advice: if exports("_initialize") {
                "it is a reactor, which only offers functions; build a program with `main`, or a \
                 component that exports `opensky:compute/job`"
            } else {
                "build a program with `main` for `wasm32-wasip1`, or a component for `wasm32-wasip2`"
            },
        });
    }
    if !exports("memory") {
        return Err(Refusal::NotACommand {
            export: "memory",
            advice: "WASI passes everything through the memory of that name; export it",
        });
    }
    Ok(())
}
