//! How fuel is counted: the one place where profiles differ in it.

use std::borrow::Cow;

use opensky_meter::{FUEL_LEFT, FUEL_LIMIT, FUEL_REPORT, METER, MeterError};
use opensky_protocol::Abort;
use wasmtime::{
    AsContext, AsContextMut, Config, Error, Store, StoreContextMut, Trap, WasmBacktrace,
    component::{Component, ComponentExportIndex, Instance, Linker},
};

use crate::{
    host::{Host, Stop},
    profile::{Counter, Rules},
    run::Ended,
};

/// The functions of the meter's module in which a program ends that may not go on.
const PANIC: &str = "panic";
const TOO_DEEP: &str = "too-deep";

/// What one instance may use, where the program counts for itself: what the host adds to it, and
/// what the guest says of its own count before it ends in a way after which nobody can ask it.
#[derive(Default)]
pub(crate) struct Tank {
    limit: u64,
    by_host: u64,
    said: Option<i64>,
}

impl Tank {
    /// What the guest's counter begins with. It has a sign, so no more than that goes in.
    fn guests_limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }

    /// What is left if the guest's counter stands at `guests`. `None` if both together used more
    /// than there was.
    fn rest(&self, guests: i64) -> Option<u64> {
        let left = u64::try_from(guests).ok()?;
        let by_guest = self.guests_limit().unsigned_abs().checked_sub(left)?;
        self.limit.checked_sub(by_guest)?.checked_sub(self.by_host)
    }
}

/// Turns on the counting of the profile, exact and the same on every host.
pub(crate) fn configure(config: &mut Config, rules: &Rules) {
    let by_engine = rules.counter == Counter::Engine;
    config.consume_fuel(by_engine);
    config.epoch_interruption(false);
    // The engine charges data segments only where there is no image of them to map.
    config.memory_init_cow(!by_engine);
    // A metered program makes canonical what could be seen of a NaN.
    config.cranelift_nan_canonicalization(by_engine);
    // The hints of a metered program are those of its meter: where it hardly ever goes.
    config.wasm_branch_hinting(!by_engine);
}

/// The component that is compiled.
pub(crate) fn metered<'a>(rules: &Rules, component: &'a [u8]) -> Result<Cow<'a, [u8]>, MeterError> {
    match rules.counter {
        Counter::Engine => Ok(Cow::Borrowed(component)),
        Counter::Program => opensky_meter::component(component).map(Cow::Owned),
    }
}

/// Puts in place what a metered program calls. The guest itself cannot, so these are no host calls:
/// they cost nothing and no transcript has them.
pub(crate) fn define(linker: &mut Linker<Host>, rules: &Rules) -> wasmtime::Result<()> {
    if rules.counter == Counter::Engine {
        return Ok(());
    }
    let mut root = linker.root();
    root.func_wrap(FUEL_LIMIT, |store: StoreContextMut<'_, Host>, ()| {
        Ok((store.data().tank.guests_limit(),))
    })?;
    root.func_wrap(
        FUEL_REPORT,
        |mut store: StoreContextMut<'_, Host>, (rest,): (i64,)| {
            store.data_mut().tank.said = Some(rest);
            Ok(())
        },
    )
}

/// How an instance of `component` is asked for its counter, if it has one.
pub(crate) fn counter(component: &Component) -> Option<ComponentExportIndex> {
    component.get_export_index(None, FUEL_LEFT)
}

/// Gives a fresh store the fuel that is left to its unit.
pub(crate) fn fill(store: &mut Store<Host>, limit: u64) {
    match store.data().rules.counter {
        Counter::Engine => set(store, limit),
        Counter::Program => {
            store.data_mut().tank = Tank {
                limit,
                ..Tank::default()
            }
        }
    }
}

/// What host calls may still cost.
pub(crate) fn left(store: impl AsContext<Data = Host>) -> u64 {
    let store = store.as_context();
    let host = store.data();
    match host.rules.counter {
        Counter::Engine => store.get_fuel().expect("fuel is configured"),
        Counter::Program => host.tank.limit - host.tank.by_host,
    }
}

/// Takes `cost` from what is left, or ends the guest.
pub(crate) fn charge(mut store: impl AsContextMut<Data = Host>, cost: u64) -> Result<(), Stop> {
    let rest = left(&store).checked_sub(cost).ok_or(Stop::OutOfFuel)?;
    let mut store = store.as_context_mut();
    match store.data().rules.counter {
        Counter::Engine => set(store, rest),
        Counter::Program => store.data_mut().tank.by_host += cost,
    }
    Ok(())
}

