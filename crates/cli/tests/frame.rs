//! The two binaries from outside: exit codes, streams, closed pipes.

use std::{
    fs::{self, File},
    process::{Command, Output, Stdio},
};

fn opensky(args: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_opensky")).args(args))
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn cargo_subcommand_is_the_same_tree() {
    let direct = opensky(&["doctor", "--help"]);
    let through_cargo = run(
        Command::new(env!("CARGO_BIN_EXE_cargo-opensky")).args(["opensky", "doctor", "--help"])
    );
    assert!(direct.status.success() && through_cargo.status.success());
    let expected = text(&direct.stdout).replace("opensky doctor", "cargo opensky doctor");
    let shown = text(&through_cargo.stdout);
    assert_eq!(shown.lines().next(), expected.lines().next());
    assert!(shown.contains("Usage: cargo opensky doctor"), "{shown}");
}

#[test]
fn usage_errors_exit_with_2_and_leave_stdout_empty() {
    for args in [
        &["nonsense"][..],
        &[],
        &["build", "/nowhere"],
        &["new", "2nd"],
    ] {
        let output = opensky(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn errors_say_what_to_do_next() {
    let output = opensky(&["build", "/nowhere"]);
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("error: `/nowhere` is not a folder\n"),
        "{stderr}"
    );
    assert!(stderr.contains("\nhelp: "), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "no colours in a pipe: {stderr}");
}

#[test]
fn code_that_does_not_compile_exits_with_1() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("src")).expect("a folder");
    let manifest = "[package]\nname = \"broken\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(dir.path().join("Cargo.toml"), manifest).expect("a file");
    fs::write(dir.path().join("src/main.rs"), "fn main() { no }").expect("a file");
    let output = opensky(&["build", dir.path().to_str().expect("a text path")]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("cannot find value `no`"));
}

#[test]
fn project_may_have_the_name_of_a_dependency() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        fs::write(file, text).expect("a file");
    };
    let package = "[package]\nname = \"twin\"\nedition = \"2024\"\n";
    let other = "other = { package = \"twin\", path = \"../other\" }";
    write(
        "app/Cargo.toml",
        &format!("{package}version = \"0.1.0\"\n[dependencies]\n{other}\n[workspace]\n"),
    );
    write(
        "app/src/main.rs",
        "fn main() { println!(\"{}\", other::WORD) }",
    );
    write(
        "other/Cargo.toml",
        &format!("{package}version = \"0.2.0\"\n"),
    );
    write("other/src/lib.rs", "pub const WORD: &str = \"twin\";");
    let output = run(Command::new(env!("CARGO_BIN_EXE_opensky"))
        .arg("build")
        .arg(dir.path().join("app"))
        .env("CARGO_TARGET_DIR", dir.path().join("target")));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn odd_environment_does_not_disturb_a_build() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("src")).expect("a folder");
    let manifest = "[package]\nname = \"plain\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(dir.path().join("Cargo.toml"), manifest).expect("a file");
    fs::write(dir.path().join("src/main.rs"), "fn main() {}").expect("a file");
    let output = run(Command::new(env!("CARGO_BIN_EXE_opensky"))
        .args(["build", dir.path().to_str().expect("a text path")])
        .env("CARGO_TARGET_DIR", dir.path().join("target"))
        .env("RUSTFLAGS", "-Cnonsense=1")
        .env("CARGO_BUILD_TARGET", "no-such-target")
        .env("RUSTC", "/bin/false")
        .env("RUSTUP_TOOLCHAIN", "no-such-toolchain"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("note: RUSTFLAGS"));
}

#[test]
fn closed_stdout_is_no_panic() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = run(Command::new(env!("CARGO_BIN_EXE_opensky"))
        .arg("doctor")
        .stdout(Stdio::from(writer)));
    let stderr = text(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{stderr}");
}

#[test]
fn full_stdout_is_the_hosts_failure() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let output = run(Command::new(env!("CARGO_BIN_EXE_opensky"))
        .arg("doctor")
        .stdout(Stdio::from(full)));
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).starts_with("error: "));
}
