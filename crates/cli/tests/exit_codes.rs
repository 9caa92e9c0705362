//! A Rust command's exit code arrives whole, in whichever way the program ends.

mod session;

use serde_json::Value;
use session::Session;

const MANIFEST: &str = "[package]
name = \"ending\"
version = \"0.1.0\"
edition = \"2024\"

[lib]
crate-type = [\"cdylib\", \"lib\"]

[[bin]]
name = \"ending\"
path = \"src/main.rs\"

[workspace]
";

/// The library beside it is built with it and has no `main`.
const LIBRARY: &str = "#[unsafe(no_mangle)]
pub extern \"C\" fn answer() -> u32 {
    42
}
";

const PROGRAM: &str = "use std::process::{ExitCode, exit};

struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        print!(\"dropped\");
    }
}

fn main() -> ExitCode {
    let _last = Last;
    let arguments: Vec<String> = std::env::args().collect();
    let code: i32 = arguments[2].parse().unwrap();
    print!(\"said \");
    match arguments[1].as_str() {
        \"exit\" => exit(code),
        _ => ExitCode::from(u8::try_from(code).unwrap()),
    }
}
";

/// Builds the program in `place` and answers the component.
fn build(person: &Session, place: &str) -> Vec<u8> {
    let sources = person.folder().join(place).join("src");
    std::fs::create_dir_all(sources).expect("the folder can be made");
    for (name, content) in [
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", LIBRARY),
        ("src/main.rs", PROGRAM),
    ] {
        person.write(&format!("{place}/{name}"), content);
    }
    let target = person.folder().join(place).join("target");
    let built = person
        .command(&["build", place, "--bin", "ending", "--format", "json"])
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("opensky starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&built.stdout).expect("JSON");
    std::fs::read(report["file"].as_str().expect("a path")).expect("a component")
}

#[test]
fn rust_commands_end_with_their_own_codes_and_the_same_bytes_anywhere() {
    let person = Session::new();
    let component = build(&person, "here");
    assert!(
        component == build(&person, "some where/else"),
        "the component differs with its place"
    );
    person.write("ending.wasm", &component);
    for (how, code, expected, output) in [
        ("exit", "0", 0, "said "),
        ("exit", "7", 7, "said "),
        ("exit", "300", 44, "said "),
        ("return", "0", 0, "said dropped"),
        ("return", "2", 2, "said dropped"),
        ("return", "255", 255, "said dropped"),
    ] {
        let args = ["run", "ending.wasm", "--arg", how, "--arg", code];
        let (ran, report) = person.json(&args);
        ran.is(i32::from(expected != 0), &[]);
        assert_eq!(report["exit_code"], expected, "{how} {code}");
        assert_eq!(ran.text(), output, "{how} {code}");
    }
}
