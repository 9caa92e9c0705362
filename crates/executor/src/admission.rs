//! Decides whether a file may become a program: before it is compiled, run or signed, and by its
//! bytes alone, so that every node decides the same.

use opensky_protocol::Digest;

use crate::inspect::{Entry, Exports, Inspection, Kind, Refusal, inspect};

/// A component that the sandbox accepts. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct Admitted(Inspection);

/// Accepts a component in the binary format, or says why not: the first reason that is found.
///
/// A core module is refused: adapt it first, so that the digest covers the adapter. How much
/// memory a component asks for is not judged here, because the unit's limit decides that.
pub fn admit(bytes: &[u8]) -> Result<Admitted, Refusal> {
    let inspection = inspect(bytes)?;
    match inspection.kind {
        Kind::Component => {}
        Kind::Preview1Command => {
            return Err(Refusal::CoreModule {
                advice: "adapt it from WASI preview 1 to a component first",
            });
        }
        Kind::CoreModule => {
            return Err(Refusal::CoreModule {
                advice: "build it for `wasm32-wasip2`, or as a WASI preview-1 command",
            });
        }
    }
    let refusal = inspection
        .imports
        .iter()
        .find_map(|import| import.refusal.clone());
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if inspection.entries.is_empty() {
        return Err(Refusal::NoEntry {
            exports: Exports(inspection.exports),
        });
    }
    Ok(Admitted(inspection))
}

impl Admitted {
    /// What reading it told.
    pub fn inspection(&self) -> &Inspection {
        &self.0
    }

    /// The program's name: the digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What runs when nothing is said.
    pub fn entry(&self) -> Entry {
        self.0.entries[0]
    }
}
