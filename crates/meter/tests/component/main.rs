//! Components: one meter for all core modules, whatever shape they are put together in.

mod bounds;
mod host;
mod refusals;

use std::collections::BTreeMap;

use host::{End, Native, PLENTY, call, instantiate, metered, need, plain};
use opensky_meter::Context;
use wasmparser::{ComponentName, KnownCustom, Parser, Payload};
use wasmtime::component::Val;

/// A library that spins, and a program that uses it and spins itself.
const TWO: &str = r#"
(component
  (core module $lib
    (func (export "spin") (param $n i32)
      (loop $again
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))))
  (core module $main
    (import "a" "spin" (func $a (param i32)))
    (import "b" "spin" (func $b (param i32)))
    (func (export "first") (param i32) (call $a (local.get 0)))
    (func (export "both") (param i32) (call $a (local.get 0)) (call $b (local.get 0))))
  (core instance $a (instantiate $lib))
  (core instance $b (instantiate $lib))
  (core instance $main (instantiate $main (with "a" (instance $a)) (with "b" (instance $b))))
  (func (export "first") (param "n" s32) (canon lift (core func $main "first")))
  (func (export "both") (param "n" s32) (canon lift (core func $main "both")))
  (func (export "alone") (param "n" s32) (canon lift (core func $b "spin"))))
"#;

#[test]
fn all_instances_draw_on_one_fuel() {
    let metered = metered(TWO);
    let one = need(&metered, "first", &[Val::S32(1000)]);
    let both = need(&metered, "both", &[Val::S32(1000)]);
    assert!(one > 1000);
    let small = need(&metered, "both", &[Val::S32(1)]) - need(&metered, "first", &[Val::S32(1)]);
    let thousand = both - one;
    let turn = need(&metered, "alone", &[Val::S32(1000)]) - need(&metered, "alone", &[Val::S32(1)]);
    assert_eq!(
        thousand - small,
        turn,
        "the second instance is charged like the first"
    );
}

#[test]
fn every_limit_below_the_need_is_out_of_fuel() {
    let metered = metered(TWO);
    let args = [Val::S32(10)];
    let need = need(&metered, "both", &args);
    let native = Native::of(&metered);
    for limit in 0..need {
        let seen = native.call("both", &args, limit);
        let is_out = seen.end == End::OutOfFuel || seen.left.is_some_and(|left| left < 0);
        assert!(is_out, "{limit} of {need}: {seen:?}");
    }
}

