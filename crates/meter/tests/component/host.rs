//! Runs components as they are and metered, as a host does that knows the meter's names.

use opensky_meter::{DEPTH, FUEL_LEFT, FUEL_LIMIT, FUEL_REPORT, METER, NATIVE_STACK};
use wasmtime::{
    Config, Engine, Error, Store, StoreContextMut, Trap, WasmBacktrace,
    component::{Component, Instance, Linker, Val},
};

/// More than any test needs.
pub const PLENTY: i64 = 1 << 40;

/// How a call, or the instantiation before it, ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    Returned(String),
    OutOfFuel,
    Panicked,
    TooDeep,
    Exited,
    Trapped(String),
}

/// What the host has seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub end: End,
    /// What is left of the fuel, if the instance could be asked afterwards.
    pub left: Option<i64>,
    /// What was reported to be left.
    pub reported: Option<i64>,
    /// Functions of the program, innermost first, if it was stopped.
    pub stack: Vec<String>,
    /// Calls of `tick`.
    pub ticks: u32,
}

struct State {
    limit: i64,
    reported: Option<i64>,
    ticks: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("the program has exited")]
struct Exit;

/// The binary form of a component, without any meter.
pub fn plain(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

/// The metered form, which must be valid, the same each time, and metered only once.
pub fn metered(text: &str) -> Vec<u8> {
    let plain = plain(text);
    let metered = opensky_meter::component(&plain).expect("it is metered");
    let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
    if let Err(error) = validator.validate_all(&metered) {
        panic!("the pass made an invalid component: {error}");
    }
    assert_eq!(
        opensky_meter::component(&plain).expect("it is metered"),
        metered
    );
    let again = opensky_meter::component(&metered).expect_err("it is metered already");
    assert!(
        again.to_string().contains("belongs to the meter"),
        "{again}"
    );
    metered
}

/// A component as native code, of which there are any number of instances.
pub struct Native {
    engine: Engine,
    component: Component,
}

/// Calls an exported function with `limit` fuel, in an instance of its own.
pub fn call(bytes: &[u8], name: &str, args: &[Val], limit: i64) -> Seen {
    Native::of(bytes).call(name, args, limit)
}

/// Makes an instance and calls nothing.
pub fn instantiate(bytes: &[u8], limit: i64) -> Seen {
    Native::of(bytes).run(None, limit)
}

impl Native {
    pub fn of(bytes: &[u8]) -> Self {
        let mut config = Config::new();
        config.max_wasm_stack(NATIVE_STACK);
        config.async_stack_size(NATIVE_STACK);
        let engine = Engine::new(&config).expect("the engine starts");
        let component = Component::new(&engine, bytes).expect("the component is valid");
        Self { engine, component }
    }

    /// As the function of this name.
    pub fn call(&self, name: &str, args: &[Val], limit: i64) -> Seen {
        // The main thread of a test has too little stack.
        let run = || self.run(Some((name, args)), limit);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(NATIVE_STACK + (1 << 20));
            let thread = thread.spawn_scoped(scope, run).expect("a thread starts");
            thread.join().expect("the host does not panic")
        })
    }

    fn run(&self, call: Option<(&str, &[Val])>, limit: i64) -> Seen {
        let state = State {
            limit,
            reported: None,
            ticks: 0,
        };
        let mut store = Store::new(&self.engine, state);
        let instance = linker(&self.engine).instantiate(&mut store, &self.component);
        let (outcome, left) = match instance {
            Ok(instance) => {
                let outcome = call.map_or(Ok(String::new()), |(name, args)| {
                    call_export(&mut store, &instance, name, args)
                });
                (outcome, fuel_left(&mut store, &instance))
            }
            Err(error) => (Err(error), None),
        };
        let (end, stack) = match outcome {
            Ok(results) => (End::Returned(results), Vec::new()),
            Err(error) => (end(&error), stack(&error)),
        };
        let state = store.into_data();
        Seen {
            end,
            left,
            reported: state.reported,
            stack,
            ticks: state.ticks,
        }
    }
}

