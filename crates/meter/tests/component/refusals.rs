//! What is not metered is refused, by name.

use crate::{SHAPES, host::plain};

/// Checks that a component is refused with these words.
fn check(text: &str, words: &str) {
    let error = opensky_meter::component(&plain(text)).expect_err(words);
    assert!(error.to_string().contains(words), "`{error}` for {text}");
}

#[test]
fn core_module_is_no_component() {
    check("(module)", "a core module in the place of a component");
}

#[test]
fn code_in_nested_components() {
    let words = "a component inside of another one that has code of its own";
    for inner in [
        "(core module)",
        "(component (core module))",
        "(alias outer 1 $m (core module $m)) (core instance (instantiate $m))",
        "(core instance)",
        r#"(import "f" (func $f)) (core func (canon lower (func $f)))"#,
        r#"(import "r" (type $r (sub resource))) (core func (canon resource.drop $r))"#,
    ] {
        let text = format!("(component (core module $m) (component {inner}))");
        // An alias of a core module is refused before it is used.
        let words = if inner.contains("alias") {
            "passes core modules around"
        } else {
            words
        };
        check(&text, words);
    }
}

#[test]
fn code_that_comes_from_elsewhere() {
    for (inside, words) in [
        (r#"(import "m" (core module))"#, "imports core modules"),
        (r#"(import "c" (component))"#, "imports components"),
        (
            r#"(component (import "m" (core module)))"#,
            "imports core modules",
        ),
        (
            r#"(import "i" (instance (export "m" (core module))))"#,
            "passes core modules around",
        ),
        (
            r#"(import "i" (instance $i (export "c" (component))))
               (alias export $i "c" (component))"#,
            "passes components around",
        ),
        (
            r#"(core module $m) (export "m" (core module $m))"#,
            "passes core modules around",
        ),
        (
            r#"(core module $m) (instance (export "m" (core module $m)))"#,
            "passes core modules around",
        ),
        (
            r#"(component $c) (export "c" (component $c))"#,
            "passes components around",
        ),
        (
            "(core module $m) (alias outer 0 $m (core module))",
            "passes core modules around",
        ),
    ] {
        check(&format!("(component {inside})"), words);
    }
}

#[test]
fn names_of_the_meter() {
    let func = "(type $f (func))";
    for name in [
        "opensky-fuel-limit",
        "opensky-anything",
        "OPENSKY-fuel-limit",
        "opensky:meter/meter",
        "opensky:meter/meter@1.0.0",
    ] {
        let item = if name.contains(':') {
            "(instance)"
        } else {
            "(func (type $f))"
        };
        check(
            &format!(r#"(component {func} (import "{name}" {item}))"#),
            "belongs to the meter",
        );
    }
    for export in ["opensky-fuel-left", "OPENSKY-FUEL-LEFT"] {
        let text = format!(
            r#"(component {func} (import "f" (func $g (type $f))) (export "{export}" (func $g)))"#
        );
        check(&text, "belongs to the meter");
    }
    check(
        r#"(component
             (core module $a (func (export "panic")))
             (core module $b (import "opensky:meter" "panic" (func)))
             (core instance $a (instantiate $a))
             (core instance (instantiate $b (with "opensky:meter" (instance $a)))))"#,
        "belongs to the meter",
    );
    check(
        r#"(component (core module $b (import "opensky:meter" "panic" (func))))"#,
        "belongs to the meter",
    );
}

#[test]
fn ordinary_names_are_nobodys() {
    for name in [
        "opensky",
        "open-sky",
        "opensky:compute/job@0.1.0",
        "opensky:metering/meter",
    ] {
        let text = format!(r#"(component (import "{name}" (instance)))"#);
        assert!(opensky_meter::component(&plain(&text)).is_ok(), "{name}");
    }
}

#[test]
fn start_functions_of_components() {
    let text = r#"(component (import "f" (func $f)) (start $f))"#;
    check(text, "a component with a start function of its own");
}

/// Neither asynchronous functions nor threads nor any of what comes with them.
#[test]
fn concurrency() {
    for (inside, words) in [
        ("(type (future u8))", "async"),
        ("(type (stream u8))", "async"),
        (r#"(type (func async))"#, "async"),
        ("(core func (canon task.return))", "async"),
        ("(core func (canon task.cancel))", "async"),
        ("(core func (canon context.get i32 0))", "async"),
        ("(core func (canon context.set i32 0))", "async"),
        ("(core func (canon backpressure.inc))", "async"),
        ("(core func (canon backpressure.dec))", "async"),
        ("(core func (canon subtask.drop))", "async"),
        ("(core func (canon subtask.cancel))", "async"),
        ("(core func (canon waitable-set.new))", "async"),
        ("(core func (canon waitable-set.drop))", "async"),
        ("(core func (canon waitable.join))", "async"),
        ("(core func (canon thread.yield))", "async"),
        ("(core func (canon thread.index))", "thread"),
        ("(core func (canon thread.available_parallelism))", "thread"),
        ("(core func (canon error-context.drop))", "error-context"),
        (
            r#"(core module $m (func (export "f"))) (core instance $m (instantiate $m))
               (func (canon lift (core func $m "f") async))"#,
            "async",
        ),
        (
            r#"(import "f" (func $f)) (core func (canon lower (func $f) async))"#,
            "async",
        ),
    ] {
        check(&format!("(component {inside})"), words);
    }
}

#[test]
fn proposals_in_core_modules() {
    for (inside, words) in [
        ("(func return_call 0)", "tail calls"),
        ("(tag)", "exceptions"),
        ("(memory i64 1)", "memory64"),
        ("(memory 1) (memory 1)", "multiple memories"),
        ("(memory 1 1 shared)", "threads"),
        ("(type (struct))", "gc"),
        (
            "(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)",
            "relaxed SIMD",
        ),
    ] {
        check(&format!("(component (core module {inside}))"), words);
    }
}

/// Cut off or with a wrong byte: refused, or still a component, and then its metered form is one too.
#[test]
fn bytes_that_are_no_component() {
    let whole = plain(SHAPES);
    let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
    let wrong = (0..whole.len()).flat_map(|at| {
        let whole = &whole;
        [1, 4, 16, 128].map(|flip| {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            bytes
        })
    });
    let mut refused = 0;
    for bytes in cut.chain(wrong) {
        match opensky_meter::component(&bytes) {
            Ok(metered) => {
                let features = opensky_meter::features();
                let mut validator = wasmparser::Validator::new_with_features(features);
                assert!(validator.validate_all(&metered).is_ok(), "{bytes:?}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > whole.len(), "{refused}");
}
