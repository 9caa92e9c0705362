//! The production count is the slow count, and a limit ends exactly those who need more.

mod bench;

use bench::{End, call, counted, engine, exports, metered};
use wasm_smith::{Config, Module};
use wasmtime::OptLevel;

/// More than any test needs.
const PLENTY: i64 = 1 << 40;

/// Checks one function of a module. Returns what it needs, if it returns.
fn check(engine: &wasmtime::Engine, plain: &[u8], metered: &[u8], name: &str) -> Option<i64> {
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

fn check_text(text: &str) {
    let plain = wat::parse_str(text).expect("the text is WebAssembly");
    let metered = metered(&plain);
    assert_eq!(metered, bench::metered(&plain), "the pass is a function");
    for level in [OptLevel::None, OptLevel::Speed] {
        let engine = engine(level);
        for name in exports(&engine, &plain) {
            assert!(
                check(&engine, &plain, &metered, &name).is_some(),
                "{name} returns"
            );
        }
    }
}

#[test]
fn straight_code() {
    check_text(r#"(module (func (export "f") (result i32) i32.const 1 i32.const 2 i32.add))"#);
}

#[test]
fn module_with_nothing() {
    check_text("(module)");
}

#[test]
fn loops_with_every_way_out() {
    check_text(include_str!("loops.wat"));
}

#[test]
fn random_modules() {
    let engine = engine(OptLevel::None);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut modules, mut returned) = (0, 0);
    for _ in 0..150 {
        let mut seed = vec![0; 4096];
        for byte in &mut seed {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        let Some(plain) = random(&seed) else { continue };
        let metered = metered(&plain);
        modules += 1;
        for name in exports(&engine, &plain) {
            returned += u32::from(check(&engine, &plain, &metered, &name).is_some());
        }
    }
    assert!(
        modules > 100 && returned > 30,
        "{modules} modules, {returned} calls that returned"
    );
}

/// A random module without imports, whose functions end.
fn random(seed: &[u8]) -> Option<Vec<u8>> {
    let config = Config {
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
        ..Config::default()
    };
    let mut module = Module::new(config, &mut arbitrary::Unstructured::new(seed)).ok()?;
    module.ensure_termination(1_000).ok()?;
    Some(module.to_bytes())
}
