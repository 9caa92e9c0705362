//! Core modules that become commands, and those that do not.

use opensky_executor::{
    adapt, admit,
    inspect::{Entry, Refusal},
};

use crate::components::{HELLO, binary};

#[test]
fn a_preview_1_command_becomes_a_component_and_always_the_same() {
    let module = binary(HELLO);
    let adapted = adapt(&module).unwrap();
    assert_eq!(adapted, adapt(&module).unwrap());
    let admitted = admit(&adapted).unwrap();
    assert_eq!(admitted.entry(), Entry::Command);
    let imports: Vec<&str> = admitted
        .inspection()
        .imports
        .iter()
        .map(|import| import.name.as_str())
        .collect();
    assert!(
        imports.iter().all(|name| name.starts_with("wasi:")),
        "{imports:?}"
    );
    assert!(
        imports
            .iter()
            .any(|name| name.starts_with("wasi:cli/stdout@0.2.")),
        "{imports:?}"
    );
    assert_eq!(adapt(&adapted), Err(Refusal::Component));
}

#[test]
fn modules_that_are_no_preview_1_command_are_refused_by_name() {
    let cases = [
        (
            r#"(module (import "env" "emscripten_sleep" (func)) (func (export "_start")))"#,
            "imports `emscripten_sleep` of `env`, which is not part of WASI preview 1",
        ),
        (
            r#"(module (import "wasi_unstable" "fd_write" (func)) (func (export "_start")))"#,
            "imports `fd_write` of `wasi_unstable`",
        ),
        (
            r#"(module (import "wasi_snapshot_preview1" "thread_spawn" (func)))"#,
            "imports `thread_spawn` of `wasi_snapshot_preview1`",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "_initialize")))"#,
            "is a core module that does not export `_start`",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "f")))"#,
            "is a core module that does not export `_start`",
        ),
        (
            r#"(module (func (export "_start")))"#,
            "is a core module that does not export `memory`",
        ),
        (
            r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
            "cannot be adapted from WASI preview 1: ",
        ),
        (
            r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#,
            "cannot be adapted from WASI preview 1: ",
        ),
        ("(component)", "is a component already"),
    ];
    for (text, expected) in cases {
        let refusal = adapt(&binary(text)).expect_err(expected).to_string();
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}
