//! What `opensky new` makes in Rust is tested natively, built to a component by the real tools, and run:
//! its output ends its last line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// One target folder for all templates and all runs: what they depend on is compiled once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates-target")
}

fn opensky(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opensky"))
        .args(args)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("opensky starts")
}

fn cargo(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(args)
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("cargo starts")
}

fn succeeded(output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A component's first bytes: the magic number, version 13, layer 1.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Tests and builds the template's project, and answers what it makes of `input`.
fn check(template: &str, input: &str) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("templates")
        .join(format!("a-{template}"));
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("the last run's project goes");
    }
    let folder = dir.to_str().expect("the target folder's name is text");
    succeeded(opensky(&["new", "--template", template, folder]));

    succeeded(cargo(&dir, &["fmt", "--check"]));
    let tests = succeeded(cargo(&dir, &["test"]));
    assert!(tests.contains(" passed"), "{tests}");
    assert!(!tests.starts_with("\nrunning 0 tests"), "{tests}");

    let report = succeeded(opensky(&["build", folder, "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let component = fs::read(report["file"].as_str().expect("a path")).expect("a file");
    assert!(component.starts_with(COMPONENT));
    assert_eq!(report["size"], component.len());
    // The linker says what the compiler may use.
    assert!(contains(&component, "simd128"), "no vectors");
    let home = std::env::var("HOME").expect("tests run with a home folder");
    assert!(
        home.len() < 2 || !contains(&component, &format!("{home}/.cargo")),
        "the component tells its author's paths"
    );

    let home = tempfile::tempdir().expect("a folder");
    let given = home.path().join("input");
    fs::write(&given, input).expect("the folder is ours");
    let file = report["file"].as_str().expect("a path");
    let given = given.to_str().expect("a temporary folder's name is text");
    let ran = Command::new(env!("CARGO_BIN_EXE_opensky"))
        .args(["run", file, "--input", given])
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_CACHE_HOME", home.path())
        .output();
    succeeded(ran.expect("opensky starts"))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn job_template_tests_and_builds() {
    let line = "{\"lines\":2,\"words\":3,\"longest\":\"three\"}\n";
    assert_eq!(check("job", "one two\nthree"), line);
}

#[test]
fn command_template_tests_and_builds() {
    assert_eq!(check("command", "one\ntwo"), "   1  one\n   2  two\n");
}

#[test]
fn map_reduce_template_tests_and_builds() {
    assert_eq!(check("map-reduce", "a cat, a dog"), "2 a\n1 cat\n1 dog\n");
}

#[test]
fn stepper_template_tests_and_builds() {
    assert_eq!(check("stepper", "100"), "25\n");
}
