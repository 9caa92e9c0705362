//! Guests that mean no good, and machines in a bad state: `opensky` stays whole and says what is.

mod session;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use session::{Ran, Session, cat, text, wat};

/// Runs a command with this body and answers its report.
fn report(body: &str, args: &[&str], code: i32) -> Value {
    let person = Session::new();
    person.write("guest.wat", wat(body));
    let (ran, report) = person.json(&[&["run", "guest.wat"], args].concat());
    ran.is(code, &[]);
    report
}

#[test]
fn endless_loop_costs_its_fuel_and_no_more() {
    let spent = report("(loop $l (br $l))", &["--fuel", "20M"], 1);
    assert_eq!(spent["outcome"], "out-of-fuel");
    assert_eq!(spent["fuel"], 20_000_000);
}

#[test]
fn start_function_that_loops_is_stopped_too() {
    let person = Session::new();
    let module = wat("").replace(
        "(func $start ",
        "(start $spin) (func $spin (loop $l (br $l))) (func $start ",
    );
    person.write("guest.wat", module);
    let (ran, report) = person.json(&["run", "guest.wat", "--fuel", "20M"]);
    ran.is(1, &[]);
    assert_eq!(report["outcome"], "out-of-fuel");
}

#[test]
fn endless_recursion_ends_at_its_limit() {
    let body = "(drop (call $recurse))";
    let deep = report(body, &["--fuel", "10G"], 1);
    assert_eq!(deep["outcome"], "limit");
    assert_eq!(deep["fuel"], 10_000_000_000u64);
}

#[test]
fn endless_recursion_is_nobodys_result_in_profile_0() {
    let person = Session::new();
    person.write("guest.wat", wat("(drop (call $recurse))"));
    let line = "run guest.wat --fuel 10G --profile 0 --receipt none.receipt";
    let ran = person.opensky(&line.split(' ').collect::<Vec<_>>());
    ran.refuses(4, &["stack", "help: "]);
    assert!(
        !person.folder().join("none.receipt").exists(),
        "an abort is never signed"
    );
}

#[test]
fn sleep_of_a_day_takes_no_time() {
    // One subscription at 256: clock 1, a day in nanoseconds from now.
    let body = "(i32.store (i32.const 272) (i32.const 1))
        (i64.store (i32.const 280) (i64.const 86400000000000))
        (if (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 8))
            (then (unreachable)))
        (if (i32.ne (i32.load (i32.const 8)) (i32.const 1)) (then (unreachable)))";
    let started = Instant::now();
    assert_eq!(report(body, &[], 0)["outcome"], "ok");
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn floods_end_at_their_limits() {
    let flood =
        |fd: u8| format!("(loop $l (call $write (i32.const {fd}) (i32.const 4096)) (br $l))");
    let output = report(&flood(1), &["--max-output", "1MiB"], 1);
    assert_eq!(output["outcome"], "limit");
    let log = report(&flood(2), &["--max-log", "64KiB", "--fuel", "200M"], 1);
    let kept = log["log"].as_str().expect("a text").len();
    assert!(kept <= 64 << 10, "{kept} bytes were kept");
}

#[test]
fn memory_is_bounded_from_the_first_page() {
    let greedy =
        "(if (i32.ne (memory.grow (i32.const 20000)) (i32.const -1)) (then (unreachable)))";
    assert_eq!(report(greedy, &["--memory", "64MiB"], 0)["outcome"], "ok");
    let person = Session::new();
    let gibibyte = wat("").replace(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") 16384)",
    );
    person.write("guest.wat", gibibyte);
    let ran = person.opensky(&["run", "guest.wat", "--memory", "64MiB"]);
    assert!([1, 3].contains(&ran.code), "{ran:?}");
}

#[test]
fn hundred_thousand_functions_compile_or_are_refused_but_do_not_hang() {
    let functions: String = (0..100_000)
        .map(|n| format!("(func (drop (i32.const {n})))"))
        .collect();
    let person = Session::new();
    person.write(
        "guest.wat",
        wat("").replace("(global $count", &format!("{functions} (global $count")),
    );
    let started = Instant::now();
    let ran = person.opensky(&["run", "guest.wat"]);
    assert!([0, 3, 4].contains(&ran.code), "{ran:?}");
    assert!(
        started.elapsed() < Duration::from_secs(300),
        "{:?}",
        started.elapsed()
    );
}

