//! A component that takes an import for something else than it is: refused when it is read, and not
//! only when it is linked.

#![allow(clippy::unwrap_used)] // a helper that fails fails the test

mod fixture;

use fixture::{
    PRELUDE, sandbox,
    wit::{encode, everything, import, imports},
};
use opensky_executor::{Sandbox, admit};
use wit_parser::{Param, Resolve, Type, TypeDefKind, WorldId};

/// A command that imports this.
fn command(resolve: &Resolve, world: WorldId, imports: &str) -> Vec<u8> {
    let run = r#"(func (export "wasi:cli/run@0.2.12#run") (result i32) (i32.const 0))"#;
    encode(
        resolve,
        world,
        &format!("(module {imports} {PRELUDE} {run})"),
    )
}

/// Refused by admission, in words that begin like this, and by the engine too.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, component: &[u8], words: &str) {
    let refusal = admit(component).unwrap_err().to_string();
    assert!(refusal.starts_with(words), "{refusal}");
    assert!(
        sandbox.compile(component).is_err(),
        "the engine links it: {refusal}"
    );
}

#[test]
fn function_of_another_type_is_refused_by_name() {
    let (sandbox, (published, world)) = (sandbox(), everything());
    let interfaces: Vec<_> = published.interfaces.iter().map(|(id, _)| id).collect();
    let mut tried = 0;
    for interface in interfaces {
        let functions = published.interfaces[interface].functions.keys();
        for name in functions {
            let mut odd = published.clone();
            let function = odd.interfaces[interface].functions.get_mut(name).unwrap();
            function.params.push(Param {
                name: "odd".into(),
                ty: Type::Char,
                span: Default::default(),
            });
            let module = odd.id_of(interface).unwrap();
            let line = import(&odd, &module, &odd.interfaces[interface].functions[name]);
            if !imports(&odd, world, |_| true).contains(&line) {
                continue;
            }
            let component = command(&odd, world, &line);
            let words = format!("imports `{name}` of `{module}` as `func(");
            assert_refused(&sandbox, &component, &words);
            tried += 1;
        }
    }
    assert_eq!(tried, 139);
}

/// Changes what `kind` is made of without changing how much it is. Whether it could.
fn twist(kind: &mut TypeDefKind) -> bool {
    let name = match kind {
        TypeDefKind::Record(record) => &mut record.fields[0].name,
        TypeDefKind::Variant(variant) => &mut variant.cases[0].name,
        TypeDefKind::Enum(names) => &mut names.cases[0].name,
        TypeDefKind::Flags(names) => &mut names.flags[0].name,
        TypeDefKind::Tuple(tuple) => {
            tuple.types[0] = Type::Char;
            return true;
        }
        TypeDefKind::List(item) | TypeDefKind::Option(item) => {
            *item = Type::Char;
            return true;
        }
        _ => return false,
    };
    *name = "odd".into();
    true
}

#[test]
fn what_is_admitted_links_and_what_does_not_link_is_refused() {
    let (sandbox, (published, world)) = (sandbox(), everything());
    let types: Vec<_> = published.types.iter().map(|(id, _)| id).collect();
    let mut refused = 0;
    for ty in types {
        let mut odd = published.clone();
        if !twist(&mut odd.types[ty].kind) {
            continue;
        }
        let component = command(&odd, world, &imports(&odd, world, |_| true));
        let linked = sandbox.compile(&component);
        match admit(&component) {
            Ok(_) => assert!(linked.is_ok(), "{:?}: {:?}", odd.types[ty], linked.err()),
            Err(refusal) => {
                assert!(linked.is_err(), "{:?}: {refusal}", odd.types[ty]);
                refused += 1;
            }
        }
    }
    assert!(refused > 30, "{refused}");
}

