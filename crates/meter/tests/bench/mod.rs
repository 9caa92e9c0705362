//! Runs core modules as they are, metered, and with the slow count, in a plain engine.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::hash::{DefaultHasher, Hash, Hasher};

use opensky_meter::{Context, cost};
use wasm_encoder::{
    BlockType, CodeSection, EntityType, Function, GlobalType, ImportSection, Instruction as I,
    Module, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmtime::{
    Config, Engine, Extern, Global, GlobalType as HostGlobal, Instance, Mutability, OptLevel,
    Store, Trap, Val, ValType as HostType,
};

/// What running a module shows.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Seen {
    pub end: End,
    /// What is left of the limit. Exact if it returned.
    pub left: i64,
    /// Results and memory.
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

fn config() -> Config {
    let mut config = Config::new();
    config.max_wasm_stack(opensky_meter::NATIVE_STACK);
    config.async_stack_size(opensky_meter::NATIVE_STACK);
    config
}

/// The metered form, which must be valid.
pub fn metered(bytes: &[u8]) -> Vec<u8> {
    let metered = opensky_meter::module(bytes, &Context::default()).expect("it is metered");
    let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
    if let Err(error) = validator.validate_all(&metered.bytes) {
        panic!("the pass made an invalid module: {error}");
    }
    metered.bytes
}

/// The slow count: every operator is charged right before it runs.
pub fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut counter = Counter {
        imports_done: false,
        globals: 0,
    };
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        if let wasmparser::Payload::ImportSection(imports) = payload.expect("the module is valid") {
            let imports = imports
                .into_imports()
                .map(|import| import.expect("the module is valid"));
            let globals =
                imports.filter(|import| matches!(import.ty, wasmparser::TypeRef::Global(_)));
            counter.globals = globals.count() as u32;
        }
    }
    let mut module = Module::new();
    counter
        .parse_core_module(&mut module, wasmparser::Parser::new(0), bytes)
        .expect("the module is valid");
    module.finish()
}

struct Counter {
    imports_done: bool,
    globals: u32,
}

impl Counter {
    fn import(&mut self, imports: &mut ImportSection) {
        self.imports_done = true;
        for (name, val_type) in [
            ("fuel", ValType::I64),
            ("count", ValType::I32),
            ("result", ValType::I32),
        ] {
            let global = GlobalType {
                val_type,
                mutable: true,
                shared: false,
            };
            imports.import(opensky_meter::METER, name, EntityType::Global(global));
        }
    }
}

impl Reencode for Counter {
    type Error = std::convert::Infallible;

