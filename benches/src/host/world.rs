//! Components for host calls: their imports are written from WIT, and wit-component does the rest.

use opensky_protocol::Digest;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, Resolve, WorldId, WorldItem,
    abi::{AbiVariant, WasmType},
};

use super::calls::{Call, module};
use crate::Error;

const WIT: [(&str, &str); 3] = [
    ("opensky.wit", include_str!("../../../wit/opensky.wit")),
    (
        "guest.wit",
        include_str!("../../../crates/executor/src/inspect/guest.wit"),
    ),
    (
        "calls.wit",
        "package bench:calls;
         world command { include opensky:sandbox/imports; export wasi:cli/run@0.2.12; }",
    ),
];

/// Makes guests that may import all that is provided.
pub struct Guests {
    resolve: Resolve,
    world: WorldId,
}

impl Guests {
    pub fn new() -> Result<Self, Error> {
        let mut resolve = Resolve::default();
        let mut packages = Vec::new();
        for (name, text) in WIT {
            packages.push(resolve.push_str(name, text)?);
        }
        let world = resolve.select_world(&packages[2..], Some("command"))?;
        Ok(Self { resolve, world })
    }

    /// A command that does `call` so often.
    pub fn component(&self, call: &Call, times: u32, input: &Digest) -> Result<Vec<u8>, Error> {
        let words = input.0.chunks_exact(8).map(|word| {
            let word = word.try_into().expect("eight bytes");
            format!("(i64.const {})", i64::from_le_bytes(word))
        });
        let input = words.collect::<Vec<_>>().join(" ");
        let text = module(call, times, &self.imports(call), &input);
        let mut module = wat::parse_str(text)?;
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)?;
        let encoder = ComponentEncoder::default().module(&module);
        Ok(encoder?.validate(true).encode()?)
    }

    /// The imports that a call's text names.
    fn imports(&self, call: &Call) -> String {
        let mut text = String::new();
        for (key, item) in &self.resolve.worlds[self.world].imports {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = self.resolve.name_world_key(key);
            for function in self.resolve.interfaces[*id].functions.values() {
                let (name, line) = self.import(&interface, function);
                if names(call.before, &name) || names(call.each, &name) {
                    text.push_str(&line);
                }
            }
        }
        text
    }

    /// A function's name in the module, and its import.
    fn import(&self, interface: &str, function: &Function) -> (String, String) {
        let signature = self
            .resolve
            .wasm_signature(AbiVariant::GuestImport, function);
        let types = |types: &[WasmType]| {
            types.iter().fold(String::new(), |mut text, ty| {
                let name = match ty {
                    WasmType::I64 | WasmType::PointerOrI64 => " i64",
                    WasmType::F32 => " f32",
                    WasmType::F64 => " f64",
                    _ => " i32",
                };
                text.push_str(name);
                text
            })
        };
        let (params, results) = (types(&signature.params), types(&signature.results));
        let name = &function.name;
        let short = interface.split([':', '@']).nth(1).unwrap_or(interface);
        let local = format!("${short}#{}", name.replace(['[', ']'], "!"));
        let line = format!(
            r#"(import "{interface}" "{name}" (func {local} (param{params}) (result{results})))"#
        );
        (local, line)
    }
}

/// Whether the text has this name, and not only a longer one.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        next.is_none_or(|next| next.is_whitespace() || next == ')')
    })
}
