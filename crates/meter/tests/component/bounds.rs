//! Short components that would take long: they are refused before they do.

use std::time::{Duration, Instant};

/// Far more than it takes, far less than it would without a bound.
const SOON: Duration = Duration::from_secs(3);

fn check(bytes: &[u8], words: &str) {
    let start = Instant::now();
    let error = opensky_meter::component(bytes).expect_err("it is refused");
    assert!(error.to_string().contains(words), "{error}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

fn check_text(text: &str, words: &str) {
    check(
        &wat::parse_str(text).expect("the text is WebAssembly"),
        words,
    );
}

const HEAVY: &str = "types of this size";
const DEEP: &str = "types of this depth";

/// Instance types, each with two of the one before.
fn doubling(levels: usize) -> String {
    let mut text =
        String::from("(type $t0 (instance (type $f (func)) (export \"f\" (func (type $f)))))");
    for level in 1..=levels {
        text += &format!(
            "(type $t{level} (instance (alias outer 1 $t{} (type $t))
               (export \"a\" (instance (type $t))) (export \"b\" (instance (type $t)))))",
            level - 1
        );
    }
    text
}

#[test]
fn types_that_double() {
    check_text(
        &format!(
            "(component {} (import \"i\" (instance (type $t60))))",
            doubling(60)
        ),
        HEAVY,
    );
    let imported = "(component (alias outer 1 $t17 (type $t)) (import \"i\" (instance (type $t))))";
    check_text(
        &format!("(component {} {})", doubling(17), imported.repeat(900)),
        HEAVY,
    );
}

#[test]
fn values_that_double() {
    let mut text = String::from("(component (type $t0 u8)");
    for level in 1..=18 {
        text += &format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1);
    }
    text += "(type $f (func (param \"x\" $t18)))";
    text += &"(component (alias outer 1 $f (type $t)) (import \"f\" (func (type $t))))".repeat(900);
    check_text(&(text + ")"), HEAVY);
}

#[test]
fn instances_that_double() {
    let mut text =
        String::from("(component (import \"f\" (func $f)) (instance $i0 (export \"f\" (func $f)))");
    for level in 1..=40 {
        text += &format!(
            "(instance $i{level} (export \"a\" (instance $i{0})) (export \"b\" (instance $i{0})))",
            level - 1
        );
    }
    check_text(&(text + ")"), HEAVY);
}

#[test]
fn instances_of_a_component_with_many_exports() {
    let mut text = String::from("(component (component $c (import \"f\" (func $f))");
    for export in 0..20_000 {
        text += &format!("(export \"e{export}\" (func $f))");
    }
    text += ") (import \"f\" (func $f))";
    text += &"(instance (instantiate $c (with \"f\" (func $f))))".repeat(500);
    check_text(&(text + ")"), HEAVY);
}

#[test]
fn instances_of_a_core_module_with_many_imports() {
    let names = 0..20_000;
    let imports: String = names
        .clone()
        .map(|n| format!("(import \"a\" \"f{n}\" (func))"))
        .collect();
    let exports: String = names
        .map(|n| format!("(export \"f{n}\" (func $f))"))
        .collect();
    let text = format!(
        "(component (core module $a (func $f) {exports}) (core module $b {imports})
           (core instance $a (instantiate $a)) {})",
        "(core instance (instantiate $b (with \"a\" (instance $a))))".repeat(900)
    );
    check_text(&text, HEAVY);
}

#[test]
fn chains_of_types() {
    let mut text = String::from("(component (type $t0 (instance))");
    for level in 1..=300 {
        text += &format!(
            "(type $t{level} (instance (alias outer 1 $t{} (type $t)) (export \"a\" (instance (type $t)))))",
            level - 1
        );
    }
    check_text(&(text + ")"), DEEP);
}

#[test]
fn chains_of_instances() {
    let mut text =
        String::from("(component (import \"f\" (func $f)) (instance $i0 (export \"f\" (func $f)))");
    for level in 1..=300 {
        text += &format!(
            "(instance $i{level} (export \"a\" (instance $i{})))",
            level - 1
        );
    }
    check_text(&(text + ")"), DEEP);
}

#[test]
fn components_inside_each_other() {
    let mut component = wasm_encoder::Component::new();
    for _ in 0..1000 {
        let mut outer = wasm_encoder::Component::new();
        outer.section(&wasm_encoder::NestedComponentSection(&component));
        component = outer;
    }
    check(&component.finish(), DEEP);
}

/// A megabyte of them would overflow any stack.
#[test]
fn types_inside_each_other() {
    for scope in [[0x42, 1, 1], [0x41, 1, 1]] {
        let mut types = vec![1];
        types.extend(scope.repeat(350_000));
        types.extend([0x42, 0]);
        let mut component = wasm_encoder::Component::new();
        component.section(&wasm_encoder::RawSection {
            id: wasm_encoder::ComponentSectionId::Type.into(),
            data: &types,
        });
        check(&component.finish(), DEEP);
    }
}
