//! Runs core modules metered, and with the slow count, in a plain engine.
//!
//! The fuzz targets use this as well.
#![allow(dead_code, reason = "not every test needs all of it")]

mod check;
mod count;

use std::hash::{DefaultHasher, Hash, Hasher};

use opensky_meter::Context;
use wasmtime::{
    Config, Engine, Extern, ExternType, Func, FuncType, Global, GlobalType, Instance, Memory,
    Module, Mutability, OptLevel, Ref, Store, StoreLimits, StoreLimitsBuilder, Table, Trap, Val,
    ValType,
};

pub use self::{check::Forms, count::counted};

/// What running a module shows.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Seen {
    pub end: End,
    /// What is left of the limit. Exact if it returned.
    pub left: i64,
    /// Results, memories and globals.
    pub digest: u64,
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub enum End {
    Returned,
    OutOfFuel,
    Panicked,
    TooDeep,
    Trapped(String),
}

/// An engine that knows nothing of the meter.
pub fn engine(level: OptLevel) -> Engine {
    let mut config = config();
    config.cranelift_opt_level(level);
    Engine::new(&config).expect("the engine starts")
}

/// The same, without native code.
pub fn pulley() -> Engine {
    let mut config = config();
    config.target("pulley64").expect("it is compiled in");
    Engine::new(&config).expect("the engine starts")
}

/// An engine that gives NaNs their canonical form by itself.
pub fn canonical() -> Engine {
    let mut config = config();
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_nan_canonicalization(true);
    Engine::new(&config).expect("the engine starts")
}

fn config() -> Config {
    let mut config = Config::new();
    config.max_wasm_stack(opensky_meter::NATIVE_STACK);
    config.async_stack_size(opensky_meter::NATIVE_STACK);
    config.wasm_backtrace_max_frames(None);
    config.parallel_compilation(false);
    config
}

/// Does something on a stack of the size that the profile asks for.
pub fn on_a_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().stack_size(opensky_meter::NATIVE_STACK + (8 << 20));
        let thread = thread.spawn_scoped(scope, run).expect("a thread starts");
        thread.join().expect("it ends")
    })
}

/// The metered form, which must be valid.
pub fn metered(bytes: &[u8]) -> Vec<u8> {
    metered_in(bytes, &Context::default())
}

/// The metered form of a module that is used like that. It is valid, the same each time, and not
/// metered again.
pub fn metered_in(bytes: &[u8], context: &Context) -> Vec<u8> {
    let metered = opensky_meter::module(bytes, context).expect("it is metered");
    let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
    if let Err(error) = validator.validate_all(&metered.bytes) {
        panic!("the pass made an invalid module: {error}");
    }
    let again = opensky_meter::module(bytes, context).expect("it is metered");
    assert_eq!(again, metered, "the pass is a function");
    let twice = opensky_meter::module(&metered.bytes, context);
    let refused = matches!(twice, Err(opensky_meter::MeterError::Reserved(_)));
    assert!(refused, "it is metered already");
    metered.bytes
}

/// Calls the exported function `name` of a fresh instance with zeros.
pub fn call(engine: &Engine, bytes: &[u8], name: &str, limit: i64) -> Seen {
    let module = Module::new(engine, bytes).expect("the module compiles");
    run(&module, name, limit, 0)
}

/// Calls the exported function `name` of a fresh instance with arguments that follow from `salt`.
pub fn run(module: &Module, name: &str, limit: i64, salt: u64) -> Seen {
    let mut store = store(module.engine());
    let meter = Meter::new(&mut store, limit);
    let imports: Vec<Extern> = module
        .imports()
        .map(|import| match import.module() {
            opensky_meter::METER => meter.import(&mut store, import.name()),
            _ => anything(&mut store, import.ty()),
        })
        .collect();
    let mut digest = DefaultHasher::new();
    let ended = Instance::new(&mut store, module, &imports).and_then(|instance| {
        let function = instance.get_func(&mut store, name).expect("it is exported");
        let ended = call_with(&mut store, function, salt, &mut digest);
        what_is_left(&mut store, &instance, &mut digest);
        ended
    });
    let left = match meter.fuel.get(&mut store) {
        Val::I64(left) => left,
        other => unreachable!("fuel is an i64, not {other:?}"),
    };
    Seen {
        end: end(ended, left),
        left,
        digest: digest.finish(),
    }
}

/// Bytes that a memory may have, and elements that a table may.
pub const LARGEST: (usize, usize) = (8 << 20, 100_000);

/// Growth ends there, and not where the machine has no more.
fn store(engine: &Engine) -> Store<StoreLimits> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(LARGEST.0)
        .table_elements(LARGEST.1)
        .build();
    let mut store = Store::new(engine, limits);
    store.limiter(|limits| limits);
    store
}

/// What a metered module, or a counting one, finds under the meter's name.
struct Meter {
    fuel: Global,
    depth: Global,
}

impl Meter {
    fn new(store: &mut Store<StoreLimits>, limit: i64) -> Self {
        Self {
            fuel: global(store, Val::I64(limit)),
            depth: global(store, Val::I32(opensky_meter::DEPTH)),
        }
    }

    fn import(&self, store: &mut Store<StoreLimits>, name: &str) -> Extern {
        let ends = match name {
            "fuel" => return self.fuel.into(),
            "depth" => return self.depth.into(),
            "count" | "result" => return global(store, Val::I32(0)).into(),
            "panic" => Err("panicked"),
            "too-deep" => Err("too deep"),
            "exit" => Ok(()),
            _ => panic!("the meter has no `{name}`"),
        };
        Func::wrap(store, move || ends.map_err(wasmtime::Error::msg)).into()
    }
}