fn set(mut store: impl AsContextMut, fuel: u64) {
    let mut store = store.as_context_mut();
    store.set_fuel(fuel).expect("fuel is configured");
}

/// Why a guest was stopped, as far as its meter knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// It needed more fuel than there was.
    OutOfFuel,
    /// It executed `unreachable`.
    Panic {
        /// The host was told what was left before that.
        told: bool,
    },
    /// Its calls were nested more deeply than the profile allows.
    Depth,
    /// Something that is no matter of the meter.
    Other,
}

/// Why the engine stopped a guest with this error.
pub(crate) fn cause(rules: &Rules, error: &Error) -> Cause {
    let trap = error.downcast_ref::<Trap>();
    match (rules.counter, trap) {
        (Counter::Engine, Some(Trap::OutOfFuel)) => Cause::OutOfFuel,
        (Counter::Engine, Some(Trap::UnreachableCodeReached)) => Cause::Panic { told: false },
        (Counter::Engine, _) => Cause::Other,
        (Counter::Program, trap) => by_place(trap, error),
    }
}

/// What a metered program does where it may not go on is one and the same for the engine, so the
/// place of it tells: the meter's own functions for all but a lack of fuel.
fn by_place(trap: Option<&Trap>, error: &Error) -> Cause {
    let unreachable = trap == Some(&Trap::UnreachableCodeReached);
    let trace = error.downcast_ref::<WasmBacktrace>();
    let Some(innermost) = trace.and_then(|trace| trace.frames().first()) else {
        return Cause::Other;
    };
    if innermost.module().name() != Some(METER) {
        return match unreachable {
            true => Cause::OutOfFuel,
            false => Cause::Other,
        };
    }
    match innermost.func_name() {
        // Where an instance may not be left, the report itself is a trap.
        Some(PANIC) => Cause::Panic { told: unreachable },
        Some(TOO_DEEP) => Cause::Depth,
        _ => Cause::Other,
    }
}

/// What is left of an instance's fuel after it has ended so, where that is exact; and how it ended:
/// a guest that has used, with its host, more than there was is out of fuel whatever else it did.
pub(crate) fn settle<R>(
    store: &mut Store<Host>,
    instance: Option<(Instance, ComponentExportIndex)>,
    ended: Result<R, Ended>,
) -> (Option<u64>, Result<R, Ended>) {
    match rest(store, instance, ended.as_ref().err()) {
        Ok(rest) => (rest, ended),
        Err(error) => (None, Err(Ended::Stopped(error))),
    }
}

fn rest(
    store: &mut Store<Host>,
    instance: Option<(Instance, ComponentExportIndex)>,
    ended: Option<&Ended>,
) -> Result<Option<u64>, Error> {
    let rules = store.data().rules;
    let guests = match (Known::of(rules, ended), rules.counter) {
        (Known::Nothing, _) => return Ok(None),
        (_, Counter::Engine) => return Ok(Some(left(store))),
        (Known::Asked, Counter::Program) => ask(store, instance)?,
        (Known::Told, Counter::Program) => store
            .data()
            .tank
            .said
            .ok_or(Stop::Trap("the way out was not one that the meter knows"))?,
    };
    let rest = store.data().tank.rest(guests);
    Ok(Some(rest.ok_or(Stop::OutOfFuel)?))
}

/// How the counter of an instance that has ended can be known.
enum Known {
    /// It came back from its calls, and can be asked.
    Asked,
    /// It said so before it ended for good.
    Told,
    /// It was stopped in its tracks.
    Nothing,
}

impl Known {
    fn of(rules: &Rules, ended: Option<&Ended>) -> Self {
        let error = match ended {
            None | Some(Ended::Error(_)) => return Self::Asked,
            Some(Ended::Stopped(error)) => error,
        };
        let has_left = matches!(error.downcast_ref(), Some(Stop::Exit(_)));
        match has_left || cause(rules, error) == (Cause::Panic { told: true }) {
            true => Self::Told,
            false => Self::Nothing,
        }
    }
}

/// The counter of an instance that can be entered.
fn ask(
    store: &mut Store<Host>,
    instance: Option<(Instance, ComponentExportIndex)>,
) -> Result<i64, Error> {
    let missing = || Stop::Abort(Abort::Internal("a program without a meter".into()));
    let (instance, export) = instance.ok_or_else(missing)?;
    let counter = instance.get_typed_func::<(), (i64,)>(&mut *store, export)?;
    let (left,) = counter.call(&mut *store, ())?;
    Ok(left)
}

#[cfg(test)]
mod tests;
