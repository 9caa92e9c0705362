//! How guests are built on machines that rustup cannot help: `opensky doctor` from outside, with
//! Debian's compiler, and where there is nothing at all.

mod session;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use session::{Ran, Session, root, text};

/// Where Debian's programs are.
const SYSTEM: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// `opensky ARGS` on a machine that has these folders in `PATH` and none of this person's settings.
/// What was made for guests is kept for the next run of these tests: it takes a minute.
fn opensky(person: &Session, path: &str, args: &[&str]) -> Command {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    let mut command = person.command(args);
    command.env_clear();
    person.at_home(&mut command);
    for (name, value) in env::vars_os() {
        let is_network = name.to_string_lossy().to_lowercase().ends_with("_proxy");
        if is_network {
            command.env(name, value);
        }
    }
    command
        .env("PATH", path)
        // Guests' builds are told to hide where it is, so a new one would compile all of them again.
        .env("HOME", kept.join("home"))
        .env("CARGO_HOME", cargo_home())
        .env("XDG_CACHE_HOME", kept.join("cache"))
        .env("CARGO_TARGET_DIR", kept.join("target"));
    command
}

/// The crates that were downloaded before.
fn cargo_home() -> PathBuf {
    let default = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(default, PathBuf::from)
}

/// Whether these packages are there. A test installs nothing.
fn has(packages: &[&str]) -> bool {
    let asked = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}\n"])
        .args(packages)
        .output();
    let all = asked.is_ok_and(|answer| {
        let states = String::from_utf8_lossy(&answer.stdout).into_owned();
        answer.status.success() && states.lines().all(|state| state == "installed")
    });
    if !all {
        println!("skipped: not all of {packages:?} are installed here");
    }
    all
}

const COMPILER: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "wasi-libc",
];

/// Mends the machine, builds a job on it and runs the job.
fn builds_a_job(person: &Session, path: &str) {
    let fix = ["doctor", "--fix", "--yes", "--format", "json"];
    let fixed = Ran::of(&mut opensky(person, path, &fix));
    fixed.is(0, &[]);
    let found: Value = serde_json::from_slice(&fixed.stdout).expect("JSON");
    assert_eq!(found["toolchain"]["rustc"], "/usr/bin/rustc", "{found}");
    let library = found["toolchain"]["library"].as_str().expect("a path");
    assert!(library.contains("/opensky/sysroot-"), "{library}");

    let hello = text(&root().join("examples/hello"));
    let build = ["build", &hello, "--format", "json"];
    let built = Ran::of(&mut opensky(person, path, &build));
    built.is(0, &[]);
    let built: Value = serde_json::from_slice(&built.stdout).expect("JSON");
    assert_eq!(built["exports"], serde_json::json!(["opensky:compute/job"]));
    person.write("name", "Ada");
    let run = [
        "run",
        built["file"].as_str().expect("a path"),
        "--input",
        "name",
    ];
    let ran = Ran::of(&mut opensky(person, path, &run));
    ran.is(0, &[]);
    assert_eq!(ran.text(), "Hello, Ada!\n");
}

#[test]
fn debians_compiler_alone_builds_jobs() {
    if !has(&COMPILER) || !has(&["rust-web-llvm"]) {
        return;
    }
    builds_a_job(&Session::new(), SYSTEM);
}

/// The folder of a `rustup` that downloads nothing, and of a `rustc` that does not know the target.
fn rustup_without_a_network(person: &Session) -> Option<PathBuf> {
    let asked = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = String::from_utf8(asked.ok()?.stdout).ok()?;
    let rustc = Path::new(sysroot.trim()).join("bin/rustc");
    let folder = person.folder().join("bin");
    fs::create_dir(&folder).expect("a folder");
    let script = |name: &str, body: String| {
        let file = person.write(&format!("bin/{name}"), format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    script("rustup", "exit 1".into());
    let rustc = text(&rustc);
    script(
        "rustc",
        format!(r#""{rustc}" "$@" | /usr/bin/sed s:/wasm32-wasip2/lib:/nothing:"#),
    );
    Some(folder)
}

#[test]
fn debians_compiler_builds_jobs_where_rustup_cannot_download() {
    let person = Session::new();
    let Some(folder) = rustup_without_a_network(&person).filter(|_| has(&COMPILER)) else {
        return;
    };
    let path = format!("{}:{SYSTEM}", folder.display());
    builds_a_job(&person, &path);
}

#[test]
fn machine_without_anything_is_told_what_to_type() {
    let person = Session::new();
    let here = |args: &[&str]| Ran::of(&mut opensky(&person, "/nowhere", args));
    here(&["doctor"]).is(4, &["missing", "opensky doctor --fix"]);
    let hello = text(&root().join("examples/hello"));
    here(&["build", &hello]).refuses(4, &["help: opensky doctor --fix"]);
    let words = ["help: ", "rustup target add wasm32-wasip2"];
    here(&["doctor", "--fix"]).refuses(4, &words);
}

#[test]
fn rustup_is_tried_first_and_its_failure_is_told() {
    let person = Session::new();
    let Some(folder) = rustup_without_a_network(&person) else {
        println!("skipped: there is no rustc here");
        return;
    };
    // No other programs, so no packages either.
    let fix = &mut opensky(&person, &text(&folder), &["doctor", "--fix"]);
    let words = [
        "Running rustup target add wasm32-wasip2",
        "rustup could not do it",
        "this system has no packages for it",
    ];
    Ran::of(fix).is(4, &words);
}
