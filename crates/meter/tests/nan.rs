//! Every NaN that arithmetic makes looks canonical to whoever looks, and no other NaN is touched.
//!
//! What is compared with is an engine's own canonical form of each result of arithmetic.

mod bench;

use std::fmt::Write;

use bench::metered;
use wasmparser::Operator;
use wasmtime::{
    Config, Engine, Global, GlobalType, Instance, Module, Mutability, OptLevel, Store, Val, ValType,
};

/// Operands: numbers, infinities, and NaNs of many bits.
const DOUBLES: [u64; 8] = [
    0x0000_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0001,
    0x7ffc_0000_dead_beef,
];
const SINGLES: [u32; 8] = [
    0x0000_0000,
    0x3fc0_0000,
    0xbf80_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0001,
    0x7fe0_beef,
];

/// Ways to look at the bits of the value `$x`, as code that leaves an integer; `T` is the type of the
/// float, `I` of the integer.
const SIGHTS: &[&str] = &[
    "(I.reinterpret_T $x)",
    "(T.store (i32.const 256) $x) (I.load (i32.const 256))",
    "(local.set $t $x) (I.reinterpret_T (local.get $t))",
    "(local.set $t $x) (T.store (i32.const 256) (local.get $t)) (I.load (i32.const 256))",
    "(local.set $m (T.load (i32.const 128))) (if (i32.load (i32.const 8)) (then (local.set $m $x))) (I.reinterpret_T (local.get $m))",
    "(I.reinterpret_T (block (result T) $x))",
    "(I.reinterpret_T (if (result T) (i32.load (i32.const 8)) (then $x) (else (T.load (i32.const 128)))))",
    "(I.reinterpret_T (block (result T) (br_if 0 $x (i32.load (i32.const 8))) (drop) (T.load (i32.const 128))))",
    "(I.reinterpret_T (select $x (T.load (i32.const 128)) (i32.load (i32.const 8))))",
    "(I.reinterpret_T (select (T.load (i32.const 128)) $x (i32.load (i32.const 8))))",
    "(I.reinterpret_T (select $x $x (i32.load (i32.const 8))))",
    "(global.set $g $x) (I.reinterpret_T (global.get $g))",
    "(I.reinterpret_T (call $same $x))",
    "(I.reinterpret_T (call_indirect (type $s) $x (i32.const 0)))",
    "(I.reinterpret_T (T.neg $x))",
    "(I.reinterpret_T (T.abs (T.neg $x)))",
    "(I.reinterpret_T (T.neg (T.neg $x)))",
    "(I.reinterpret_T (T.copysign $x (T.const -1)))",
    "(I.reinterpret_T (T.copysign (T.const 2) $x))",
    "(I.reinterpret_T (T.add (T.neg $x) (T.const 1)))",
    "(I.reinterpret_T (WIDE.extract_lane 1 (WIDE.splat $x)))",
    "(LANE.extract_lane 0 (WIDE.splat $x))",
    "(LANE.extract_lane 1 (WIDE.replace_lane 1 (v128.load (i32.const 128)) $x))",
    "(LANE.extract_lane 0 (WIDE.replace_lane 1 (v128.load (i32.const 128)) $x))",
    "(v128.store (i32.const 256) (WIDE.neg (WIDE.splat $x))) (I.load (i32.const 256))",
    "(LANE.extract_lane 0 (WIDE.pmin (WIDE.splat $x) (v128.load (i32.const 128))))",
    "(LANE.extract_lane 0 (WIDE.pmax (v128.load (i32.const 128)) (WIDE.splat $x)))",
    "(LANE.extract_lane 0 (i8x16.shuffle 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 (v128.load (i32.const 128)) (WIDE.splat $x)))",
    "(LANE.extract_lane 0 (i8x16.shuffle 7 6 5 4 3 2 1 0 0 1 2 3 4 5 6 7 (WIDE.splat $x) (WIDE.splat $x)))",
    "(LANE.extract_lane 0 (v128.bitselect (WIDE.splat $x) (v128.load (i32.const 128)) (v128.const i64x2 0xffff00000000ffff 0)))",
    "(LANE.extract_lane 0 (OTHER.add (WIDE.splat $x) (OTHER.splat (OT.const 1))))",
    "(LANE.extract_lane 0 (WIDE.mul (WIDE.splat $x) (WIDE.splat (T.const 1))))",
    "(I.extend_i32_u (i8x16.bitmask (WIDE.splat $x)))",
    // Stores amid much arithmetic, and stores behind which the program ends.
    "(drop (T.sqrt (T.sqrt (T.sqrt (T.const 2))))) (T.store offset=8 (i32.const 248) $x) (I.load (i32.const 256))",
    "(T.store (i32.const 256) $x) (T.store (i32.const -8) $x) (I.const 0)",
    "(drop (T.sqrt (T.sqrt (T.sqrt (T.const 2))))) (T.store (i32.const 256) $x) (I.load (i32.const -8))",
    "(drop (T.sqrt (T.sqrt (T.sqrt (T.const 2))))) (T.store offset=0xffffffff (i32.const 0) $x) (I.const 0)",
    "(v128.store (i32.const 256) (WIDE.splat $x)) (v128.store (i32.const -8) (WIDE.splat $x)) (I.const 0)",
    // Locals that hold now what arithmetic made, now what was loaded.
    "(local.set $m $x) (if (i32.load (i32.const 8)) (then (local.set $m (T.load (i32.const 128))))) (I.reinterpret_T (local.get $m))",
    "MIXED (T.store (i32.const 256) (local.get $m)) (I.load (i32.const 256))",
    "MIXED (I.reinterpret_T (T.neg (local.get $m)))",
    "MIXED (I.reinterpret_T (T.add (local.get $m) (T.const 1)))",
    "MIXED (I.reinterpret_T (select (local.get $m) (T.load (i32.const 136)) (i32.load (i32.const 8))))",
    "MIXED (I.reinterpret_T (block (result T) (local.get $m)))",
    "MIXED (local.set $t (local.get $m)) (local.set $m (T.load (i32.const 128))) (I.reinterpret_T (local.get $t))",
    "MIXED (local.get $m) (local.set $m (T.load (i32.const 128))) (local.set $t) (I.reinterpret_T (local.get $t))",
    "MIXED (local.set $t (T.load (i32.const 136))) (I.reinterpret_T (local.tee $t (local.get $m)))",
    "MIXED (local.set $t (T.load (i32.const 136))) (drop (I.reinterpret_T (local.tee $t (local.get $m)))) (I.reinterpret_T (local.get $t))",
    "MIXED (local.set $t (T.neg (local.get $m))) (if (i32.load (i32.const 8)) (then (local.set $t (local.get $m)))) (I.reinterpret_T (local.get $t))",
    "MIXED (local.set $t (T.neg $x)) (if (i32.load (i32.const 8)) (then (local.set $t (local.get $m)))) (I.reinterpret_T (local.get $t))",
    "MIXED (local.set $m (T.const 1)) (I.reinterpret_T (local.get $m))",
    "MIXED (loop (local.set $m (T.add (local.get $m) $x)) NEXT) (I.reinterpret_T (local.get $m))",
    "(local.set $m (T.load (i32.const 128))) (loop (I.store (i32.const 264) (I.reinterpret_T (local.get $m))) (local.set $m $x) NEXT) (I.load (i32.const 264))",
    "(local.set $m (T.load (i32.const 128))) (loop (local.set $t (local.get $m)) (local.set $m $x) NEXT) (I.reinterpret_T (local.get $t))",
    "(local.set $m $x) (loop (local.set $m (T.neg (local.get $m))) NEXT) (I.reinterpret_T (local.get $m))",
    "(local.set $m (T.neg $x)) (if (i32.load (i32.const 8)) (then (local.set $m $x) (if (i32.eqz (i32.load (i32.const 8))) (then (local.set $m (T.load (i32.const 128))))))) (I.reinterpret_T (local.get $m))",
    "(loop (local.set $t (local.get $m)) MIXED NEXT) (if (i32.eqz (i32.load (i32.const 8))) (then (local.set $t (T.neg $x)))) (I.reinterpret_T (local.get $t))",
    "(local.set $v (v128.load (i32.const 128))) (if (i32.load (i32.const 8)) (then (local.set $v (WIDE.splat $x)))) (LANE.extract_lane 0 (local.get $v))",
    "(local.set $v (v128.load (i32.const 128))) (if (i32.load (i32.const 8)) (then (local.set $v (WIDE.splat $x)))) (v128.store (i32.const 256) (local.get $v)) (I.load (i32.const 256))",
    "(local.set $v (WIDE.splat $x)) (if (i32.load (i32.const 8)) (then (local.set $v (OTHER.splat (OT.const 1))))) (LANE.extract_lane 0 (local.get $v))",
    "(local.set $v (OTHER.add (v128.load (i32.const 64)) (v128.load (i32.const 128)))) (if (i32.load (i32.const 8)) (then (local.set $v (WIDE.splat $x)))) (LANE.extract_lane 0 (local.get $v))",
];