#[test]
fn start_functions_are_metered() {
    let text = r#"
(component
  (import "tick" (func $tick))
  (core func $tick (canon lower (func $tick)))
  (core module $m
    (import "host" "tick" (func $tick))
    (func $start (local $n i32)
      (call $tick)
      (local.set $n (i32.const 1000))
      (loop $again
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (start $start))
  (core instance (instantiate $m (with "host" (instance (export "tick" (func $tick)))))))
"#;
    let metered = metered(text);
    let seen = instantiate(&metered, PLENTY);
    assert_eq!((seen.end, seen.ticks), (End::Returned("".into()), 1));
    let need = PLENTY - seen.left.expect("it can be asked");
    assert!(need > 1000);
    assert_eq!(instantiate(&metered, need).left, Some(0));
    assert_eq!(instantiate(&metered, need / 2).end, End::OutOfFuel);
    assert_eq!(instantiate(&metered, need / 2).ticks, 1);
}

#[test]
fn what_instances_hold_is_paid_first() {
    let module = format!(
        r#"(module (memory 1) (data (i32.const 0) "{}"))"#,
        "x".repeat(10_000)
    );
    let module_bytes = wat::parse_str(&module).expect("the text is WebAssembly");
    let each = opensky_meter::module(&module_bytes, &Context::default()).expect("it is metered");
    let startup = i64::try_from(each.startup).expect("it is small");
    assert!(startup > 1000);
    let text = format!(
        "(component (core {} (core instance (instantiate $m)) (core instance (instantiate $m)))",
        module.replacen("(module", "module $m", 1)
    );
    let metered = metered(&text);
    assert_eq!(
        instantiate(&metered, PLENTY).left,
        Some(PLENTY - 2 * startup)
    );
    assert_eq!(instantiate(&metered, 10).left, Some(10 - 2 * startup));
}

/// What an engine makes for an instance before it runs, at the least that each is worth.
#[test]
fn what_is_made_with_an_instance_has_its_price() {
    let startup = |fields: &str| {
        let module = wat::parse_str(format!("(module (func $f) {fields})")).expect("text");
        let metered = opensky_meter::module(&module, &Context::default()).expect("it is metered");
        metered.startup
    };
    let startup = |fields: &str| startup(fields) - startup("");
    assert_eq!(startup("(elem declare func $f)"), 0);
    assert_eq!(startup("(elem func $f $f $f)"), 200 + 3 * 100);
    assert_eq!(startup("(table 0 funcref)"), 2_000);
    assert_eq!(
        startup("(table 2 funcref) (elem (i32.const 0) $f $f)"),
        2_000 + 2 * 8 + 200 + 100 + 2 * 100
    );
    assert_eq!(
        startup("(elem funcref (ref.func $f))"),
        200 + 100 + 100,
        "an expression for each element"
    );
    assert_eq!(startup("(memory 1 3)"), 2_000 + 65_536);
    assert_eq!(startup(r#"(memory 0) (data "passive")"#), 2_000 + 200);
    assert_eq!(
        startup(r#"(memory 0) (data (i32.const 0) "0123456789abcdef")"#),
        2_000 + 200 + 100 + 2
    );
    assert_eq!(
        startup("(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
        3 * 100
    );
}

#[test]
fn imports_and_the_instance_itself_have_their_price() {
    let startup = |text: &str| {
        let module = wat::parse_str(text).expect("text");
        let metered = opensky_meter::module(&module, &Context::default());
        metered.expect("it is metered").startup
    };
    assert_eq!(startup("(module)"), 2_000);
    assert_eq!(
        startup(
            r#"(module (import "a" "f" (func)) (import "a" "g" (global i32))
                (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref)))"#
        ),
        2_000 + 4 * 200,
        "what others have is theirs to pay"
    );
}

/// Ways to end that are not a return.
const ENDS: &str = r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (func $spin (param $n i32)
      (loop $again
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0)))))
    (func (export "fine") (call $spin (i32.const 100)))
    (func (export "panic") (call $spin (i32.const 100)) unreachable)
    (func $deeper (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (call $deeper (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
        (else (i32.const 0))))
    (func (export "deep") (param i32) (result i32) (call $deeper (local.get 0)))
    (func $inner (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
    (func $outer (export "divide") (result i32) (i32.add (call $inner) (i32.const 1)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "take") (param i32 i32))
    (func (export "after") (param i32) unreachable)
    (func (export "make") (result i32) (i32.const 8)))
  (core instance $m (instantiate $m))
  (func (export "fine") (canon lift (core func $m "fine")))
  (func (export "panic") (canon lift (core func $m "panic")))
  (func (export "deep") (param "n" s32) (result s32) (canon lift (core func $m "deep")))
  (func (export "divide") (result s32) (canon lift (core func $m "divide")))
  (func (export "realloc") (param "text" string)
    (canon lift (core func $m "take")
      (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (func (export "post-return") (result string)
    (canon lift (core func $m "make")
      (memory (core memory $m "memory")) (post-return (core func $m "after")))))
"#;

#[test]
fn panic_is_known_with_its_exact_fuel() {
    let metered = metered(ENDS);
    let need = need(&metered, "fine", &[]);
    let seen = call(&metered, "panic", &[], PLENTY);
    assert_eq!(seen.end, End::Panicked);
    assert_eq!(seen.reported, Some(PLENTY - need));
    assert_eq!(call(&metered, "panic", &[], need).end, End::Panicked);
    assert_eq!(call(&metered, "panic", &[], need / 2).end, End::OutOfFuel);
}

/// There the host cannot be called: nothing is reported, but the meter's function is still innermost.
#[test]
fn panic_is_known_where_no_import_can_be_called() {
    let metered = metered(ENDS);
    for (name, args) in [
        ("realloc", vec![Val::String("text".into())]),
        ("post-return", vec![]),
    ] {
        let seen = call(&metered, name, &args, PLENTY);
        assert_eq!((seen.end, seen.reported), (End::Panicked, None), "{name}");
    }
}

#[test]
fn recursion_ends_at_the_depth() {
    let metered = metered(ENDS);
    let shallow = call(&metered, "deep", &[Val::S32(1000)], PLENTY);
    assert_eq!(shallow.end, End::Returned("[S32(1000)]".into()));
    let deep = call(
        &metered,
        "deep",
        &[Val::S32(host::most_frames() as i32)],
        PLENTY,
    );
    assert_eq!(deep.end, End::TooDeep);
}

#[test]
fn other_traps_are_the_programs_own_and_keep_its_names() {
    let seen = call(&metered(ENDS), "divide", &[], PLENTY);
    assert!(matches!(&seen.end, End::Trapped(trap) if trap.contains("IntegerDivisionByZero")));
    assert_eq!(seen.stack, ["inner", "outer"]);
    assert_eq!(seen.left, None, "after a trap, nothing can be entered");
    let plain = call(&plain(ENDS), "divide", &[], PLENTY);
    assert_eq!(plain.stack, seen.stack);
}

#[test]
fn exit_reports_what_is_left() {
    let text = r#"
(component
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit "exit")))
  (core module $m
    (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
    (func $spin (param $n i32)
      (loop $again
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0)))))
    (func (export "run") (param i32) (call $spin (local.get 0)) (call $exit (i32.const 1))))
  (core instance $m (instantiate $m
    (with "wasi:cli/exit@0.2.0" (instance (export "exit" (func $exit))))))
  (func (export "run") (param "n" s32) (canon lift (core func $m "run"))))
"#;
    let metered = metered(text);
    let used = |turns| {
        let seen = call(&metered, "run", &[Val::S32(turns)], PLENTY);
        assert_eq!((seen.end, seen.left), (End::Exited, None));
        PLENTY - seen.reported.expect("it is reported")
    };
    let turn = used(2) - used(1);
    assert!(turn > 0);
    assert_eq!(used(1000) - used(1), 999 * turn);
    let out = call(&metered, "run", &[Val::S32(1000)], used(1000) - 2 * turn);
    assert_eq!((out.end, out.reported), (End::OutOfFuel, None));
}

/// Otherwise a program would report at a false exit, and go on.
#[test]
fn exit_is_known_by_what_it_is_and_not_by_its_name() {
    let text = r#"
(component
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit "exit")))
  (core module $n (func (export "exit") (param i32)))
  (core instance $n (instantiate $n))
  (core module $m
    (import "wasi:cli/exit@0.2.0" "exit" (func $false (param i32)))
    (import "other" "name" (func $true (param i32)))
    (func (export "run") (param $n i32)
      (call $false (i32.const 0))
      (loop $again
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))
      (call $true (i32.const 0))))
  (core instance $m (instantiate $m
    (with "wasi:cli/exit@0.2.0" (instance $n))
    (with "other" (instance (export "name" (func $exit))))))
  (func (export "run") (param "n" s32) (canon lift (core func $m "run"))))
