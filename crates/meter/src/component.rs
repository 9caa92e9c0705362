//! Meters a component: its core modules share one meter, which stands in front of them.

mod encode;
mod modules;
mod prefix;
mod survey;
mod weight;

use crate::{Context, MeterError, Metered, module, room};

/// The import of a metered component that asks the host for the fuel, before any code of the program
/// runs: `func() -> s64`.
pub const FUEL_LIMIT: &str = "opensky-fuel-limit";
/// The import of a metered component that tells the host how much fuel is left when the program is
/// about to end for good: `func(rest: s64)`.
pub const FUEL_REPORT: &str = "opensky-fuel-report";
/// The export of a metered component that tells how much fuel is left, while the instance can still
/// be entered: `func() -> s64`.
pub const FUEL_LEFT: &str = "opensky-fuel-left";

/// The metered form of a component.
///
/// It imports [`FUEL_LIMIT`] and [`FUEL_REPORT`] in front of all that it imported before, exports
/// [`FUEL_LEFT`], and is to its host what it was otherwise. All its core modules draw on one fuel and
/// on one depth, start functions included; what the instances hold at the start is taken from the
/// fuel first. Less than no fuel may be left at the end: then the limit was too low.
///
/// The host must not call an export while one of its own functions is being called. The component
/// model forbids that, but not every engine checks it.
///
/// # Errors
/// The component is not valid with the [`features`](crate::features) of the profile, is metered
/// already, is larger than what can be read in time or so large that what is added finds no room, or
/// has code where the meter does not reach: in a component inside of it, or in core modules and
/// components that are passed around.
pub fn component(bytes: &[u8]) -> Result<Vec<u8>, MeterError> {
    let modules = survey::survey(bytes)?;
    let mut metered = Vec::with_capacity(modules.len());
    let mut startup = 0_u64;
    for found in modules {
        let context = Context {
            reentered: Some(found.reentered),
            exits: Some(found.exits),
        };
        let Metered {
            bytes,
            startup: each,
        } = module(&bytes[found.range], &context)?;
        startup = startup.saturating_add(each.saturating_mul(found.instances));
        metered.push(bytes);
    }
    let metered = encode::encode(bytes, &metered, startup)?;
    room::check(&metered)?;
    Ok(metered)
}