/// Sets the local `$m` to what is loaded, and then perhaps to the value that is looked at.
const MIXED: &str = "(local.set $m (T.load (i32.const 128))) (if (i32.load (i32.const 8)) (then (local.set $m $x)))";
/// Goes round the innermost loop once or twice.
const NEXT: &str = "(local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if 0 (i32.le_s (local.get $n) (i32.load (i32.const 8))))";

/// Ways to make a float of two others.
const MAKERS: &[&str] = &[
    "(T.add A B)",
    "(T.sub A B)",
    "(T.mul A B)",
    "(T.div A B)",
    "(T.min A B)",
    "(T.max A B)",
    "(T.sqrt A)",
    "(T.ceil A)",
    "(T.floor A)",
    "(T.trunc A)",
    "(T.nearest A)",
    "(CAST A)",
    "A",
    "(T.neg A)",
    "(T.abs A)",
    "(T.copysign A B)",
    "(T.const nan)",
    "(T.const -nan:0x400001)",
    "(T.const 1)",
    "(T.add (T.neg A) (T.copysign B A))",
    "(WIDE.extract_lane 0 (WIDE.div (WIDE.splat A) (WIDE.splat B)))",
    "(WIDE.extract_lane 1 (WIDE.min (WIDE.splat A) (WIDE.replace_lane 1 (WIDE.splat A) B)))",
    "(WIDE.extract_lane 0 (WIDE.sqrt (v128.load (i32.const 0x40))))",
    "(WIDE.extract_lane 0 (WIDE.abs (WIDE.add (WIDE.splat A) (WIDE.splat B))))",
];