"#;
    let metered = metered(text);
    let used = |turns| {
        let seen = call(&metered, "run", &[Val::S32(turns)], PLENTY);
        assert_eq!(seen.end, End::Exited);
        PLENTY - seen.reported.expect("it is reported")
    };
    let turn = used(2) - used(1);
    assert!(turn > 0);
    assert_eq!(used(1000) - used(1), 999 * turn);
}

/// What is not seen to be called cannot tell what is left.
#[test]
fn exit_that_is_not_only_called_is_refused() {
    let refused = |rest: &str, why: &str| {
        let text = format!(
            r#"(component
                (import "wasi:cli/exit@0.2.0" (instance $exit
                    (export "exit" (func (param "status" (result))))))
                {rest})"#
        );
        let bytes = wat::parse_str(&text).expect("the text is WebAssembly");
        wasmparser::Validator::new()
            .validate_all(&bytes)
            .expect("it is valid");
        let error = opensky_meter::component(&bytes)
            .expect_err(rest)
            .to_string();
        assert!(error.contains(why), "{error}");
    };
    let lowered = r#"(core func $exit (canon lower (func $exit "exit")))"#;
    let with = |module: &str| {
        format!(
            r#"{lowered}
            (core module $m (import "a" "b" (func $exit (param i32))) {module})
            (core instance (instantiate $m
                (with "a" (instance (export "b" (func $exit))))))"#
        )
    };
    let called = "not only called";
    refused(
        &with("(table 1 funcref) (elem (i32.const 0) $exit)"),
        called,
    );
    refused(&with("(elem declare func $exit)"), called);
    refused(&with(r#"(export "exit" (func $exit))"#), called);
    refused(
        &format!(
            r#"{lowered}
            (core module $m (import "a" "b" (func (param i32))) (func (export "b") (param i32)))
            (core module $n (func (export "b") (param i32)))
            (core instance $n (instantiate $n))
            (core instance (instantiate $m (with "a" (instance $n))))
            (core instance (instantiate $m
                (with "a" (instance (export "b" (func $exit))))))"#
        ),
        "in some instances only",
    );
    let around = "passes the functions of wasi:cli/exit around";
    refused(r#"(export "out" (instance $exit))"#, around);
    refused(
        r#"(alias export $exit "exit" (func $f)) (export "out" (func $f))"#,
        around,
    );
    refused(
        r#"(component $c (import "in" (instance)))
        (instance (instantiate $c (with "in" (instance $exit))))"#,
        around,
    );
    refused(
        r#"(alias export $exit "exit" (func $f)) (instance (export "out" (func $f)))"#,
        around,
    );
}

/// The host trusts the name of the meter's module.
#[test]
fn program_cannot_take_the_name_of_the_meter() {
    let text = r#"
(component
  (core module $m
    (@name "opensky:meter")
    (func $panic (export "run") (loop $again (br $again))))
  (core instance $m (instantiate $m))
  (func (export "run") (canon lift (core func $m "run"))))
"#;
    let seen = call(&metered(text), "run", &[], 10_000);
    assert_eq!(seen.end, End::OutOfFuel);
    assert_eq!(seen.stack, ["panic"], "the function keeps its own");
}

/// Everything that stands between core modules in components of real compilers.
const SHAPES: &str = include_str!("shapes.wat");

#[test]
fn component_does_what_it_did() {
    let (plain, metered) = (plain(SHAPES), metered(SHAPES));
    let text = Val::String("in and out".into());
    for (name, args) in [
        ("run", vec![]),
        ("text", vec![text]),
        ("resource", vec![]),
        ("linked", vec![Val::S32(5)]),
    ] {
        let expected = call(&plain, name, &args, 0);
        let seen = call(&metered, name, &args, PLENTY);
        assert!(
            matches!(expected.end, End::Returned(_)),
            "{name}: {expected:?}"
        );
        assert_eq!(
            (&seen.end, seen.ticks),
            (&expected.end, expected.ticks),
            "{name}"
        );
        assert!(need(&metered, name, &args) > 0);
    }
}

/// What a component's name section says, by kind and name.
fn names(bytes: &[u8]) -> BTreeMap<(&'static str, String), u32> {
    let mut found = BTreeMap::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload.expect("the component is valid") else {
            continue;
        };
        let KnownCustom::ComponentName(section) = section.as_known() else {
            continue;
        };
        for part in section {
            let (kind, names) = match part.expect("the names can be read") {
                ComponentName::CoreFuncs(names) => ("core func", names),
                ComponentName::CoreModules(names) => ("core module", names),
                ComponentName::CoreInstances(names) => ("core instance", names),
                ComponentName::CoreMemories(names) => ("core memory", names),
                ComponentName::Types(names) => ("type", names),
                ComponentName::Funcs(names) => ("func", names),
                ComponentName::Instances(names) => ("instance", names),
                _ => continue,
            };
            for naming in names {
                let naming = naming.expect("the names can be read");
                // Those of the inner components are the same on both sides.
                found
                    .entry((kind, naming.name.into()))
                    .or_insert(naming.index);
            }
        }
    }
    found
}

#[test]
fn names_of_a_component_are_shifted_with_what_they_name() {
    let (plain, metered) = (names(&plain(SHAPES)), names(&metered(SHAPES)));
    assert!(plain.keys().eq(metered.keys()));
    for (kind, name, shift) in [
        ("core func", "tick-lowered", 3),
        ("core module", "main", 1),
        ("core instance", "shared", 2),
        ("core memory", "memory", 0),
        ("type", "text-type", 2),
        ("func", "linked", 4),
        ("instance", "shown", 0),
    ] {
        let key = (kind, name.to_owned());
        assert_eq!(metered[&key], plain[&key] + shift, "{kind} {name}");
    }
}

#[test]
fn names_that_cannot_be_read_are_left_out() {
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::CustomSection {
        name: "component-name".into(),
        data: [0, 200].as_slice().into(),
    });
    let metered = opensky_meter::component(&component.finish()).expect("it is metered");
    let empty = opensky_meter::component(&plain("(component)")).expect("it is metered");
    assert_eq!(metered, empty);
}

#[test]
fn empty_component_is_metered() {
    assert_eq!(instantiate(&metered("(component)"), 7).left, Some(7));
}
