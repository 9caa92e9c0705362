//! What a stranger's program could begin with.

use std::time::{Duration, Instant};

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store,
};

use super::{fairness, kinds::written_out};
use crate::{Effort, Error};

/// Parts of a program that cost when an instance is made of it.
struct Start {
    name: &'static str,
    /// What the module has. It may import functions.
    parts: &'static str,
    /// What its start function does, lest work is only put off.
    first: &'static str,
}

const fn start(name: &'static str, parts: &'static str, first: &'static str) -> Start {
    Start { name, parts, first }
}

const STARTS: &[Start] = &[
    start("imports", r#"[1000:(import "a" "f#" (func))]"#, ""),
    start(
        "segments of no bytes",
        r#"(memory 0) [1000:(data (i32.const 0) "")]"#,
        "",
    ),
    start("passive segments", r#"[1000:(data "")]"#, ""),
    start(
        "a segment of 64 KiB",
        r#"(memory 2) (data (i32.const 512) "[65536:x]")"#,
        "(loop $next
            (local.set $x (i64.add (local.get $x) (i64.load (local.get $a))))
            (br_if $next (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 4096)))
                (i32.const 131072))))",
    ),
    start(
        "elements, each called",
        "(table 20000 funcref) (elem (i32.const 0) [20000:$f ])",
        "(loop $next
            (call_indirect (local.get $a))
            (br_if $next (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1)))
                (i32.const 20000))))",
    ),
    start(
        "elements that are expressions",
        "(table 5000 funcref) (elem (i32.const 0) funcref [5000:(ref.func $f) ])",
        "",
    ),
    start(
        "elements, each copied",
        "(table 40000 funcref) (elem (i32.const 0) [20000:$f ])",
        "(table.copy (i32.const 20000) (i32.const 0) (i32.const 20000))",
    ),
    start("passive elements", "(elem func [2000:$f ])", ""),
    start(
        "passive elements that are expressions",
        "(elem funcref [2000:(ref.func $f) ])",
        "",
    ),
    start("tables of no elements", "[60:(table 0 funcref)]", ""),
    start(
        "ten tables of 100000, each written",
        "[10:(table 100000 funcref)]",
        "[10:(local.set $a (i32.const 0))
          (loop $next
            (table.set # (local.get $a) (ref.null func))
            (br_if $next (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 512)))
                (i32.const 100000))))]",
    ),
    start("globals", "[2000:(global i64 (i64.const #))]", ""),
    start(
        "globals of references",
        "[2000:(global funcref (ref.func $f))]",
        "",
    ),
    start(
        "sums for globals",
        "[200:(global i64 (i64.add (i64.const #) (i64.add (i64.const 3) (i64.mul (i64.const 5) (i64.const 7)))))]",
        "",
    ),
    start(
        "pages, each written",
        "(memory 64)",
        "(loop $next
            (i32.store (local.get $a) (i32.const 1))
            (br_if $next (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 4096)))
                (i32.const 4194304))))",
    ),
];

impl Start {
    fn module(&self) -> String {
        let Self { parts, first, .. } = self;
        written_out(&format!(
            r#"(module {parts} (func $f) (elem declare func $f)
              (func (export "run") (local $a i32) (local $x i64) {first}))"#
        ))
    }
}

/// What the others are compared with.
const NOTHING: Start = start("", "", "");

/// What each kind takes for a fuel in nanoseconds, beside an instance of nothing.
pub fn prices(effort: Effort) -> Result<Vec<(&'static str, f64)>, Error> {
    let engine = engine()?;
    let (least, fuel_of_nothing) = cost(effort, &engine, &NOTHING)?;
    let mut prices = Vec::new();
    for start in STARTS {
        let (time, fuel) = cost(effort, &engine, start)?;
        // Within what a clock can tell, it may seem to take no time.
        let time = (time - least).max(1.0);
        prices.push((start.name, time / (fuel - fuel_of_nothing)));
    }
    Ok(prices)
}

/// The time of an instance from before it is made until it is gone, and its fuel.
fn cost(effort: Effort, engine: &Engine, start: &Start) -> Result<(f64, f64), Error> {
    let metered = opensky_meter::module(&wat::parse_str(start.module())?, &Default::default())?;
    let module = Module::new(engine, &metered.bytes)?;
    let mut best = (f64::MAX, 0.0);
    let began = Instant::now();
    let mut rounds = 0;
    while rounds < effort.pick(1, 20) || began.elapsed() < effort.pick(Duration::ZERO, SPAN) {
        rounds += 1;
        let start = Instant::now();
        let mut store = Store::new(engine, ());
        let (instance, fuel) = fairness::instance(&mut store, &module)?;
        instance
            .get_typed_func::<(), ()>(&mut store, "run")?
            .call(&mut store, ())?;
        let used = fairness::LIMIT - fuel.get(&mut store).i64().unwrap_or(0);
        drop(store);
        let time = start.elapsed().as_nanos() as f64;
        best = (best.0.min(time), used as f64 + metered.startup as f64);
    }
    Ok(best)
}

/// How long one kind is tried.
const SPAN: Duration = Duration::from_millis(40);

/// With a pool, as providers have it.
fn engine() -> Result<Engine, Error> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(4);
    pool.total_tables(64);
    pool.max_tables_per_module(64);
    pool.table_elements(1 << 20);
    pool.max_core_instance_size(16 << 20);
    pool.max_memory_size(1 << 30);
    pool.linear_memory_keep_resident(64 << 10);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}
