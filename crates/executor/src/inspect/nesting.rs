//! Finds component types inside each other too deep, one by one: whoever reads such types otherwise
//! reads them by recursion, and would use up its stack.

use std::ops::Range;

use wasmparser::{BinaryReader, ComponentType, ComponentTypeDeclaration, Parser, Payload, Result};

use super::{limits::MAX_TYPE_DEPTH, refusal::Refusal, rules};

/// Checks the types of a section before anything reads them. `bytes` is the file that `payload` is
/// of. What is malformed is left to the reader, which comes no further than this.
pub(super) fn check(bytes: &[u8], payload: &Payload<'_>) -> std::result::Result<(), Refusal> {
    let Payload::ComponentTypeSection(section) = payload else {
        return Ok(());
    };
    let depth = depth(bytes, section.range()).unwrap_or_default();
    rules::limit("component types inside each other", depth, MAX_TYPE_DEPTH)
}

/// The same for all types of a component.
pub(super) fn check_all(component: &[u8]) -> std::result::Result<(), Refusal> {
    let mut parser = Parser::new(0);
    parser.set_features(rules::FEATURES);
    let payloads = parser.parse_all(component).map_while(Result::ok);
    for payload in payloads {
        check(component, &payload)?;
    }
    Ok(())
}

/// How deep the types of a section go, or one more than is accepted.
fn depth(bytes: &[u8], section: Range<usize>) -> Result<u64> {
    const DECLARED_TYPE: u8 = 0x01;
    const COMPONENT: u8 = 0x41;
    const INSTANCE: u8 = 0x42;
    let mut reader = BinaryReader::new(&bytes[section.clone()], section.start);
    reader.set_features(rules::FEATURES);
    // How many entries each open list still has: the section's own, then declarations.
    let mut open = vec![reader.read_var_u32()?];
    let mut deepest = 0;
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        if open.len() > 1 && reader.clone().read_u8()? != DECLARED_TYPE {
            reader.read::<ComponentTypeDeclaration<'_>>()?;
            continue;
        }
        if open.len() > 1 {
            reader.read_u8()?;
        }
        if !matches!(reader.clone().read_u8()?, COMPONENT | INSTANCE) {
            reader.read::<ComponentType<'_>>()?;
            continue;
        }
        reader.read_u8()?;
        open.push(reader.read_var_u32()?);
        deepest = deepest.max(open.len() as u64 - 1);
        if deepest > MAX_TYPE_DEPTH {
            break;
        }
    }
    Ok(deepest)
}