fn global(store: &mut Store<StoreLimits>, value: Val) -> Global {
    let ty = value.ty(&*store).expect("numbers have a type");
    Global::new(store, GlobalType::new(ty, Mutability::Var), value).expect("it is made")
}

/// Something of that type: functions give zeros, the rest is empty.
fn anything(store: &mut Store<StoreLimits>, ty: ExternType) -> Extern {
    match ty {
        ExternType::Func(ty) => Func::new(store, ty.clone(), move |_, _, results| {
            zeros(ty.results(), results);
            Ok(())
        })
        .into(),
        ExternType::Global(ty) => {
            let zero = Val::default_for_ty(ty.content()).expect("it has a zero");
            Global::new(store, ty, zero).expect("it is made").into()
        }
        ExternType::Table(ty) => Table::new(store, ty, Ref::Func(None))
            .expect("it is made")
            .into(),
        ExternType::Memory(ty) => Memory::new(store, ty).expect("it is made").into(),
        other => panic!("nobody has {other:?}"),
    }
}

fn zeros(types: impl Iterator<Item = ValType>, values: &mut [Val]) {
    for (ty, value) in types.zip(values) {
        *value = Val::default_for_ty(&ty).expect("it has a zero");
    }
}

fn call_with(
    store: &mut Store<StoreLimits>,
    function: Func,
    salt: u64,
    digest: &mut DefaultHasher,
) -> wasmtime::Result<()> {
    let ty = function.ty(&*store);
    let mut results = vec![Val::I32(0); ty.results().len()];
    function.call(&mut *store, &arguments(&ty, salt), &mut results)?;
    results.iter().for_each(|result| hash(result, digest));
    Ok(())
}

/// Zeros for salt 0, else numbers small and large, and floats that are whole.
fn arguments(ty: &FuncType, salt: u64) -> Vec<Val> {
    let mut state = salt;
    let arguments = ty.params().map(|ty| {
        state = state.rotate_left(13).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let number = state >> (state % 64);
        match ty {
            ValType::I32 => Val::I32(number as i32),
            ValType::I64 => Val::I64(number as i64),
            ValType::F32 => Val::F32((number as f32).to_bits()),
            ValType::F64 => Val::F64((number as f64).to_bits()),
            ty => Val::default_for_ty(&ty).expect("it has a zero"),
        }
    });
    arguments.collect()
}

fn what_is_left(store: &mut Store<StoreLimits>, instance: &Instance, digest: &mut DefaultHasher) {
    let exports: Vec<_> = instance
        .exports(&mut *store)
        .map(wasmtime::Export::into_extern)
        .collect();
    for export in exports {
        match export {
            Extern::Memory(memory) => memory.data(&*store).hash(digest),
            Extern::Global(global) => hash(&global.get(&mut *store), digest),
            _ => {}
        }
    }
}

fn hash(value: &Val, digest: &mut DefaultHasher) {
    match value {
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => {
            format!("{value:?}").hash(digest);
        }
        Val::FuncRef(function) => function.is_none().hash(digest),
        _ => {}
    }
}

fn end(ended: wasmtime::Result<()>, left: i64) -> End {
    let Err(error) = ended else {
        return if left < 0 {
            End::OutOfFuel
        } else {
            End::Returned
        };
    };
    match (
        error.root_cause().to_string().as_str(),
        error.downcast_ref::<Trap>(),
    ) {
        ("panicked", _) => End::Panicked,
        ("too deep", _) => End::TooDeep,
        (_, Some(Trap::UnreachableCodeReached)) => End::OutOfFuel,
        (_, Some(trap)) => End::Trapped(trap.to_string()),
        (other, None) => panic!("unexpected: {other}"),
    }
}

/// The exported functions of a module.
pub fn exports(engine: &Engine, bytes: &[u8]) -> Vec<String> {
    let module = Module::new(engine, bytes).expect("the module compiles");
    functions(&module).collect()
}

/// The names of the exported functions.
fn functions(module: &Module) -> impl Iterator<Item = String> + '_ {
    let exports = module.exports();
    let functions = exports.filter(|export| export.ty().func().is_some());
    functions.map(|export| export.name().to_owned())
}

/// More than any test needs.
pub const PLENTY: i64 = 1 << 60;

/// Checks one function of a module. Returns what it needs, if it returns.
pub fn check(engine: &Engine, plain: &[u8], metered: &[u8], name: &str) -> Option<i64> {
    let forms = Forms::of(plain, metered, &canonical(), std::slice::from_ref(engine));
    forms.expect("the module compiles").check(name, PLENTY, 0)
}

/// A random module without imports, whose functions end.
pub fn random(seed: &[u8]) -> Option<Vec<u8>> {
    let mut module =
        wasm_smith::Module::new(shape(), &mut arbitrary::Unstructured::new(seed)).ok()?;
    module.ensure_termination(1_000).ok()?;
    Some(module.to_bytes())
}

/// Modules of the profile that trap nowhere and import nothing.
pub fn shape() -> wasm_smith::Config {
    wasm_smith::Config {
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 8,
        max_instructions: 300,
        max_memory32_bytes: 1 << 20,
        max_memories: 1,
        max_table_elements: 1000,
        export_everything: true,
        disallow_traps: true,
        gc_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        // An `externref` needs a garbage collector.
        reference_types_enabled: false,
        ..wasm_smith::Config::default()
    }
}