/// A component of nothing but imports: what else is wrong with it is found after them.
fn importing(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

#[test]
fn what_is_no_such_interface_or_resource_is_refused_by_name() {
    let sandbox = sandbox();
    let poll = r#"(import "wasi:io/poll@0.2.6" (instance $p
        (export "pollable" (type (sub resource)))))
        (alias export $p "pollable" (type $pollable))"#;
    let cases = [
        (
            r#"(import "wasi:cli/environment@0.2.0" (func))"#.to_owned(),
            "imports `wasi:cli/environment@0.2.0`, but not as an interface",
        ),
        (
            r#"(import "wasi:cli/environment@0.2.0" (instance
                (export "get-arguments" (instance))))"#
                .into(),
            "imports `get-arguments` of `wasi:cli/environment@0.2.0`, which is not part",
        ),
        (
            r#"(import "wasi:cli/environment@0.2.0" (instance
                (export "get-arguments" (type (sub resource)))))"#
                .into(),
            "imports `get-arguments` of `wasi:cli/environment@0.2.0`, which is not part",
        ),
        (
            format!(
                r#"{poll} (import "wasi:io/error@0.2.6" (instance
                    (export "error" (type (eq $pollable)))))"#
            ),
            "imports `error` of `wasi:io/error@0.2.6` as `resource wasi:io/poll.pollable`, and it \
             is `resource wasi:io/error.error`",
        ),
        (
            format!(
                r#"{poll} (import "wasi:cli/terminal-stdin@0.2.6" (instance
                    (alias outer 1 $pollable (type $p))
                    (export "terminal-input" (type $t (eq $p)))
                    (export "get-terminal-stdin" (func (result (option (own $t)))))))"#
            ),
            "imports `get-terminal-stdin` of `wasi:cli/terminal-stdin@0.2.6` as `func() -> \
             option<own<wasi:io/poll.pollable>>`, and it is",
        ),
    ];
    for (text, words) in cases {
        assert_refused(&sandbox, &importing(&text), words);
    }
}

/// The engine takes one for the other where a host function has a handle.
#[test]
fn owned_handle_is_no_borrowed_one() {
    let text = r#"(import "wasi:io/poll@0.2.6" (instance
        (export "pollable" (type $p (sub resource)))
        (export "poll" (func (param "in" (list (own $p))) (result (list u32))))))"#;
    let refusal = admit(&importing(text)).unwrap_err().to_string();
    let words = "imports `poll` of `wasi:io/poll@0.2.6` as `func(list<own<wasi:io/poll.pollable>>) \
        -> list<u32>`, and it is `func(list<borrow<wasi:io/poll.pollable>>) -> list<u32>`";
    assert_eq!(refusal, words);
}

#[test]
fn resource_may_be_imported_in_two_versions() {
    let text = r#"
        (import "wasi:io/poll@0.2.0" (instance $old (export "pollable" (type (sub resource)))))
        (import "wasi:io/poll@0.2.6" (instance $new (export "pollable" (type (sub resource)))))
        (alias export $old "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.6" (instance
            (alias outer 1 $pollable (type $p))
            (export "pollable" (type $mine (eq $p)))
            (export "subscribe-instant" (func (param "at" u64) (result (own $mine))))))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.3" (instance $run))"#;
    let component = importing(text);
    admit(&component).unwrap();
    sandbox().compile(&component).unwrap();
}

/// A type that is exponentially longer than what defines it.
#[test]
fn refusal_of_an_endless_type_is_short_and_quick() {
    let doubled = (1..60).fold(String::from("(type $t0 u8)"), |text, n| {
        let last = n - 1;
        format!("{text} (type $t{n} (tuple $t{last} $t{last}))")
    });
    let text = format!(
        r#"(import "wasi:cli/environment@0.2.0" (instance {doubled}
            (export "get-arguments" (func (result $t59)))))"#
    );
    let refusal = admit(&importing(&text)).unwrap_err().to_string();
    assert!(refusal.len() < 1000, "{refusal}");
}
