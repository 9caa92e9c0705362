//! Reads a file and tells what it is, what it imports and how large it is, without an engine:
//! nothing is compiled or run.

mod allowed;
mod contract;
mod entries;
mod imports;
mod limits;
mod module;
mod nesting;
mod refusal;
mod report;
mod rules;
mod scan;
mod signature;

use opensky_protocol::Digest;
use wasmparser::Encoding;

use self::signature::Scope;

pub use limits::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};
pub use refusal::{Exports, Refusal};
pub use report::{Entry, Import, Inspection, Kind, MemorySize, Sizes};

/// Reads a component or core module in WebAssembly's binary format.
///
/// Imports that the sandbox refuses are reported, each with its reason; so is a component that
/// exports nothing to run. Everything else that the sandbox does not accept is an error. Time and
/// memory are linear in the length, and no input panics.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Refusal> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    rules::limit("bytes", bytes.len() as u64, limits::MAX_BYTES)?;
    let scan = scan::scan(bytes)?;
    let (kind, entries, imports) = match scan.encoding {
        Encoding::Component => {
            let names: Vec<_> = scan.imports.into_iter().map(|(_, name)| name).collect();
            let scope = Scope::of_imports(scan.types.as_ref(), &names);
            let entries = entries::find(&scan.exports, &scope)?;
            let imports = imports::of_component(&names, &scope);
            (Kind::Component, entries, imports)
        }
        Encoding::Module => {
            let imports = imports::of_module(scan.imports);
            (module_kind(&imports, &scan.exports), Vec::new(), imports)
        }
    };
    Ok(Inspection {
        kind,
        digest: Digest::of(bytes),
        entries,
        imports,
        exports: scan.exports,
        sizes: scan.sizes,
    })
}

/// Checks a component that is part of a core module, as compilers leave one to describe it.
pub(crate) fn check_description(component: &[u8]) -> Result<(), Refusal> {
    nesting::check_all(component)
}

fn module_kind(imports: &[Import], exports: &[String]) -> Kind {
    let adaptable = imports.iter().all(|import| import.refusal.is_none());
    if adaptable && exports.iter().any(|name| name == "_start") {
        Kind::Preview1Command
    } else {
        Kind::CoreModule
    }
}