/// Runs `cat.wat` and checks that it answers as ever.
#[track_caller]
fn answers(person: &Session) -> Ran {
    let ran = person.opensky(&["run", "cat.wat", "--input", "in.txt"]);
    ran.is(0, &[]);
    assert_eq!(ran.stdout, b"abc");
    ran
}

fn someone() -> Session {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    person
}

/// The compiled programs in the cache.
fn entries(person: &Session) -> Vec<PathBuf> {
    let files = fs::read_dir(person.cache().join("compiled")).expect("the cache is there");
    let paths = files.map(|file| file.expect("readable").path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "native")
        })
        .collect()
}

#[test]
fn damaged_cache_entry_never_runs_and_is_made_again() {
    let person = someone();
    answers(&person);
    let entry = entries(&person).pop().expect("one program was compiled");
    let whole = fs::read(&entry).expect("a file");
    let write = |bytes: &[u8]| {
        fs::remove_file(&entry).expect("it is ours");
        fs::write(&entry, bytes).expect("it is ours");
    };
    for at in [0, 20, 45, 60, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        write(&damaged);
        answers(&person);
        assert_ne!(
            fs::read(&entry).ok(),
            Some(damaged),
            "byte {at}: replaced or removed"
        );
    }
    for length in [0, 10, 80, whole.len() - 1] {
        write(&whole[..length]);
        answers(&person);
    }
}

#[test]
fn cache_entry_of_another_program_does_not_run() {
    let person = someone();
    answers(&person);
    let cats = entries(&person).pop().expect("one program was compiled");
    person.write("fails.wat", wat("(unreachable)"));
    person.opensky(&["run", "fails.wat"]).is(1, &[]);
    let mut others = entries(&person);
    others.retain(|entry| *entry != cats);
    let fails = others.pop().expect("another program was compiled");
    fs::copy(&fails, &cats).expect("it is ours");
    answers(&person);
}

#[test]
fn cache_that_cannot_be_used_is_done_without() {
    let person = someone();
    fs::create_dir_all(person.cache()).expect("a folder");
    fs::write(person.cache().join("compiled"), "a file in the way").expect("it is ours");
    answers(&person);
}

/// A shell command in a mount namespace of its own, where `folder` is a disk of 64 KiB.
fn with_small_disk(person: &Session, folder: &Path, args: &[&str]) -> Option<Ran> {
    fs::create_dir_all(folder).expect("a folder");
    let script = r#"mount -t tmpfs -o size=64k,mode=755 tmpfs "$1" || exit 99
        head -c 100000 /dev/zero > "$1/filler" 2>/dev/null
        shift; exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", &text(folder)]);
    command.arg(env!("CARGO_BIN_EXE_opensky")).args(args);
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/unshare").exists() {
        println!("skipped: a small disk can be mounted only by root, with unshare");
        return None;
    }
    let ran = Ran::of(person.at_home(&mut command));
    if ran.code == 99 || ran.stderr.contains("unshare: ") {
        println!("skipped: no disk can be mounted here: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

#[test]
fn full_disk_for_the_cache_is_no_failure() {
    let person = someone();
    let run = ["run", "cat.wat", "--input", "in.txt"];
    if let Some(ran) = with_small_disk(&person, &person.cache(), &run) {
        ran.is(0, &[]);
        assert_eq!(ran.stdout, b"abc");
    }
}

#[test]
fn full_disk_for_receipts_is_the_hosts_failure() {
    let person = someone();
    let run = ["run", "cat.wat", "--input", "in.txt"];
    if let Some(ran) = with_small_disk(&person, &person.data(), &run) {
        ran.refuses(4, &["the disk is full", "free some space"]);
    }
}

#[test]
fn closed_stdout_is_no_panic_and_no_failure() {
    let person = someone();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = person.command(&["run", "cat.wat", "--input", "in.txt"]);
    Ran::of(command.stdout(writer)).is(0, &[]);
}
