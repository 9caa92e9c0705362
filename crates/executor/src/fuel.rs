//! How fuel is counted: the one place that changes when a profile brings its own meter.

use wasmtime::{AsContext, AsContextMut, Config, Error};

use crate::host::Stop;

/// Turns on the engine's own counting, exact and the same on every host: copy-on-write images are
/// off, because data segments are charged only where there are none.
pub(crate) fn configure(config: &mut Config) {
    config.consume_fuel(true);
    config.epoch_interruption(false);
    config.memory_init_cow(false);
}

/// Gives a store the fuel that is left to its unit.
pub(crate) fn fill(mut store: impl AsContextMut, limit: u64) {
    store
        .as_context_mut()
        .set_fuel(limit)
        .expect("fuel is configured in every engine");
}

/// What is left. 0 after running out.
pub(crate) fn left(store: impl AsContext) -> u64 {
    store
        .as_context()
        .get_fuel()
        .expect("fuel is configured in every engine")
}

/// Takes `cost` from what is left, or ends the guest.
pub(crate) fn charge(mut store: impl AsContextMut, cost: u64) -> Result<(), Error> {
    let rest = left(&mut store).checked_sub(cost);
    fill(&mut store, rest.unwrap_or(0));
    rest.map(drop).ok_or_else(|| Stop::OutOfFuel.into())
}
