//! What is refused before anything of it runs: each with a reason and with what to do.

mod session;

use opensky_protocol::{Digest, Receipt, SecretKey, Transcript};
use session::Session;

/// A command that imports this interface.
fn importing(interface: &str, items: &str) -> String {
    format!(
        r#"(component
            (import "{interface}" (instance {items}))
            (core module $m (func (export "run") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.3" (instance $run)))"#
    )
}

#[test]
fn host_function_that_is_taken_for_another_one_is_refused() {
    let person = Session::new();
    let cases = [
        (
            "wasi:cli/environment@0.2.0",
            r#"(export "get-arguments" (func (result u32)))"#,
            "imports `get-arguments` of `wasi:cli/environment@0.2.0` as `func() -> u32`, and it is \
             `func() -> list<string>`",
        ),
        (
            "opensky:compute/context@0.1.0",
            r#"(export "shard" (func (param "of" u64) (result (tuple u32 u32))))"#,
            "imports `shard` of `opensky:compute/context@0.1.0` as `func(u64) -> tuple<u32, u32>`, \
             and it is `func() -> tuple<u32, u32>`",
        ),
    ];
    for (interface, items, why) in cases {
        person.write("odd.wat", importing(interface, items));
        let help = "help: build with the interface's published definition";
        person
            .opensky(&["run", "odd.wat"])
            .refuses(3, &["refuses `odd.wat`", why, help]);
        let inspected = person.opensky(&["inspect", "odd.wat"]);
        inspected.is(0, &["refused", interface, why, "published definition"]);
        let (ran, report) = person.json(&["inspect", "odd.wat"]);
        ran.is(0, &[]);
        let refused = report["imports"][0]["refused"].as_str().expect("a reason");
        assert!(refused.starts_with(why), "{refused}");
    }
}

#[test]
fn receipt_for_a_program_that_cannot_be_linked_cannot_be_judged() {
    let person = Session::new();
    person.write("runs.wat", importing("wasi:cli/environment@0.2.0", ""));
    person
        .opensky(&["run", "runs.wat", "--receipt", "r"])
        .is(0, &[]);
    let items = r#"(export "get-arguments" (func (result u32)))"#;
    person.write("odd.wat", importing("wasi:cli/environment@0.2.0", items));
    let odd = wat::parse_str(String::from_utf8(person.read("odd.wat")).expect("text"));
    let odd = odd.expect("valid text");
    person.write("odd.wasm", &odd);
    let truth = Receipt::from_file(&person.read("r")).expect("we wrote it");
    let mut work = truth.work.clone();
    work.program = Digest::of(&odd);
    let calls = Transcript::start(&work.unit());
    let key = SecretKey::from_seed(&[7; 32]);
    let (class, fuel) = (truth.statement.class, truth.statement.fuel);
    let lie = Receipt::sign(&key, work, class, fuel, calls, truth.outputs, vec![]);
    person.write("lie", lie.to_file());
    person
        .opensky(&["verify", "lie", "--component", "odd.wasm"])
        .refuses(3, &["get-arguments"]);
}

#[test]
fn inspect_and_meter_say_what_a_file_is_that_is_not_wasm() {
    let person = session::with_receipt();
    person.write("empty.wasm", "");
    person.write("program", b"\x7fELF\x02\x01\x01\0");
    person.write("notes.txt", "no program\n");
    person.write("noise", b"\x01\0\x02");
    let takes = "help: name a component, a core module or WebAssembly text";
    let cases = [
        ("empty.wasm", "it is empty", takes),
        ("program", "it is a native program or library (ELF)", takes),
        ("notes.txt", "it is text", takes),
        ("noise", "no kind that is known", takes),
        (
            "its.receipt",
            "it is a receipt",
            "opensky receipt show its.receipt",
        ),
    ];
    for (file, kind, help) in cases {
        let what = format!("error: `{file}` is not WebAssembly");
        let words = [&what, kind, help];
        person.opensky(&["inspect", file]).refuses(3, &words);
        let meter = person.opensky(&["meter", file, "-o", "metered"]);
        meter.refuses(3, &words);
        assert!(!person.folder().join("metered").exists());
    }
    std::fs::create_dir(person.folder().join("a project")).expect("a folder");
    let words = ["`a project` is a folder", "opensky build 'a project'"];
    person.opensky(&["inspect", "a project"]).refuses(2, &words);
}

#[test]
fn what_is_metered_already_is_not_run_but_named() {
    let person = Session::new();
    person.write("module.wat", session::wat("(call $exit (i32.const 0))"));
    person.write("component.wat", importing("wasi:cli/environment@0.2.0", ""));
    for (file, import) in [
        ("module.wat", "opensky:meter#fuel"),
        ("component.wat", "opensky-fuel-limit"),
    ] {
        let meter = person.opensky(&["meter", file, "-o", "metered.wasm"]);
        meter.is(0, &["Metered"]);
        let words = ["`metered.wasm` is metered already", "it was made from"];
        person.opensky(&["run", "metered.wasm"]).refuses(3, &words);
        let words = [import, "belongs to the meter"];
        person.opensky(&["inspect", "metered.wasm"]).is(0, &words);
    }
}

#[test]
fn meter_tells_its_own_limits_from_those_of_the_sandbox() {
    let person = Session::new();
    let meter = |locals: usize| {
        let locals = "i32 ".repeat(locals);
        person.write("many.wat", format!("(module (func (local {locals})))"));
        person.opensky(&["meter", "many.wat", "-o", "metered"])
    };
    meter(20_000).is(0, &["Metered"]);
    meter(20_001).refuses(
        3,
        &[
            "`many.wat` is not metered: the sandbox of `opensky run` would refuse it",
            "because: locals of a function: 20001, and at most 20000 are accepted",
            "the limit is the sandbox's",
        ],
    );
}
