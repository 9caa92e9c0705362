//! Standard streams and file names that are out of the ordinary.

mod session;

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::ffi::OsStrExt as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use session::{Ran, Session, cat};

/// A name that is no text in any encoding.
fn odd() -> &'static OsStr {
    OsStr::from_bytes(b"odd \xff")
}

fn someone() -> Session {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    person
}

#[test]
fn file_names_need_not_be_text() {
    let person = someone();
    let named = OsStr::from_bytes(b"a=odd \xff");
    for (from, to) in [("cat.wat", "odd"), ("in.txt", "input")] {
        std::fs::create_dir_all(person.folder().join(to)).expect("a folder");
        let (from, to) = (person.folder().join(from), person.folder().join(to));
        std::fs::copy(from, to.join(odd())).expect("it is ours");
    }
    std::fs::create_dir(person.folder().join("receipt")).expect("a folder");
    let folder = |name: &str| person.folder().join(name).join(odd());
    let mut command = person.command(&["run", "--format", "json", "--in"]);
    command
        .arg(named)
        .current_dir(person.folder().join("input"));
    command
        .arg(folder("odd"))
        .arg("--input")
        .arg(folder("input"));
    command.arg("--receipt").arg(folder("receipt"));
    let ran = Ran::of(&mut command);
    // Text of any name is taken for what it holds.
    ran.is(0, &[]);
    assert_eq!(ran.stdout, b"abc");
    let report: Value = serde_json::from_str(&ran.stderr).expect("JSON");
    let receipt = report["receipt"].as_str().expect("a text");
    assert!(receipt.ends_with("odd \u{fffd}"), "{receipt}");
    assert!(folder("receipt").is_file());

    for args in [&["key", "new"][..], &["key", "show"]] {
        let mut command = person.command(args);
        command.args(["--format", "json"]);
        command.env("XDG_DATA_HOME", person.folder().join(odd()));
        Ran::of(&mut command).is(0, &["odd"]);
    }
}

#[test]
fn report_gives_no_rate_for_what_was_not_counted() {
    let person = someone();
    person.write("trap.wat", session::wat("(drop (i32.load (i32.const -1)))"));
    let ran = person.opensky(&["run", "trap.wat", "--fuel", "5M"]);
    ran.is(1, &["5 000 000 in ", "whole limit"]);
    assert!(!ran.stderr.contains("Mfuel/s"), "{}", ran.stderr);
}

#[test]
fn line_to_check_a_receipt_can_be_pasted() {
    let person = someone();
    std::fs::create_dir(person.folder().join("my files")).expect("a folder");
    let run = ["run", "cat.wat", "--receipt", "my files/it's mine"];
    let ran = person.opensky(&run);
    ran.is(0, &[]);
    let line = ran.stderr.lines().find(|line| line.contains("check it"));
    let typed = line.and_then(|line| line.split_once("opensky verify "));
    let (_, typed) = typed.expect("a line to paste");
    let mut shell = Command::new("sh");
    let opensky = env!("CARGO_BIN_EXE_opensky");
    shell.args(["-c", &format!("'{opensky}' verify {typed}")]);
    Ran::of(person.at_home(&mut shell)).is(0, &["match"]);
}

#[test]
fn standard_input_is_read_for_one_thing_only() {
    let person = someone();
    let refused = |args: &[&str]| {
        let ran = person.opensky(&[&["run"], args].concat());
        ran.refuses(2, &["more than once", "help: "]);
    };
    refused(&["cat.wat", "--input", "-", "--in", "a=-"]);
    refused(&["-", "--input", "-"]);
    person
        .opensky(&["dev", "cat.wat", "--in", "a=-"])
        .refuses(2, &["read only once", "help: "]);
}

#[test]
fn dash_is_standard_output_for_the_output_and_for_nothing_else() {
    let person = someone();
    let run = ["run", "cat.wat", "--input", "in.txt"];
    let ran = person.opensky(&[&run[..], &["--output", "-"]].concat());
    ran.is(0, &[]);
    assert_eq!(ran.stdout, b"abc");
    for flag in ["--receipt", "--out"] {
        let ran = person.opensky(&[&run[..], &[flag, "-"]].concat());
        ran.refuses(2, &[flag, "help: "]);
    }
    assert!(!person.folder().join("-").exists());
}

#[test]
fn output_that_nobody_takes_whole_is_the_hosts_failure() {
    let person = someone();
    person.write("long.txt", vec![b'x'; 1 << 20]);
    let pipe = person.folder().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let run = ["run", "cat.wat", "--input", "long.txt", "-o", "pipe"];
    let running = person
        .command(&run)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("opensky starts");
    drop(File::open(&pipe).expect("the other end is opened"));
    let ran = Ran::from(running.wait_with_output().expect("it ends"));
    ran.refuses(4, &["cannot write the output", "pipe"]);
}

#[test]
fn build_tools_do_not_read_what_is_meant_for_the_guest() {
    let person = someone();
    std::fs::create_dir(person.folder().join("made")).expect("a folder");
    person.write(
        "made/Makefile",
        "all:\n\tcat >&2\n\tmkdir -p build\n\tcp ../cat.wasm build/\n",
    );
    person.write("cat.wasm", wat::parse_str(cat()).expect("valid text"));
    let mut command = person.command(&["run", "made", "--input", "-"]);
    command.stdin(File::open(person.folder().join("in.txt")).expect("just written"));
    let ran = Ran::of(&mut command);
    ran.is(0, &[]);
    assert_eq!(ran.stdout, b"abc");
}

#[test]
fn detail_is_our_own_until_that_of_the_libraries_is_asked_for() {
    let person = someone();
    let said = |flag: &str| {
        let ran = person.opensky(&["run", "cat.wat", "--input", "in.txt", flag]);
        ran.is(0, &[]);
        ran.stderr.contains("wit_parser")
    };
    assert!(!said("-vv"));
    assert!(said("-vvv"));
}

#[test]
fn filter_that_makes_no_sense_is_pointed_out() {
    let person = someone();
    let mut command = person.command(&["run", "cat.wat", "--input", "in.txt"]);
    let ran = Ran::of(command.env("OPENSKY_LOG", "a=b=c"));
    ran.is(0, &["warning: OPENSKY_LOG is ignored"]);
    let warnings = ran.stderr.matches("OPENSKY_LOG").count();
    assert_eq!(warnings, 1, "{}", ran.stderr);
}
