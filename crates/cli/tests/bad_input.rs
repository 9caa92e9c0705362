//! Text, files and numbers that mean harm to the person at the terminal, not to the sandbox.

mod session;

use std::{fs, path::Path, process::Command};

use opensky_protocol::{
    Class, Digest, JobPlan, JobReceipt, JobSpec, Outputs, Receipt, SecretKey, Transcript, names,
};
use serde_json::Value;
use session::{Ran, Session, built, text, wat};

/// Window title, colour, clear screen, an 8-bit control and overwriting, as WebAssembly text.
const EVIL_WAT: &str = r"\1b]0;title\07\1b[31mred\1b[2J\c2\9b1m\0dgone\08";
/// The same as Rust text.
const EVIL: &str = "\x1b]0;title\x07\x1b[31mred\x1b[2J\u{9b}1m\rgone\x08";

/// Runs a command as on a terminal: nothing is stripped because of where it goes.
fn on_a_terminal(person: &Session, args: &[&str]) -> Ran {
    Ran::of(person.command(args).env("CLICOLOR_FORCE", "1"))
}

/// Fails if anything was said that a terminal obeys, other than to change its style.
#[track_caller]
fn is_harmless(ran: &Ran) {
    let said = format!("{}{}", ran.text(), ran.stderr);
    let plain = said.replace("\x1b[0m", "");
    let ours = ["\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m"];
    let plain = ours
        .iter()
        .fold(plain, |text, style| text.replace(style, ""));
    let left: Vec<char> = plain
        .chars()
        .filter(|c| c.is_control() && *c != '\n')
        .collect();
    assert!(left.is_empty(), "{left:?} in {said:?}");
    assert!(said.contains("title"), "the text itself is shown: {said}");
}

#[test]
fn log_and_names_of_a_guest_cannot_steer_the_terminal() {
    let person = Session::new();
    let write = format!("(call $write (i32.const 2) (i32.const {}))", EVIL.len());
    let log = wat(&write).replace(
        "(global $count",
        &format!("(data (i32.const 1024) \"{EVIL_WAT}\") (global $count"),
    );
    person.write("log.wat", log);
    is_harmless(&on_a_terminal(&person, &["run", "log.wat"]));
    let json = on_a_terminal(&person, &["run", "log.wat", "--format", "json"]);
    is_harmless(&json);
    let report: Value = serde_json::from_str(&json.stderr).expect("JSON");
    assert_eq!(report["log"], EVIL, "the value is whole");

    let trap = wat("(call $evil)").replace(
        "(global $count",
        &format!("(func $evil (@name \"{EVIL_WAT}\") (unreachable)) (global $count"),
    );
    person.write("trap.wat", trap);
    is_harmless(&on_a_terminal(&person, &["run", "trap.wat"]));

    let import = format!("(module (import \"env\" \"{EVIL_WAT}\" (func)))");
    person.write("import.wat", import);
    is_harmless(&on_a_terminal(&person, &["inspect", "import.wat"]));
    let json = on_a_terminal(&person, &["inspect", "import.wat", "--format", "json"]);
    is_harmless(&json);
}

/// A person who has run `cat.wat` on `in.txt`, and the receipt of it.
fn with_receipt() -> (Session, Receipt) {
    let person = session::with_receipt();
    let receipt = Receipt::from_file(&person.read("its.receipt")).expect("we wrote it");
    (person, receipt)
}

fn stranger() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