struct Kind {
    float: &'static str,
    int: &'static str,
    cast: &'static str,
    wide: &'static str,
    lane: &'static str,
    other: &'static str,
    other_float: &'static str,
}

const DOUBLE: Kind = Kind {
    float: "f64",
    int: "i64",
    cast: "f64.promote_f32 (f32.demote_f64",
    wide: "f64x2",
    lane: "i64x2",
    other: "f32x4",
    other_float: "f32",
};
const SINGLE: Kind = Kind {
    float: "f32",
    int: "i32",
    cast: "f32.demote_f64 (f64.promote_f32",
    wide: "f32x4",
    lane: "i32x4",
    other: "f64x2",
    other_float: "f64",
};

impl Kind {
    fn spell(&self, text: &str) -> String {
        text.replace("MIXED", MIXED)
            .replace("NEXT", NEXT)
            .replace("(CAST A)", &format!("({} A))", self.cast))
            .replace("OT.", &format!("{}.", self.other_float))
            .replace("OTHER", self.other)
            .replace("WIDE", self.wide)
            .replace("LANE", self.lane)
            .replace(
                "I.extend_i32_u (i8x16",
                if self.int == "i64" {
                    "i64.extend_i32_u (i8x16"
                } else {
                    "i32.clz (i8x16"
                },
            )
            .replace("I.", &format!("{}.", self.int))
            .replace("T.", &format!("{}.", self.float))
            .replace("_T", &format!("_{}", self.float))
            .replace("result T", &format!("result {}", self.float))
    }