    fn global_index(&mut self, global: u32) -> Result<u32, Error> {
        Ok(global + if global < self.globals { 0 } else { 3 })
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_import_section(self, imports, section)?;
        self.import(imports);
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<wasm_encoder::SectionId>,
        before: Option<wasm_encoder::SectionId>,
    ) -> Result<(), Error> {
        use wasm_encoder::SectionId::{Custom, Import, Type};
        if !self.imports_done && !matches!(before, Some(Type | Import | Custom)) {
            let mut imports = ImportSection::new();
            self.import(&mut imports);
            module.section(&imports);
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error> {
        let mut function: Function = self.new_function_with_parsed_locals(&body)?;
        for op in body.get_operators_reader()? {
            let op = op?;
            let fuel = self.globals;
            let mut write =
                |code: &[I<'_>]| code.iter().for_each(|code| _ = function.instruction(code));
            write(&[
                I::GlobalGet(fuel),
                I::I64Const(cost::of(&op) as i64),
                I::I64Sub,
                I::GlobalSet(fuel),
            ]);
            let Some(unit) = cost::per_unit(&op) else {
                function.instruction(&self.instruction(op)?);
                continue;
            };
            let (count, result) = (fuel + 1, fuel + 2);
            let shift = match unit.shift {
                0.. => [I::I64Const(unit.shift.into()), I::I64ShrU],
                _ => [I::I64Const((-unit.shift).into()), I::I64Shl],
            };
            let price = [&[I::GlobalGet(count), I::I64ExtendI32U], &shift[..]].concat();
            write(&[I::GlobalSet(count), I::GlobalGet(fuel)]);
            write(&price);
            write(&[I::I64Sub, I::GlobalSet(fuel), I::GlobalGet(count)]);
            write(&[self.instruction(op)?]);
            if unit.may_fail {
                write(&[
                    I::GlobalSet(result),
                    I::GlobalGet(result),
                    I::I32Const(-1),
                    I::I32Eq,
                ]);
                write(&[I::If(BlockType::Empty), I::GlobalGet(fuel)]);
                write(&price);
                write(&[I::I64Add, I::GlobalSet(fuel), I::End, I::GlobalGet(result)]);
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Calls the exported function `name` of a fresh instance with zeros.
pub fn call(engine: &Engine, bytes: &[u8], name: &str, limit: i64) -> Seen {
    let module = wasmtime::Module::new(engine, bytes).expect("the module compiles");
    let mut store = Store::new(engine, ());
    let fuel = global(&mut store, HostType::I64, Val::I64(limit));
    let depth = global(&mut store, HostType::I32, Val::I32(opensky_meter::DEPTH));
    let imports: Vec<Extern> = module
        .imports()
        .map(|import| match (import.module(), import.name()) {
            (opensky_meter::METER, "fuel") => fuel.into(),
            (opensky_meter::METER, "depth") => depth.into(),
            (opensky_meter::METER, "count" | "result") => {
                global(&mut store, HostType::I32, Val::I32(0)).into()
            }
            (opensky_meter::METER, name) => {
                let ends = match name {
                    "panic" => Some("panicked"),
                    "too-deep" => Some("too deep"),
                    _ => None,
                };
                wasmtime::Func::wrap(&mut store, move || match ends {
                    Some(why) => Err(wasmtime::Error::msg(why)),
                    None => Ok(()),
                })
                .into()
            }
            (module, name) => panic!("{module}.{name} is not there"),
        })
        .collect();
    let mut digest = DefaultHasher::new();
    let ended = Instance::new(&mut store, &module, &imports).and_then(|instance| {
        let function = instance.get_func(&mut store, name).expect("it is exported");
        let ty = function.ty(&store);
        let args: Vec<Val> = ty
            .params()
            .map(|ty| Val::default_for_ty(&ty).expect("it has a zero"))
            .collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        let ended = function.call(&mut store, &args, &mut results);
        if ended.is_ok() {
            for result in &results {
                match result {
                    Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => {
                        format!("{result:?}").hash(&mut digest);
                    }
                    Val::FuncRef(function) => function.is_none().hash(&mut digest),
                    _ => {}
                }
            }
        }
        let memories: Vec<_> = instance
            .exports(&mut store)
            .filter_map(wasmtime::Export::into_memory)
            .collect();
        for memory in memories {
            memory.data(&store).hash(&mut digest);
        }
        ended
    });
    let Val::I64(left) = fuel.get(&mut store) else {
        unreachable!("fuel is an i64");
    };
    Seen {
        end: end(ended, left),
        left,
        digest: digest.finish(),
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

fn global(store: &mut Store<()>, ty: HostType, value: Val) -> Global {
    Global::new(store, HostGlobal::new(ty, Mutability::Var), value).expect("the global is made")
}

/// The exported functions of a module.
pub fn exports(engine: &Engine, bytes: &[u8]) -> Vec<String> {
    let module = wasmtime::Module::new(engine, bytes).expect("the module compiles");
    let exports = module
        .exports()
        .filter(|export| export.ty().func().is_some());
    exports.map(|export| export.name().to_owned()).collect()
}

/// More than any test needs.
pub const PLENTY: i64 = 1 << 40;

/// Checks one function of a module. Returns what it needs, if it returns.
pub fn check(engine: &wasmtime::Engine, plain: &[u8], metered: &[u8], name: &str) -> Option<i64> {
    let slow = call(engine, &counted(plain), name, PLENTY);
    let fast = call(engine, metered, name, PLENTY);
    if slow.end != End::Returned {
        // What a trap has used is not exact, but how it ends is.
        let same =
            matches!(fast.end, End::Panicked) || fast.end == slow.end || slow.end == End::OutOfFuel;
        assert!(same, "{name}: {slow:?} {fast:?}");
        return None;
    }
    assert_eq!(slow, fast, "{name}");
    let need = PLENTY - slow.left;
    for limit in [0, need / 3, need / 2, need - 1, need, need + 1] {
        let seen = call(engine, metered, name, limit);
        let expected = if limit < need {
            End::OutOfFuel
        } else {
            End::Returned
        };
        assert_eq!(seen.end, expected, "{name} with {limit} of {need}");
        if limit >= need {
            assert_eq!(seen.left, limit - need);
            assert_eq!(seen.digest, slow.digest);
        }
    }
    Some(need)
}

/// A random module without imports, whose functions end.
pub fn random(seed: &[u8]) -> Option<Vec<u8>> {
    let config = wasm_smith::Config {
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
    };
    let mut module =
        wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(seed)).ok()?;
    module.ensure_termination(1_000).ok()?;
    Some(module.to_bytes())
}
