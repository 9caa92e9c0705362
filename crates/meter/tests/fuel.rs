//! The production count is the slow count, and a limit ends exactly those who need more.

mod bench;

use opensky_meter::Context;

use bench::{check, engine, exports, metered, random};
use wasmtime::OptLevel;

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

/// Found by the fuzzer, in the slow count: what custom sections hold makes no module invalid.
#[test]
fn names_that_do_not_parse() {
    check_text(r#"(module (func (export "f")) (@custom "name" "\01\ff\02"))"#);
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

/// Whoever leaves the module may come back to all that it exports, by whichever import.
#[test]
fn imports_weigh_the_same() {
    // A look is made from a weight of 20,000 on: the function and who starts it pass that together.
    let divide = "(drop (i64.div_u (i64.const 7) (i64.const 3)))";
    let (heavy, light) = (divide.repeat(900), divide.repeat(20));
    let starting_with = |import: &str| {
        let text = format!(
            r#"(module (import "h" "a" (func $a)) (import "h" "b" (func $b))
                (func (export "heavy") {heavy}) (func (export "both") (call $a) (call $b))
                (func $start (call {import}) {light}) (start $start))"#
        );
        let module = wat::parse_str(text).expect("the text is WebAssembly");
        let metered = opensky_meter::module(&module, &Context::default());
        metered.expect("it is metered").bytes.len()
    };
    assert_eq!(starting_with("$a"), starting_with("$b"));
}

/// A branch moves what it takes along: each value costs.
#[test]
fn branches_pay_for_what_they_take_along() {
    check_text(
        r#"(module
            (type $three (func (param i32 i64 f64) (result i32 i64 f64)))
            (func (export "branches") (param i32) (result i32 i64 f64) (local $n i32)
                (local.set $n (i32.and (local.get 0) (i32.const 15)))
                (local.get 0) (i64.const 2) (f64.const 3)
                (loop (type $three)
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if 0 (i32.gt_s (local.get $n) (i32.const 0)))
                    (block (type $three)
                        (br_table 0 1 2 (i32.and (local.get 0) (i32.const 3)))))
                (return)))"#,
    );
    let need = |values: usize| {
        let types = "i32 ".repeat(values);
        let constants = "(i32.const 1) ".repeat(values);
        let drops = "(drop) ".repeat(values);
        let plain = wat::parse_str(format!(
            r#"(module (func (export "f")
                (block (result {types}) {constants} (br 0)) {drops}))"#
        ));
        let plain = plain.expect("the text is WebAssembly");
        check(&engine(OptLevel::None), &plain, &metered(&plain), "f").expect("it returns")
    };
    assert_eq!(need(100) - need(10), 90 * 2, "a constant and its way");
}

/// So do the ends of blocks that give values, and calls: all that several values have to be moved for.
#[test]
fn each_value_but_the_first_costs_wherever_it_is_moved() {
    check_text(
        r#"(module
            (type $two (func (param i32 i64) (result i32 i64)))
            (table funcref (elem $swap))
            (func $swap (type $two)
                (if (type $two) (local.get 0) (i64.const 5) (i32.const 1) (then) (else))
                (if (type $two) (local.get 0) (then (drop) (drop) (i32.const 3) (i64.const 4))))
            (func (export "values") (param i32) (result i32 i64) (local $n i32)
                (local.set $n (i32.and (local.get 0) (i32.const 7)))
                (local.get 0) (i64.const 2)
                (loop (type $two)
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (call $swap)
                    (block (type $two)
                        (br_if 1 (i32.gt_s (local.get $n) (i32.const 0)))
                        (call_indirect (type $two) (i32.const 0))))))"#,
    );
    let need = |code: &str, values: usize| {
        let types = "i32 ".repeat(values);
        let constants = "(i32.const 1) ".repeat(values);
        let plain = wat::parse_str(format!(
            r#"(module
                (type $values (func (param {types}) (result {types})))
                (table funcref (elem $same))
                (func $give (result {types}) {constants})
                (func $same (type $values) unreachable)
                (func (export "f") {code} {}))"#,
            "(drop) ".repeat(values),
        ));
        let plain = plain.expect("the text is WebAssembly");
        check(&engine(OptLevel::None), &plain, &metered(&plain), "f").expect("it returns")
    };
    let each = |code: &str| {
        let code = |values: usize| code.replace("{values}", &"(i32.const 1) ".repeat(values));
        let rest = need(&code(1), 1);
        assert_eq!(need(&code(0), 0) + 1, rest, "the first one is free");
        need(&code(2), 2) - rest - 1
    };
    assert_eq!(each("{values} (block (type $values))"), 2, "in and out");
    assert_eq!(each("{values} (loop (type $values))"), 2);
    assert_eq!(
        each("{values} (if (type $values) (i32.const 1) (then) (else))"),
        2
    );
    assert_eq!(each("{values} (if (type $values) (i32.const 0) (then))"), 1);
    assert_eq!(
        each("(call $give) (nop) ;; {values}\n"),
        2,
        "both ends of a call"
    );
}
