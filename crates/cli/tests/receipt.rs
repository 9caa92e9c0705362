//! `opensky receipt` and `opensky key` from outside; damaged files of both.

mod session;

use std::{fs, os::unix::fs::PermissionsExt as _};

use session::{Session, cat, with_receipt};

#[test]
fn receipt_is_shown_for_people_and_as_json() {
    let person = with_receipt();
    let ran = person.opensky(&["receipt", "show", "its.receipt"]);
    ran.is(
        0,
        &[
            "unit",
            "outcome",
            "ok",
            "fuel",
            "transcript",
            "program",
            "signature checked",
        ],
    );
    let (ran, shown) = person.json(&["receipt", "show", "its.receipt"]);
    ran.is(0, &[]);
    let (run, report) = person.json(&["run", "cat.wat", "--input", "in.txt"]);
    run.is(0, &[]);
    for field in [
        "unit",
        "outcome",
        "fuel",
        "output_digest",
        "transcript",
        "compare_key",
        "profile",
    ] {
        assert_eq!(shown["statement"][field], report[field], "{field}");
    }
    let calls = shown["calls"].as_array().expect("a list");
    assert_eq!(report["calls"], calls.len());
    let (_, key) = person.json(&["key", "show"]);
    assert_eq!(
        shown["statement"]["node"], key["node"],
        "signed by this node"
    );
}

#[test]
fn one_call_is_one_call() {
    let person = Session::new();
    let module = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $draw (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $draw (i32.const 0) (i32.const 8)))))"#;
    person.write("one.wat", module);
    person
        .opensky(&["run", "one.wat", "--receipt", "r"])
        .is(0, &[]);
    person
        .opensky(&["receipt", "show", "r"])
        .is(0, &[" 1 call "]);
}

#[test]
fn receipt_shows_all_that_was_asked_for() {
    let person = Session::new();
    person.write("cat.wat", cat());
    let work = [
        "--arg=-x",
        "--env=LANG=C",
        "--param=depth=3",
        "--seed=ff",
        "--time=1700000000",
    ];
    let run = [&["run", "cat.wat", "--receipt", "r"][..], &work].concat();
    person.opensky(&run).is(0, &[]);
    let shown = person.opensky(&["receipt", "show", "r"]);
    shown.is(0, &["-x", "LANG=C", "depth=3", "00ff", "1700000000"]);
}

#[test]
fn receipt_with_any_bit_flipped_is_refused() {
    let person = with_receipt();
    let whole = person.read("its.receipt");
    // Every bit is tried where receipts are decoded; here it is some of each part of the file.
    let step = whole.len() / 40 + 1;
    for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        person.write("damaged.receipt", damaged);
        person
            .opensky(&["verify", "damaged.receipt"])
            .refuses(3, &["damaged.receipt"]);
        person
            .opensky(&["receipt", "show", "damaged.receipt"])
            .refuses(3, &["damaged.receipt"]);
    }
}

#[test]
fn what_is_no_receipt_is_refused() {
    let person = with_receipt();
    let whole = person.read("its.receipt");
    person.write("cut.receipt", &whole[..whole.len() - 1]);
    person.write("longer.receipt", [&whole[..], b"\0"].concat());
    person.write("empty.receipt", b"");
    for file in ["cut.receipt", "longer.receipt", "empty.receipt", "cat.wat"] {
        person.opensky(&["verify", file]).refuses(3, &[file]);
        person
            .opensky(&["receipt", "show", file])
            .refuses(3, &[file]);
    }
    for file in ["none.receipt", "."] {
        person
            .opensky(&["verify", file])
            .refuses(2, &[file, "help: "]);
        person
            .opensky(&["receipt", "show", file])
            .refuses(2, &[file, "help: "]);
    }
}

#[test]
fn key_is_made_once_and_kept_from_others() {
    let person = Session::new();
    person
        .opensky(&["key", "show"])
        .refuses(2, &["opensky key new"]);
    person.opensky(&["key", "new"]).is(0, &["node"]);
    let (_, first) = person.json(&["key", "show"]);
    let file = first["file"].as_str().expect("a path");
    let mode = fs::metadata(file)
        .expect("it was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    person.opensky(&["key", "new"]).refuses(2, &["--force"]);
    let (_, again) = person.json(&["key", "show"]);
    assert_eq!(again, first);
    person.opensky(&["key", "new", "--force"]).is(0, &[]);
    let (_, other) = person.json(&["key", "show"]);
    assert_ne!(other["node"], first["node"]);
    let secret = fs::read_to_string(file).expect("a text");
    let shown = person.opensky(&["key", "show"]);
    assert!(
        !shown.text().contains(secret.trim()),
        "the secret key is never printed"
    );
}

#[test]
fn damaged_key_is_the_hosts_failure_and_is_not_replaced() {
    let person = with_receipt();
    let (_, key) = person.json(&["key", "show"]);
    let file = key["file"].as_str().expect("a path");
    fs::write(file, "not a key").expect("it is ours");
    person
        .opensky(&["run", "cat.wat", "--input", "in.txt"])
        .is(4, &["damaged", "help: "]);
    assert_eq!(fs::read(file).expect("still there"), b"not a key");
}
