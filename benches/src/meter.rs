//! What the meter itself costs: how fast it is, how much larger it makes programs, and how fairly its
//! fuel is priced.

use std::time::{Duration, Instant};

use wasmtime::{
    Config, Engine, Func, Global, GlobalType, Instance, Module, Mutability, Store, Val, ValType,
    component::Component,
};

use crate::{Effort, Error, Figures, measure::micros};

/// What a stranger could loop over: a name, the code that is repeated in a loop, and how often.
///
/// The code has these locals: `$x` to `$w` are `i64`, `$a` and `$b` are `i32`, `$d` and `$e` are `f64`,
/// `$s` is `f32`, `$v` and `$u` are `v128`. 64 MiB of memory have been written before.
const KINDS: &[(&str, usize, &str)] = &[
    ("empty loop", 0, ""),
    (
        "add, each waits",
        16,
        "(local.set $x (i64.add (i64.xor (local.get $x) (local.get $z)) (local.get $y)))",
    ),
    (
        "mul",
        16,
        "(local.set $x (i64.mul (local.get $x) (local.get $x)))",
    ),
    (
        "i32.div_u",
        16,
        "(local.set $a (i32.div_u (i32.const -1) (i32.or (local.get $a) (i32.const 1))))",
    ),
    (
        "i64.div_s",
        16,
        "(local.set $x (i64.div_s (i64.const 0x7edcba9876543210) (i64.or (local.get $x) (i64.const 1))))",
    ),
    (
        "i64.rem_u",
        16,
        "(local.set $x (i64.rem_u (i64.const 0x7edcba9876543210) (i64.or (local.get $x) (i64.const 1))))",
    ),
    (
        "f64.add",
        16,
        "(local.set $d (f64.add (local.get $d) (local.get $e)))",
    ),
    (
        "f64.mul",
        16,
        "(local.set $d (f64.mul (local.get $d) (local.get $e)))",
    ),
    (
        "f64.div",
        16,
        "(local.set $d (f64.div (local.get $d) (local.get $e)))",
    ),
    ("f64.sqrt", 16, "(local.set $d (f64.sqrt (local.get $d)))"),
    ("f32.sqrt", 16, "(local.set $s (f32.sqrt (local.get $s)))"),
    (
        "f64.nearest",
        16,
        "(local.set $d (f64.nearest (local.get $d)))",
    ),
    (
        "to float and back",
        16,
        "(local.set $x (i64.trunc_sat_f64_s (f64.convert_i64_s (local.get $x))))",
    ),
    (
        "to float and back, unsigned",
        16,
        "(local.set $x (i64.trunc_sat_f64_u (f64.convert_i64_u (local.get $x))))",
    ),
    (
        "count bits",
        16,
        "(local.set $x (i64.add (i64.popcnt (local.get $x)) (i64.add (i64.clz (local.get $x)) (i64.ctz (local.get $x)))))",
    ),
    (
        "select",
        16,
        "(local.set $x (select (local.get $y) (local.get $x) (i64.lt_u (local.get $x) (local.get $y))))",
    ),
    (
        "i64x2.mul",
        16,
        "(local.set $v (i64x2.mul (local.get $v) (local.get $u)))",
    ),
    (
        "i8x16.swizzle",
        16,
        "(local.set $v (i8x16.swizzle (local.get $v) (local.get $u)))",
    ),
    (
        "i8x16.shl",
        16,
        "(local.set $v (i8x16.shl (local.get $v) (local.get $b)))",
    ),
    (
        "f64x2.div",
        16,
        "(local.set $v (f64x2.div (local.get $v) (local.get $u)))",
    ),
    (
        "f64x2.sqrt",
        16,
        "(local.set $v (f64x2.sqrt (local.get $v)))",
    ),
    (
        "f64x2.min",
        16,
        "(local.set $v (f64x2.min (local.get $v) (local.get $u)))",
    ),
    (
        "v128 to float and back",
        16,
        "(local.set $v (f32x4.convert_i32x4_u (i32x4.trunc_sat_f32x4_u (local.get $v))))",
    ),
    (
        "bitmask",
        16,
        "(local.set $v (i32x4.splat (i32.add (i8x16.bitmask (local.get $v)) (v128.any_true (local.get $v)))))",
    ),
    (
        "load, cached",
        16,
        "(local.set $x (i64.add (local.get $x) (i64.load (i32.const 64))))",
    ),
    (
        "load from load, 16 KiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 5)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0x3fc0)))",
    ),
    (
        "load from load, 1 MiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 5)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0xfffc0)))",
    ),
    (
        "load from load, 64 MiB",
        16,
        "(local.set $a (i32.and (i32.add (i32.add (i32.mul (local.get $a) (i32.const 1664525)) (i32.const 64)) (i32.load (local.get $a))) (i32.const 0x3ffffc0)))",
    ),
    (
        "stride of 4,160, loads",
        16,
        "(local.set $x (i64.add (local.get $x) (i64.load (local.tee $a (i32.and (i32.add (local.get $a) (i32.const 4160)) (i32.const 0x3fffff8))))))",
    ),
    (
        "stride of 4,160, stores",
        16,
        "(i64.store (local.tee $a (i32.and (i32.add (local.get $a) (i32.const 4160)) (i32.const 0x3fffff8))) (local.get $x))",
    ),
    ("call", 16, "(local.set $x (call $one (local.get $x)))"),
    (
        "call_indirect, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (local.set $x (call_indirect (type $t) (local.get $x) (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 62)))))",
    ),
    (
        "if, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (if (i64.lt_s (local.get $y) (i64.const 0)) (then (local.set $x (i64.add (local.get $x) (i64.const 1))) (i32.store (i32.const 8) (i32.const 1))))",
    ),
    (
        "br_table, random",
        16,
        "(local.set $y (i64.add (i64.mul (local.get $y) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))) (block $p (block $q (block $r (br_table $p $q $r (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 62))))) (i32.store (i32.const 8) (i32.const 1)) (br $p)) (i32.store (i32.const 16) (i32.const 1)))",
    ),
    (
        "memory.fill, no bytes",
        4,
        "(memory.fill (i32.const 64) (i32.const 1) (local.get $zero))",
    ),
    (
        "memory.fill, 1 MiB",
        1,
        "(memory.fill (i32.const 64) (i32.const 1) (i32.const 1048576))",
    ),
    (
        "memory.copy, 1 byte",
        4,
        "(memory.copy (i32.const 64) (i32.const 128) (i32.add (local.get $zero) (i32.const 1)))",
    ),
    (
        "memory.copy, 30 MiB",
        1,
        "(memory.copy (i32.const 64) (i32.const 33554432) (i32.const 31457280))",
    ),
    (
        "memory.grow, no pages",
        4,
        "(drop (memory.grow (i32.const 0)))",
    ),
    ("memory.grow, one page", 1, GROW),
    (
        "table.fill",
        4,
        "(table.fill (i32.const 20) (ref.null func) (i32.const 40))",
    ),
    (
        "table.copy",
        4,
        "(table.copy (i32.const 20) (i32.const 0) (i32.const 4))",
    ),
    (
        "table.grow",
        1,
        "(drop (table.grow (ref.null func) (i32.const 1)))",
    ),
    ("ref.func", 4, "(table.set (i32.const 20) (ref.func $one))"),
];