#[test]
fn names_in_a_receipt_cannot_steer_the_terminal() {
    let (person, truth) = with_receipt();
    let tell = |work: opensky_protocol::Work, outputs: Outputs| {
        let mut calls = Transcript::start(&work.unit());
        calls.push(EVIL, Digest([1; 32]), Digest([2; 32]));
        let fuel = truth.statement.fuel;
        let lie = Receipt::sign(&stranger(), work, Class::Ok, fuel, calls, outputs, vec![]);
        person.write("lie", lie.to_file());
    };
    tell(truth.work.clone(), truth.outputs.clone());
    let verdict = on_a_terminal(&person, &["verify", "lie"]);
    is_harmless(verdict.is(1, &["mismatch", "first differing host call: number 0"]));
    let json = on_a_terminal(&person, &["verify", "lie", "--format", "json"]);
    assert!(!json.text().contains("u001b[1m"), "no styles in data");

    let mut outputs = truth.outputs.clone();
    let output = outputs.0[names::OUTPUT];
    outputs.0.insert(EVIL.into(), output);
    tell(truth.work.clone(), outputs);
    is_harmless(&on_a_terminal(&person, &["receipt", "show", "lie"]));

    let mut work = truth.work.clone();
    work.profile = opensky_protocol::Profile::new(EVIL);
    tell(work, truth.outputs.clone());
    is_harmless(&on_a_terminal(&person, &["receipt", "show", "lie"]));
    is_harmless(on_a_terminal(&person, &["verify", "lie"]).is(3, &["unknown"]));
    let mut work = truth.work.clone();
    work.inputs.insert(EVIL.into(), Digest([3; 32]));
    tell(work, truth.outputs);
    is_harmless(on_a_terminal(&person, &["verify", "lie"]).is(3, &["not an input name"]));
}

#[test]
fn long_names_are_cut_in_what_is_said() {
    let person = Session::new();
    let long = "b".repeat(70_000);
    person.write(
        "long.wat",
        format!("(component (import \"a:{long}/x\" (instance)))"),
    );
    for command in ["run", "inspect"] {
        let ran = person.opensky(&[command, "long.wat"]);
        assert!(ran.text().len() + ran.stderr.len() < 10_000, "{command}");
        ran.is(if command == "run" { 3 } else { 0 }, &["bytes more"]);
    }
}

#[test]
fn report_does_not_tell_where_in_this_program_an_error_was_made() {
    let person = Session::new();
    person.write("trap.wat", wat("(unreachable)"));
    let mut command = person.command(&["run", "trap.wat", "--format", "json"]);
    let ran = Ran::of(command.env("RUST_BACKTRACE", "1"));
    ran.is(1, &["unreachable"]);
    for trace in ["Stack backtrace", ".rs:", "wasmtime::"] {
        assert!(!ran.stderr.contains(trace), "{}", ran.stderr);
    }
}

#[test]
fn places_that_cannot_take_a_result_are_refused_before_the_run() {
    let person = Session::new();
    // Were it to run, it would take minutes.
    person.write("loop.wat", wat("(loop $l (br $l))"));
    fs::create_dir(person.folder().join("folder")).expect("a folder");
    let refused = |args: &[&str], word: &str| {
        let ran = person.opensky(&[&["run", "loop.wat"], args].concat());
        ran.refuses(2, &[word, "help: "]);
    };
    refused(&["--output", "folder"], "is a folder");
    refused(&["--receipt", "folder"], "is a folder");
    refused(&["--out", "loop.wat"], "is not a folder");
    refused(&["--output", "same", "--receipt", "./same"], "one file");
    for flag in ["--output", "--receipt"] {
        refused(&[flag, "no/such"], "no folder `no`");
    }
    assert!(!person.folder().join("no").exists());
    for flag in ["--output", "--receipt", "--out"] {
        let below_a_file = person.opensky(&["run", "loop.wat", flag, "loop.wat/x/y"]);
        below_a_file.refuses(4, &["cannot write to `loop.wat/x/y`", "help: "]);
    }
    refused(&["--env", "A=1", "--env", "A=2"], "`A` twice");
    refused(&["--param", "A=1", "--param", "A=2"], "`A` twice");
}

#[test]
fn full_device_behind_stdout_is_named() {
    let (person, _) = with_receipt();
    let full = fs::File::create("/dev/full").expect("every Linux has it");
    let mut command = person.command(&["receipt", "show", "its.receipt"]);
    Ran::of(command.stdout(full)).refuses(4, &["standard output", "No space left"]);
}

#[test]
fn home_that_is_not_absolute_gets_no_identity() {
    let person = Session::new();
    let mut command = person.command(&["key", "new"]);
    command.env_remove("XDG_DATA_HOME").env("HOME", "relative");
    Ran::of(&mut command).refuses(4, &["not an absolute path", "help: "]);
    assert!(!person.folder().join("relative").exists());
}

