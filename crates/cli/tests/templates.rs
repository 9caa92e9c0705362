//! What `opensky new` makes in Rust is tested natively and built to a component, by the real tools.

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

fn check(template: &str) {
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
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn job_template_tests_and_builds() {
    check("job");
}

#[test]
fn command_template_tests_and_builds() {
    check("command");
}

#[test]
fn map_reduce_template_tests_and_builds() {
    check("map-reduce");
}

#[test]
fn stepper_template_tests_and_builds() {
    check("stepper");
}