/// Grows by a page and writes to each 4 KiB of it.
const GROW: &str = "(local.set $a (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
  (if (i32.gt_s (local.get $a) (i32.const 0)) (then
    (local.set $b (i32.const 16))
    (loop $touch (i32.store (local.get $a) (i32.const 1))
      (local.set $a (i32.add (local.get $a) (i32.const 4096)))
      (br_if $touch (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))))";

/// What one kind of loop costs.
struct Price {
    name: &'static str,
    ns_per_fuel: f64,
}

/// Measures the pass over `guest`, and what a fuel takes in each kind of loop.
pub fn measure(effort: Effort, guest: &[u8], figures: &mut Figures) -> Result<(), Error> {
    speed(effort, guest, figures)?;
    fairness(effort, figures)
}

fn speed(effort: Effort, guest: &[u8], figures: &mut Figures) -> Result<(), Error> {
    let mut best = Duration::MAX;
    let mut metered = Vec::new();
    for _ in 0..effort.pick(1, 10) {
        let start = Instant::now();
        metered = opensky_meter::component(guest)?;
        best = best.min(start.elapsed());
    }
    // Debug sections are left out of what is metered, so they do not count as shrinking.
    let code = |component: &[u8]| -> Result<f64, Error> {
        let engine = Engine::default();
        let range = Component::from_binary(&engine, component)?.image_range();
        Ok((range.end as usize - range.start as usize) as f64)
    };
    figures.add("meter_mb_per_s", guest.len() as f64 / micros(best))?;
    figures.add(
        "meter_wasm_growth",
        metered.len() as f64 / guest.len() as f64,
    )?;
    figures.add("meter_native_growth", code(&metered)? / code(guest)?)?;
    Ok(())
}

fn fairness(effort: Effort, figures: &mut Figures) -> Result<(), Error> {
    let engine = Engine::new(&Config::new())?;
    let mut prices = Vec::new();
    for &(name, repeat, code) in KINDS {
        let ns_per_fuel = price(effort, &engine, &code.repeat(repeat))?;
        prices.push(Price { name, ns_per_fuel });
    }
    prices.sort_by(|a, b| b.ns_per_fuel.total_cmp(&a.ns_per_fuel));
    let median = prices[prices.len() / 2].ns_per_fuel;
    println!("\n{:<30}{:>12}{:>10}", "a loop of", "ns per fuel", "median");
    for price in &prices {
        let times = price.ns_per_fuel / median;
        println!("{:<30}{:>12.4}{times:>9.2}x", price.name, price.ns_per_fuel);
    }
    figures.add("ns_per_fuel_median", median)?;
    let worst = prices[0].ns_per_fuel / median;
    figures.add("worst_ns_per_fuel_vs_median", worst)?;
    Ok(())
}

/// Nanoseconds for a fuel in a loop over `code`: the best of several runs.
fn price(effort: Effort, engine: &Engine, code: &str) -> Result<f64, Error> {
    let metered = opensky_meter::module(&wat::parse_str(looped(code))?, &Default::default())?;
    let module = Module::new(engine, &metered.bytes)?;
    // Growing ends at 4 GiB, so there are few rounds of it.
    let rounds = if code == GROW { 1_000 } else { i32::MAX };
    let mut best = f64::MAX;
    let mut count = 16;
    for _ in 0..effort.pick(1, 5) {
        let mut store = Store::new(engine, ());
        let fuel = global(&mut store, ValType::I64, Val::I64(1 << 60))?;
        let depth = global(&mut store, ValType::I32, Val::I32(opensky_meter::DEPTH))?;
        let ends = Func::wrap(&mut store, || {});
        let imports = [
            ends.into(),
            ends.into(),
            ends.into(),
            fuel.into(),
            depth.into(),
        ];
        let instance = Instance::new(&mut store, &module, &imports)?;
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

fn global(store: &mut Store<()>, ty: ValType, value: Val) -> Result<Global, Error> {
    Ok(Global::new(
        store,
        GlobalType::new(ty, Mutability::Var),
        value,
    )?)
}

/// A module that loops over `code`.
fn looped(code: &str) -> String {
    format!(
        r#"(module (memory 1025) (table 64 funcref) (type $t (func (param i64) (result i64)))
          (elem (i32.const 0) $same $one $same $three)
          (func $same (type $t) (local.get 0))
          (func $one (type $t) (i64.add (local.get 0) (i64.const 1)))
          (func $three (type $t) (i64.add (local.get 0) (i64.const 3)))
          (func (export "write") (memory.fill (i32.const 0) (i32.const 0) (i32.const 67108864)))
          (func (export "run") (param $n i32) (result i64)
            (local $i i32) (local $zero i32) (local $x i64) (local $y i64) (local $z i64)
            (local $a i32) (local $b i32) (local $d f64) (local $e f64) (local $s f32)
            (local $v v128) (local $u v128)
            (local.set $x (i64.const 0x9e3779b97f4a7c15)) (local.set $y (i64.const 3))
            (local.set $b (i32.const 7)) (local.set $d (f64.const 1.5))
            (local.set $e (f64.const 1.0000001)) (local.set $s (f32.const 1.5))
            (local.set $v (v128.const i64x2 0x3ff8000000000000 0x3ff8000000000001))
            (local.set $u (v128.const i64x2 0x3ff0000000000001 0x3ff0000000000001))
            (loop $again
              {code}
              (local.set $z (i64.extend_i32_u (local.get $i)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
            (i64.add (local.get $x) (i64.add (i64.extend_i32_u (local.get $a))
              (i64.add (i64.reinterpret_f64 (local.get $d))
                (i64.add (i64.extend_i32_u (i32.reinterpret_f32 (local.get $s)))
                  (i64x2.extract_lane 0 (local.get $v))))))))"#
    )
}
