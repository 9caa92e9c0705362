//! Components for host calls: their imports are written from WIT, and wit-component does the rest.

use opensky_protocol::Digest;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, PackageId, Resolve, WorldId, WorldItem,
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
         world command { include opensky:sandbox/imports; export wasi:cli/run@0.2.12; }
         world stepper { export opensky:compute/stepper@0.1.0; }
         world map-reduce { export opensky:compute/map-reduce@0.1.0; }",
    ),
];

/// Makes guests that may import all that is provided.
pub struct Guests {
    resolve: Resolve,
    package: PackageId,
    command: WorldId,
}

impl Guests {
    pub fn new() -> Result<Self, Error> {
        let mut resolve = Resolve::default();
        let [ours, guest, calls] = WIT;
        resolve.push_str(ours.0, ours.1)?;
        resolve.push_str(guest.0, guest.1)?;
        let package = resolve.push_str(calls.0, calls.1)?;
        let command = resolve.select_world(&[package], Some("command"))?;
        Ok(Self {
            resolve,
            package,
            command,
        })
    }

    /// A command that does `call` so often.
    pub fn component(&self, call: &Call, times: u32, input: &Digest) -> Result<Vec<u8>, Error> {
        let words = input.0.chunks_exact(8).map(|word| {
            let word = word.try_into().expect("eight bytes");
            format!("(i64.const {})", i64::from_le_bytes(word))
        });
        let input = words.collect::<Vec<_>>().join(" ");
        self.encode(
            &module(call, times, &self.imports(call), &input),
            self.command,
        )
    }

    /// A stepper, or a program of maps and reduces.
    pub fn exporting(&self, world: &str, module: &str) -> Result<Vec<u8>, Error> {
        let world = self.resolve.select_world(&[self.package], Some(world))?;
        self.encode(module, world)
    }

    fn encode(&self, module: &str, world: WorldId) -> Result<Vec<u8>, Error> {
        let mut module = wat::parse_str(module)?;
        embed_component_metadata(&mut module, &self.resolve, world, StringEncoding::UTF8)?;
        let encoder = ComponentEncoder::default().module(&module);
        Ok(encoder?.validate(true).encode()?)
    }

    /// The imports that a call's text names.
    fn imports(&self, call: &Call) -> String {
        let mut text = String::new();
        for (key, item) in &self.resolve.worlds[self.command].imports {
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
