//! Whether what the meter adds has found room: WebAssembly's implementations agree on how large the
//! parts of a program may be.

use wasmparser::{Parser, Validator};

use crate::{MeterError, features};

/// Locals that a function may have, those of the meter included.
const MOST_LOCALS: usize = 50_000;

const LARGE: MeterError = MeterError::Unsupported("a program of this size");
const LOCALS: MeterError = MeterError::Unsupported("a function with this many locals");

/// Refuses a metered program of which a part has become too large. Bodies of functions are not looked
/// into, so this is quick.
pub(crate) fn check(metered: &[u8]) -> Result<(), MeterError> {
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(metered) {
        let payload = payload.map_err(|_| LARGE)?;
        validator.payload(&payload).map_err(|_| LARGE)?;
    }
    Ok(())
}

/// Refuses a function that has so many locals of its own that those of the meter do not fit.
pub(crate) fn check_locals(own: u32, added: usize) -> Result<(), MeterError> {
    match own as usize + added <= MOST_LOCALS {
        true => Ok(()),
        false => Err(LOCALS),
    }
}
