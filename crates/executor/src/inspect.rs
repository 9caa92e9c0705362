//! Reads a file and tells what it is, what it imports and how large it is, without an engine:
//! nothing is compiled or run.

mod allowed;
mod entries;
mod limits;
mod module;
mod refusal;
mod report;
mod rules;
mod scan;

use opensky_protocol::Digest;
use wasmparser::{Encoding, component_types::ComponentEntityType};

pub(crate) use limits::{
    MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES,
};
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
    rules::limit("bytes", bytes.len() as u64, limits::MAX_BYTES as u64)?;
    let scan = scan::scan(bytes)?;
    let types = scan.types.as_ref();
    let (kind, entries, imports) = match scan.encoding {
        Encoding::Component => (
            Kind::Component,
            entries::find(&scan.exports, types)?,
            scan.imports
                .into_iter()
                .map(|(_, name)| component_import(name, types))
                .collect(),
        ),
        Encoding::Module => {
            let imports: Vec<Import> = scan
                .imports
                .iter()
                .map(|(module, name)| module_import(module, name))
                .collect();
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

fn component_import(name: String, types: wasmparser::types::TypesRef<'_>) -> Import {
    let item = types.component_item_for_import(&name).map(|item| item.ty);
    let instance = match item {
        Some(ComponentEntityType::Instance(id)) => types.get(id),
        _ => None,
    };
    let checked = match instance {
        Some(instance) => allowed::check_interface(&name, entries::items(instance)),
        // A bare function or type has a name without a package, which is never provided.
        None => allowed::check_interface(&name, []),
    };
    Import {
        name,
        refusal: checked.err(),
    }
}

fn module_import(module: &str, name: &str) -> Import {
    Import {
        name: format!("{module}#{name}"),
        refusal: allowed::check_preview1(module, name).err(),
    }
}

fn module_kind(imports: &[Import], exports: &[String]) -> Kind {
    let adaptable = imports.iter().all(|import| import.refusal.is_none());
    if adaptable && exports.iter().any(|name| name == "_start") {
        Kind::Preview1Command
    } else {
        Kind::CoreModule
    }
}
