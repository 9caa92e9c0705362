//! Meters and runs modules: bytes that are valid as they are, and modules made from any others.
#![no_main]

#[path = "../../crates/meter/tests/bench/mod.rs"]
mod bench;

use std::{
    collections::BTreeSet,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use libfuzzer_sys::{
    arbitrary::{Arbitrary, Result, Unstructured},
    fuzz_target,
};
use opensky_meter::{Context, MeterError};
use wasmparser::Validator;
use wasmtime::{Engine, OptLevel};

fuzz_target!(|bytes: &[u8]| {
    // Such bytes are hardly ever anything else, and as they are they lead to more of their kind.
    if bytes.starts_with(b"\0asm") {
        bench::on_a_large_stack(|| check(bytes, Plan::AS_IT_IS));
    } else {
        // What cannot be made into a module is no module.
        let _ = check_made_from(bytes);
    }
});

/// The metered form. Core modules have one if they are valid.
fn metered(bytes: &[u8], context: &Context) -> Option<Vec<u8>> {
    match opensky_meter::module(bytes, context) {
        Ok(_) => Some(bench::metered_in(bytes, context)),
        Err(MeterError::Invalid(error)) => {
            let features = opensky_meter::features();
            let valid = Validator::new_with_features(features).validate_all(bytes);
            assert!(valid.is_err(), "{error}");
            None
        }
        Err(_) => None,
    }
}

/// A function that is still running with that is not followed to its end.
const MOST: i64 = 1 << 20;

/// What the slow count runs on: it makes NaNs canonical by itself.
static REFERENCE: LazyLock<Engine> = LazyLock::new(bench::canonical);

/// What metered modules run on: engines that know nothing of fuel or NaNs.
static ENGINES: LazyLock<[Engine; 3]> = LazyLock::new(|| {
    [
        bench::engine(OptLevel::None),
        bench::engine(OptLevel::Speed),
        bench::pulley(),
    ]
});

/// What a module is like, and how it is run.
#[derive(Clone, Copy, Arbitrary)]
struct Plan {
    may_trap: bool,
    may_import: bool,
    has_references: bool,
    /// It stops by itself, rather than when its fuel is used up.
    stops: bool,
    /// No export is called while an import is being called.
    has_one_entry: bool,
    salt: u64,
    limit: u32,
}

impl Plan {
    /// A module that was not made by plan.
    const AS_IT_IS: Self = Self {
        may_trap: true,
        may_import: true,
        has_references: true,
        stops: false,
        has_one_entry: false,
        salt: 0,
        limit: 1_000,
    };
}

fn check_made_from(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    let plan = Plan::arbitrary(&mut bytes)?;
    let mut module = wasm_smith::Module::new(shape(plan), &mut bytes)?;
    if plan.stops {
        let _ = module.ensure_termination(1_000);
    }
    let module = module.to_bytes();
    bench::on_a_large_stack(|| check(&module, plan));
    Ok(())
}

fn shape(plan: Plan) -> wasm_smith::Config {
    wasm_smith::Config {
        disallow_traps: !plan.may_trap,
        max_imports: if plan.may_import { 6 } else { 0 },
        reference_types_enabled: plan.has_references,
        max_tables: if plan.has_references { 3 } else { 1 },
        ..bench::shape()
    }
}

fn check(plain: &[u8], plan: Plan) {
    let context = Context {
        reentered: plan.has_one_entry.then(BTreeSet::new),
        exits: None,
    };
    let Some(metered) = metered(plain, &context) else {
        // Of references the profile has those to functions only.
        return assert!(plan.has_references);
    };
    let forms = bench::Forms::of(plain, &metered, &REFERENCE, &*ENGINES);
    let Some(forms) = forms.filter(bench::Forms::is_small) else {
        return;
    };
    let (mut calls, mut returned) = (0, 0);
    for name in forms.functions() {
        let need = forms.check(&name, MOST, plan.salt);
        let most = need.map_or(MOST, |need| 2 * need + 1);
        forms.everywhere(&name, i64::from(plan.limit) % most, plan.salt);
        calls += 1;
        returned += u64::from(need.is_some());
    }
    count(calls, returned);
}

/// Says now and then how much has been run: libFuzzer counts inputs, of which not all become modules.
fn count(calls: u64, returned: u64) {
    static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
    let modules = COUNTS[0].fetch_add(1, Relaxed) + 1;
    let calls = COUNTS[1].fetch_add(calls, Relaxed) + calls;
    let returned = COUNTS[2].fetch_add(returned, Relaxed) + returned;
    if modules.is_power_of_two() || modules.is_multiple_of(10_000) {
        eprintln!("{modules} modules ran, {calls} functions were called, {returned} returned");
    }
}