type Stored<'a> = StoreContextMut<'a, State>;

fn linker(engine: &Engine) -> Linker<State> {
    let mut linker = Linker::<State>::new(engine);
    let mut root = linker.root();
    let defined = root
        .func_wrap(FUEL_LIMIT, |store: Stored<'_>, ()| {
            Ok((store.data().limit,))
        })
        .and_then(|()| {
            root.func_wrap(FUEL_REPORT, |mut store: Stored<'_>, (rest,): (i64,)| {
                store.data_mut().reported = Some(rest);
                Ok(())
            })
        })
        .and_then(|()| {
            root.func_wrap("tick", |mut store: Stored<'_>, ()| {
                store.data_mut().ticks += 1;
                Ok(())
            })
        })
        .and_then(|()| root.func_wrap("echo", |_: Stored<'_>, (text,): (String,)| Ok((text,))))
        .and_then(|()| {
            let mut exit = root.instance("wasi:cli/exit@0.2.0")?;
            exit.func_wrap(
                "exit",
                |_: Stored<'_>, (_,): (Result<(), ()>,)| -> Result<(), Error> {
                    Err(Error::new(Exit))
                },
            )
        });
    defined.expect("names are defined once");
    linker
}

fn call_export(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
    args: &[Val],
) -> Result<String, Error> {
    let function = instance
        .get_func(&mut *store, name)
        .expect("it is exported");
    let mut results = vec![Val::Bool(false); function.ty(&*store).results().len()];
    function.call(store, args, &mut results)?;
    Ok(format!("{results:?}"))
}

fn fuel_left(store: &mut Store<State>, instance: &Instance) -> Option<i64> {
    let left = instance
        .get_typed_func::<(), (i64,)>(&mut *store, FUEL_LEFT)
        .ok()?;
    left.call(store, ()).ok().map(|(left,)| left)
}

/// What an error means to a host that knows the meter.
fn end(error: &Error) -> End {
    if error.is::<Exit>() {
        return End::Exited;
    }
    let in_meter = frames(error).next().filter(|(module, _)| module == METER);
    match (in_meter, error.downcast_ref::<Trap>()) {
        (Some((_, function)), _) if function == "panic" => End::Panicked,
        (Some((_, function)), _) if function == "too-deep" => End::TooDeep,
        (None, Some(Trap::UnreachableCodeReached)) => End::OutOfFuel,
        (_, trap) => End::Trapped(format!("{trap:?} {error}")),
    }
}

fn stack(error: &Error) -> Vec<String> {
    frames(error).map(|(_, function)| function).collect()
}

/// Modules and functions of the frames, innermost first.
fn frames(error: &Error) -> impl Iterator<Item = (String, String)> + '_ {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let frames = backtrace
        .into_iter()
        .flat_map(|backtrace| backtrace.frames());
    frames.map(|frame| {
        let module = frame.module().name().unwrap_or_default();
        (
            module.to_owned(),
            frame.func_name().unwrap_or_default().to_owned(),
        )
    })
}

/// The fuel that a call needs: it returns with that, and with one less it does not.
pub fn need(bytes: &[u8], name: &str, args: &[Val]) -> i64 {
    let seen = call(bytes, name, args, PLENTY);
    assert!(matches!(seen.end, End::Returned(_)), "{seen:?}");
    let need = PLENTY - seen.left.expect("it can be asked");
    let enough = call(bytes, name, args, need);
    assert_eq!((enough.end, enough.left), (seen.end, Some(0)));
    let short = call(bytes, name, args, need - 1);
    let is_out = short.end == End::OutOfFuel || short.left == Some(-1);
    assert!(is_out, "one less than {need}: {short:?}");
    need
}

/// Frames of the smallest kind that fit into the depth, at most.
pub fn most_frames() -> i64 {
    i64::from(DEPTH) / 48
}