    /// A function for each way to look at each value. What they read: a condition at 8, operands at
    /// 64 and 72, a payload at 128.
    fn module(&self) -> String {
        let mut text = String::new();
        let (float, int) = (self.float, self.int);
        write!(
            text,
            r#"(module (memory (export "memory") 1) (global $g (mut {float}) ({float}.const 0)) (table 1 funcref)
            (type $s (func (param {float}) (result {float}))) (elem (i32.const 0) $same)
            (func $same (type $s) (local.get 0))"#
        )
        .expect("a string takes all");
        for maker in MAKERS {
            let made = self
                .spell(maker)
                .replace(" A", &format!(" ({float}.load (i32.const 64))"))
                .replace(" B", &format!(" ({float}.load (i32.const 72))"));
            let made = if made == "A" {
                format!("({float}.load (i32.const 64))")
            } else {
                made
            };
            for sight in SIGHTS {
                let code = self.spell(sight).replace("$x", &made);
                write!(
                    text,
                    r#"(func (export "{maker} seen as {sight}") (result {int}) (local $t {float}) (local $m {float}) (local $v v128) (local $n i32) {code})"#
                )
                .expect("a string takes all");
            }
        }
        text.push(')');
        text
    }
}

/// What is noted as the result of a function that trapped.
const TRAPPED: u64 = 0x7472_6170_7065_6421;

fn engine(canonical: bool, level: OptLevel, pulley: bool) -> Engine {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(canonical);
    config.cranelift_opt_level(level);
    if pulley {
        config.target("pulley64").expect("it is compiled in");
    }
    Engine::new(&config).expect("the engine starts")
}

/// What every function of the module gives for every pair of operands, and leaves in memory at 256.
/// That it traps counts as a result.
fn results(engine: &Engine, bytes: &[u8], pairs: &[(u64, u64)]) -> Vec<(String, Vec<u64>)> {
    let module = Module::new(engine, bytes).expect("it compiles");
    let mut store = Store::new(engine, ());
    let imports: Vec<_> = module
        .imports()
        .map(|import| match import.name() {
            "fuel" => global(&mut store, ValType::I64, Val::I64(i64::MAX)).into(),
            "depth" => global(&mut store, ValType::I32, Val::I32(opensky_meter::DEPTH)).into(),
            _ => wasmtime::Func::wrap(&mut store, || {}).into(),
        })
        .collect();
    let instance = Instance::new(&mut store, &module, &imports).expect("it starts");
    let memory = instance
        .get_memory(&mut store, "memory")
        .expect("it is exported");
    let names: Vec<String> = module
        .exports()
        .map(|export| export.name().to_owned())
        .collect();
    let names = names.into_iter().filter(|name| name != "memory");
    names
        .map(|name| {
            let function = instance
                .get_func(&mut store, &name)
                .expect("it is exported");
            let mut seen = Vec::new();
            for (a, b) in pairs {
                for condition in [0, 1] {
                    let data = memory.data_mut(&mut store);
                    data[8] = condition;
                    data[64..72].copy_from_slice(&a.to_le_bytes());
                    data[72..80].copy_from_slice(&b.to_le_bytes());
                    data[128..136].copy_from_slice(&0xfffa_7fe1_2345_6789_u64.to_le_bytes());
                    data[136..144].copy_from_slice(&0x7ffd_7fe2_9876_5432_u64.to_le_bytes());
                    data[256..264].fill(0);
                    let mut result = [Val::I32(0)];
                    let ended = function.call(&mut store, &[], &mut result);
                    seen.push(match (ended, &result[0]) {
                        (Ok(()), Val::I32(bits)) => u64::from(*bits as u32),
                        (Ok(()), Val::I64(bits)) => *bits as u64,
                        (Err(_), _) => TRAPPED,
                        (_, other) => panic!("{other:?} is no integer"),
                    });
                    let left = memory.data(&store)[256..].first_chunk();
                    seen.push(u64::from_le_bytes(*left.expect("it is a page")));
                }
            }
            (name, seen)
        })
        .collect()
}

fn global(store: &mut Store<()>, ty: ValType, value: Val) -> Global {
    Global::new(store, GlobalType::new(ty, Mutability::Var), value).expect("it is made")
}

