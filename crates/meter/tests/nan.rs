//! Every NaN that arithmetic makes looks canonical to whoever looks, and no other NaN is touched.
//!
//! What is compared with is an engine's own canonical form of each result of arithmetic.

mod bench;

use std::fmt::Write;

use bench::metered;
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
];

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
        text.replace("(CAST A)", &format!("({} A))", self.cast))
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
        for (m, maker) in MAKERS.iter().enumerate() {
            let maker = self
                .spell(maker)
                .replace(" A", &format!(" ({float}.load (i32.const 64))"))
                .replace(" B", &format!(" ({float}.load (i32.const 72))"));
            let maker = if maker == "A" {
                format!("({float}.load (i32.const 64))")
            } else {
                maker
            };
            for (s, sight) in SIGHTS.iter().enumerate() {
                let sight = self.spell(sight).replace("$x", &maker);
                write!(
                    text,
                    r#"(func (export "{m} {s}") (result {int}) (local $t {float}) (local $m {float}) {sight})"#
                )
                .expect("a string takes all");
            }
        }
        text.push(')');
        text
    }
}

fn engine(canonical: bool, level: OptLevel, pulley: bool) -> Engine {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(canonical);
    config.cranelift_opt_level(level);
    if pulley {
        config.target("pulley64").expect("it is compiled in");
    }
    Engine::new(&config).expect("the engine starts")
}

/// What every function of the module gives for every pair of operands.
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
                    let mut result = [Val::I32(0)];
                    function
                        .call(&mut store, &[], &mut result)
                        .expect("it returns");
                    seen.push(match result[0] {
                        Val::I32(bits) => u64::from(bits as u32),
                        Val::I64(bits) => bits as u64,
                        ref other => panic!("{other:?} is no integer"),
                    });
                }
            }
            (name, seen)
        })
        .collect()
}

fn global(store: &mut Store<()>, ty: ValType, value: Val) -> Global {
    Global::new(store, GlobalType::new(ty, Mutability::Var), value).expect("it is made")
}

fn check(kind: &Kind, pairs: &[(u64, u64)]) {
    let plain = wat::parse_str(kind.module()).expect("the text is WebAssembly");
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
                let (maker, sight) = name.split_once(' ').expect("two numbers");
                panic!(
                    "{level:?}, Pulley {pulley}: {} seen as {} with {:x?}: {:x}, not {:x}",
                    MAKERS[maker.parse::<usize>().expect("a number")],
                    SIGHTS[sight.parse::<usize>().expect("a number")],
                    pairs[index / 2],
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
    check(&DOUBLE, &pairs);
}

#[test]
fn singles() {
    let pairs: Vec<_> = SINGLES
        .iter()
        .flat_map(|&a| SINGLES.map(|b| (a.into(), b.into())))
        .collect();
    check(&SINGLE, &pairs);
}