#[test]
fn pipe_in_the_cache_is_not_waited_for() {
    let (person, _) = with_receipt();
    let compiled = person.cache().join("compiled");
    for file in fs::read_dir(compiled).expect("the cache is there") {
        let file = file.expect("readable").path();
        pipe(&file);
        person
            .opensky(&["run", "cat.wat", "--input", "in.txt"])
            .is(0, &[]);
    }
}

/// Puts a pipe in the place of a file.
fn pipe(file: &Path) {
    fs::remove_file(file).expect("it is ours");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(file)
        .status();
    assert!(made.expect("mkfifo starts").success());
}

#[test]
fn pipe_among_the_data_is_refused_by_name() {
    let run = ["run", "cat.wat", "--input", "in.txt"];
    let cases = [
        ("node.key", &run[..]),
        ("node.key", &["key", "show"]),
        ("blobs/lock", &run),
    ];
    for (name, args) in cases {
        let (person, _) = with_receipt();
        pipe(&person.data().join(name));
        let file = name.rsplit('/').next().expect("a name");
        let words = [file, "not a regular file", "help: "];
        person.opensky(args).is(4, &words);
    }
    let (person, _) = with_receipt();
    person.opensky(&run).is(0, &[]);
    let receipts = person.data().join("receipts");
    for file in fs::read_dir(receipts).expect("it was made") {
        pipe(&file.expect("readable").path());
    }
    let words = ["cannot write the receipt", "not a regular file", "help: "];
    person.opensky(&run).is(4, &words);
}

/// As [`Session::opensky`] in a mount namespace of its own, where `folder` cannot be written.
fn with_read_only(person: &Session, folder: &str, args: &[&str]) -> Option<Ran> {
    let script = r#"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99
        shift; exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", folder]);
    command.arg(env!("CARGO_BIN_EXE_opensky")).args(args);
    let ran = person.at_home(&mut command).output().map(Ran::from);
    let ran = ran
        .ok()
        .filter(|ran| ran.code != 99 && !ran.stderr.contains("unshare: "));
    if ran.is_none() {
        println!("skipped: only root can mount, with unshare");
    }
    ran
}

#[test]
fn folder_that_cannot_be_written_is_told_before_the_run() {
    let person = Session::new();
    person.write("loop.wat", wat("(loop $l (br $l))"));
    fs::create_dir(person.folder().join("folder")).expect("a folder");
    for (flag, place) in [
        ("--output", "folder/output"),
        ("--receipt", "folder/new/receipt"),
        ("--out", "folder"),
    ] {
        let run = ["run", "loop.wat", flag, place];
        if let Some(ran) = with_read_only(&person, "folder", &run) {
            ran.refuses(4, &[place, "Read-only", "help: "]);
        }
    }
}

/// A stepper that needs a million million units, and a job receipt that says it needed one.
#[test]
fn job_that_does_not_end_is_a_mismatch_and_not_followed() {
    let (person, truth) = with_receipt();
    let folder = person.folder().join("endless");
    person
        .opensky(&["new", "-t", "stepper", &text(&folder)])
        .is(0, &[]);
    let component = built(&folder);
    let limit = b"1000000000000";
    let spec = JobSpec {
        profile: truth.work.profile.clone(),
        program: Digest::of(&fs::read(&component).expect("it was built")),
        inputs: [].into(),
        args: vec![],
        env: [].into(),
        params: [].into(),
        entropy: [0; 32],
        virtual_time: 0,
        limits: truth.work.limits,
        plan: JobPlan::Stepper {
            input: Digest::of(limit),
            steps: 1,
        },
    };
    let work = spec.first_steps().expect("a stepper");
    let calls = Transcript::start(&work.unit());
    let unit = Receipt::sign(
        &stranger(),
        work,
        Class::Ok,
        5,
        calls,
        truth.outputs,
        vec![],
    );
    let job = JobReceipt::sign(&stranger(), spec, vec![unit]).expect("it holds together");
    person.write("lie", job.to_file());
    person.write("limit", limit);
    let component = text(&component);
    let verify = [
        "verify",
        "lie",
        "--component",
        &component,
        "--input",
        "limit",
    ];
    person.opensky(&verify).is(1, &["mismatch", "unit 0 "]);
}