fn check(text: String, pairs: &[(u64, u64)]) {
    let plain = wat::parse_str(text).expect("the text is WebAssembly");
    let expected = results(&engine(true, OptLevel::Speed, false), &plain, pairs);
    let metered = metered(&plain);
    for (level, pulley) in [
        (OptLevel::None, false),
        (OptLevel::Speed, false),
        (OptLevel::Speed, true),
    ] {
        let seen = results(&engine(false, level, pulley), &metered, pairs);
        for ((name, expected), (_, seen)) in expected.iter().zip(&seen) {
            let index = expected.iter().zip(seen).position(|(a, b)| a != b);
            if let Some(index) = index {
                panic!(
                    "{level:?}, Pulley {pulley}: {name} with {:x?}: {:x}, not {:x}",
                    pairs[index / 4],
                    seen[index],
                    expected[index],
                );
            }
        }
    }
    // The test can fail: without the meter this machine's NaNs show.
    let bare = results(&engine(false, OptLevel::Speed, false), &plain, pairs);
    assert_ne!(bare, expected);
}

#[test]
fn doubles() {
    let pairs: Vec<_> = DOUBLES
        .iter()
        .flat_map(|&a| DOUBLES.map(|b| (a, b)))
        .collect();
    check(DOUBLE.module(), &pairs);
}

#[test]
fn singles() {
    let pairs: Vec<_> = SINGLES
        .iter()
        .flat_map(|&a| SINGLES.map(|b| (a.into(), b.into())))
        .collect();
    check(SINGLE.module(), &pairs);
}

/// A function whose float locals each hold a payload or what arithmetic made: more than the meter
/// keeps a flag for, or fewer.
fn with_locals(count: usize) -> String {
    let mut body = String::new();
    for local in 0..count {
        let at = 64 + local % 2 * 8;
        write!(
            body,
            "(local.set {local} (f64.load (i32.const {at})))
             (if (i32.load (i32.const 8)) (then
                (local.set {local} (f64.sub (local.get {local}) (f64.load (i32.const 72))))))"
        )
        .expect("a string takes all");
    }
    for local in 0..count {
        write!(
            body,
            "(i64.reinterpret_f64 (local.get {local})) (i64.const {local}) i64.rotl i64.xor"
        )
        .expect("a string takes all");
    }
    let locals = "f64 ".repeat(count);
    format!(
        r#"(module (memory (export "memory") 1)
            (func (export "{count} locals") (result i64) (local {locals}) {body}))"#
    )
    .replacen("(i64.reinterpret", "(i64.const 0) (i64.reinterpret", 1)
}

#[test]
fn more_locals_than_flags() {
    let pairs: Vec<_> = DOUBLES.iter().map(|&a| (a, DOUBLES[4])).collect();
    for count in [1, 255, 257, 1_000] {
        check(with_locals(count), &pairs);
    }
}

/// How often code is added that looks for a NaN, in each loop and outside of all.
fn looks(text: &str) -> (usize, usize) {
    let metered = metered(&wat::parse_str(text).expect("the text is WebAssembly"));
    let (mut inside, mut outside, mut loops) = (0, 0, Vec::new());
    for payload in wasmparser::Parser::new(0).parse_all(&metered) {
        let Ok(wasmparser::Payload::CodeSectionEntry(body)) = payload else {
            continue;
        };
        for op in body.get_operators_reader().expect("it is valid") {
            match op.expect("it is valid") {
                Operator::Loop { .. } => loops.push(true),
                Operator::Block { .. } | Operator::If { .. } => loops.push(false),
                Operator::End => _ = loops.pop(),
                Operator::F64Ge if loops.contains(&true) => inside += 1,
                Operator::F64Ge => outside += 1,
                _ => {}
            }
        }
    }
    (inside, outside)
}

#[test]
fn sums_in_loops_are_looked_at_once_behind_them() {
    let sum = r#"(module (memory 1) (func (export "f") (param f64 i32) (result f64)
        (loop
            (local.set 0 (f64.add (local.get 0) (f64.load (local.get 1))))
            (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 8)))))
        (local.get 0)))"#;
    assert_eq!(looks(sum), (0, 1));
}
