//! Meters arbitrary bytes as components, and components made from them; those that hold one module
//! are run, and need what the module needs alone.
#![no_main]

#[path = "../../crates/meter/tests/bench/mod.rs"]
mod bench;
#[path = "../../crates/meter/tests/component/host.rs"]
#[allow(dead_code, reason = "the tests need all of it")]
mod host;

use std::{
    collections::BTreeSet,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use opensky_meter::{Context, MeterError};
use wasm_encoder::{
    ComponentBuilder, ComponentExportKind, ComponentValType, ExportKind, ModuleArg,
    PrimitiveValType,
};
use wasmtime::{Engine, FuncType, Module, OptLevel, ValType, component::Val};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // What cannot be made into a component was tried as it is.
    let _ = check_made_from(bytes);
});

fn check_made_from(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    if bytes.ratio(1, 2)? {
        let shape = wasm_smith::Config {
            max_imports: 20,
            ..bench::shape()
        };
        let component = wasm_smith::Component::new(shape, &mut bytes)?;
        let metered = check(&component.to_bytes());
        count(if metered.is_some() {
            &METERED
        } else {
            &REFUSED
        });
        return Ok(());
    }
    let shape = wasm_smith::Config {
        disallow_traps: bytes.arbitrary()?,
        // One of the two hosts sets no limit to growth.
        memory_max_size_required: true,
        ..bench::shape()
    };
    let mut module = wasm_smith::Module::new(shape, &mut bytes)?;
    if module.ensure_termination(1_000).is_ok() {
        run(&module.to_bytes());
        count(&RAN);
    }
    Ok(())
}

/// What became of the components that were made, as far as the shapes are known.
static METERED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static RAN: AtomicU64 = AtomicU64::new(0);

/// Says now and then how much has been tried: libFuzzer counts inputs.
fn count(what: &AtomicU64) {
    what.fetch_add(1, Relaxed);
    let [metered, refused, ran] = [&METERED, &REFUSED, &RAN].map(|count| count.load(Relaxed));
    let all = metered + refused + ran;
    if all.is_power_of_two() || all.is_multiple_of(10_000) {
        eprintln!("{ran} components ran, {metered} others were metered, {refused} refused");
    }
}

/// The metered form, if there is one: it is valid, the same each time, and not metered again.
fn check(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_valid = |bytes: &[u8]| {
        let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
        validator.validate_all(bytes).is_ok()
    };
    let metered = match opensky_meter::component(bytes) {
        Ok(metered) => metered,
        Err(error) => {
            let refused_as_invalid = matches!(error, MeterError::Invalid(_));
            assert!(!refused_as_invalid || !is_valid(bytes), "{error}");
            return None;
        }
    };
    assert!(is_valid(bytes) && is_valid(&metered));
    let again = opensky_meter::component(bytes).expect("it is metered");
    assert!(again == metered, "the pass is a function");
    let twice = opensky_meter::component(&metered);
    assert!(matches!(twice, Err(MeterError::Reserved(_))), "{twice:?}");
    Some(metered)
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| bench::engine(OptLevel::None));

/// Runs what a module exports, alone and in a component.
fn run(module: &[u8]) {
    let context = Context {
        reentered: Some(BTreeSet::new()),
        exits: None,
    };
    let alone = opensky_meter::module(module, &context).expect("it is valid");
    let startup = i64::try_from(alone.startup).expect("it is small");
    let alone = Module::new(&ENGINE, &alone.bytes).expect("it compiles");
    let lifted = lifted(&alone);
    let component = in_component(module, &lifted);
    let component = check(&component).expect("it has one module and no imports");
    for (index, (name, ty)) in lifted.iter().enumerate() {
        let alone = bench::on_a_large_stack(|| bench::run(&alone, name, bench::PLENTY, 0));
        let seen = host::call(&component, &export(index), &zeros(ty), bench::PLENTY);
        let ends = (&alone.end, &seen.end);
        let is_same = matches!(
            ends,
            (bench::End::Returned, host::End::Returned(_))
                | (bench::End::Panicked, host::End::Panicked)
                | (bench::End::TooDeep, host::End::TooDeep)
                | (bench::End::Trapped(_), host::End::Trapped(_))
        );
        assert!(is_same, "{name}: {ends:?}");
        if alone.end == bench::End::Returned {
            assert_eq!(seen.left, Some(alone.left - startup), "{name}");
        }
    }
}

/// The functions of a module that a component can export as they are.
fn lifted(module: &Module) -> Vec<(String, FuncType)> {
    let functions = module.exports().filter_map(|export| {
        let ty = export.ty().func()?.clone();
        let is_flat = ty.params().len() <= 16 && ty.results().len() <= 1;
        let is_plain = ty
            .params()
            .chain(ty.results())
            .all(|ty| plain(&ty).is_some());
        (is_flat && is_plain).then(|| (export.name().to_owned(), ty))
    });
    functions.collect()
}

fn plain(ty: &ValType) -> Option<PrimitiveValType> {
    match ty {
        ValType::I32 => Some(PrimitiveValType::S32),
        ValType::I64 => Some(PrimitiveValType::S64),
        ValType::F32 => Some(PrimitiveValType::F32),
        ValType::F64 => Some(PrimitiveValType::F64),
        _ => None,
    }
}

fn zeros(ty: &FuncType) -> Vec<Val> {
    let zeros = ty.params().map(|ty| match ty {
        ValType::I64 => Val::S64(0),
        ValType::F32 => Val::Float32(0.0),
        ValType::F64 => Val::Float64(0.0),
        _ => Val::S32(0),
    });
    zeros.collect()
}

fn export(index: usize) -> String {
    format!("f{index}")
}

/// A component that exports these functions of a module without imports.
fn in_component(module: &[u8], functions: &[(String, FuncType)]) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let module = component.core_module_raw(None, module);
    let no_args: [(&str, ModuleArg); 0] = [];
    let instance = component.core_instantiate(None, module, no_args);
    for (index, (name, ty)) in functions.iter().enumerate() {
        let core = component.core_alias_export(None, instance, name, ExportKind::Func);
        let value = |ty: ValType| {
            ComponentValType::Primitive(plain(&ty).expect("only such functions are lifted"))
        };
        let params: Vec<_> = ty.params().map(value).enumerate().collect();
        let params = params.iter().map(|&(at, ty)| (format!("p{at}"), ty));
        let params: Vec<_> = params.collect();
        let (number, mut encoder) = component.type_function(None);
        encoder
            .params(params.iter().map(|(name, ty)| (name.as_str(), *ty)))
            .result(ty.result(0).map(value));
        let function = component.lift_func(None, core, number, []);
        component.export(
            export(index).as_str(),
            ComponentExportKind::Func,
            function,
            None,
        );
    }
    component.finish()
}
