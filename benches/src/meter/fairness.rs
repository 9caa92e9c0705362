//! How fairly fuel is priced: what one takes in loops of all kinds, and in what instances begin with.

use std::time::{Duration, Instant};

use wasmtime::{
    Config, Engine, Extern, Func, Global, GlobalType, Instance, Module, Mutability, Store, Val,
    ValType,
};

use super::{
    kinds::{GROW, KINDS, Kind},
    starts,
};
use crate::{Effort, Error, Figures};

/// What one kind of loop costs.
struct Price {
    name: &'static str,
    ns_per_fuel: f64,
}

/// Each load waits for one that misses every cache: what it takes cannot be seen in a program.
const DRAM_CHAIN: &str = "load from load, 64 MiB";

pub fn measure(effort: Effort, figures: &mut Figures) -> Result<(), Error> {
    let engine = Engine::new(&Config::new())?;
    let mut prices = Vec::new();
    for kind in KINDS {
        prices.push(Price::new(kind.name, price(effort, &engine, kind)?));
    }
    prices.sort_by(|a, b| b.ns_per_fuel.total_cmp(&a.ns_per_fuel));
    let median = prices[prices.len() / 2].ns_per_fuel;
    for (name, ns_per_fuel) in starts::prices(effort)? {
        prices.push(Price::new(name, ns_per_fuel));
    }
    prices.sort_by(|a, b| b.ns_per_fuel.total_cmp(&a.ns_per_fuel));
    println!(
        "\n{:<38}{:>12}{:>10}",
        "a loop of, or a start with", "ns per fuel", "median"
    );
    for price in &prices {
        let times = price.ns_per_fuel / median;
        println!("{:<38}{:>12.4}{times:>9.2}x", price.name, price.ns_per_fuel);
    }
    figures.add("ns_per_fuel_median", median)?;
    figures.add(
        "worst_ns_per_fuel_vs_median",
        prices[0].ns_per_fuel / median,
    )?;
    let others = prices.iter().filter(|price| price.name != DRAM_CHAIN);
    let worst = others.map(|price| price.ns_per_fuel).fold(0.0, f64::max);
    figures.add("worst_but_dram_chain_ns_per_fuel_vs_median", worst / median)?;
    Ok(())
}

impl Price {
    fn new(name: &'static str, ns_per_fuel: f64) -> Self {
        Self { name, ns_per_fuel }
    }
}

/// Nanoseconds for a fuel in a loop over `kind`: the best of several runs.
pub fn price(effort: Effort, engine: &Engine, kind: &Kind) -> Result<f64, Error> {
    let metered = opensky_meter::module(&wat::parse_str(kind.module())?, &Default::default())?;
    let module = Module::new(engine, &metered.bytes)?;
    // Growing ends at 4 GiB, so there are few rounds of it.
    let rounds = if kind.code == GROW { 1_000 } else { i32::MAX };
    let mut best = f64::MAX;
    let mut count = 16;
    for _ in 0..effort.pick(1, 5) {
        let mut store = Store::new(engine, ());
        let (instance, fuel) = instance(&mut store, &module)?;
        instance
            .get_typed_func::<(), ()>(&mut store, "write")?
            .call(&mut store, ())?;
        let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
        loop {
            let before = fuel.get(&mut store).i64().unwrap_or(0);
            let start = Instant::now();
            run.call(&mut store, count)?;
            let time = start.elapsed();
            let used = before - fuel.get(&mut store).i64().unwrap_or(0);
            if time >= effort.pick(Duration::ZERO, Duration::from_millis(3)) || count >= rounds / 4
            {
                best = best.min(time.as_nanos() as f64 / used as f64);
                break;
            }
            count *= 2;
        }
    }
    Ok(best)
}

/// More than anything here uses.
pub const LIMIT: i64 = 1 << 60;

/// An instance of a metered module that imports nothing but functions, and its fuel.
pub fn instance(store: &mut Store<()>, module: &Module) -> Result<(Instance, Global), Error> {
    let fuel = global(store, ValType::I64, Val::I64(LIMIT))?;
    let depth = global(store, ValType::I32, Val::I32(opensky_meter::DEPTH))?;
    let ends = Func::wrap(&mut *store, || {});
    // Behind its own imports, functions all, come those of the meter.
    let functions = module.imports().len() - 2;
    let mut imports = vec![Extern::from(ends); functions];
    imports.extend([fuel.into(), depth.into()]);
    Ok((Instance::new(store, module, &imports)?, fuel))
}

fn global(store: &mut Store<()>, ty: ValType, value: Val) -> Result<Global, Error> {
    Ok(Global::new(
        store,
        GlobalType::new(ty, Mutability::Var),
        value,
    )?)
}
