//! Links into a Rust command the way out that keeps its exit code whole: that of its own C library
//! may know success and failure only.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use opensky_protocol::Digest;

use crate::{
    Problem,
    toolchain::{TARGET, Toolchain},
};

/// Where a program ends: in libc's `_Exit`, or by returning from `main` to what libc starts it with.
/// Both go to `wasi:cli/exit`, which takes the code since 0.2.12; libraries older than that drop it.
const SOURCE: &str = r#"#![no_std]

#[link(wasm_import_module = "wasi:cli/exit@0.2.12")]
extern "C" {
    #[link_name = "exit-with-code"]
    fn exit_with_code(code: i32);
}

extern "C" {
    fn __real___main_void() -> i32;
    fn exit(code: i32) -> !;
}

#[no_mangle]
extern "C" fn __wrap___main_void() -> i32 {
    match unsafe { __real___main_void() } {
        0 => 0,
        code => unsafe { exit(code) },
    }
}

#[no_mangle]
extern "C" fn __wrap__Exit(code: i32) -> ! {
    unsafe { exit_with_code(code) };
    core::arch::wasm32::unreachable()
}
"#;

/// The interface whole, as that version of WASI has it: parts of a program that were built for
/// earlier ones are linked to this one, too.
const WORLD: &str = "package opensky:way-out;

world way-out {
  import wasi:cli/exit@0.2.12;
}

package wasi:cli@0.2.12 {
  interface exit {
    exit: func(status: result);
    exit-with-code: func(status-code: u8);
  }
}
";

const OBJECT_FILE: &str = "way-out.o";
const WORLD_FILE: &str = "way-out.wit";

/// What the compiler must be told when it links a command. The files that this names are made once
/// for each compiler, below cargo's `target_dir`.
pub(super) fn link_args(toolchain: &Toolchain, target_dir: &Path) -> Result<Vec<String>, Problem> {
    let folder = made(toolchain, target_dir)?;
    let (object, world) = (folder.join(OBJECT_FILE), folder.join(WORLD_FILE));
    // Cargo hashes a build's arguments into the name of its output, which is in the component, but
    // not where one of them is for hiding a path: these paths must not tell the place of a checkout.
    let private = format!("--remap-path-prefix={}=/opensky", folder.display());
    let args = [
        "--wrap=__main_void".to_owned(),
        "--wrap=_Exit".to_owned(),
        format!("--component-type={}", world.display()),
        object.display().to_string(),
    ];
    let args = args.map(|arg| format!("-Clink-arg={arg}"));
    Ok([private].into_iter().chain(args).collect())
}

/// The folder with both files. It appears whole or not at all, whoever else is making it.
fn made(toolchain: &Toolchain, target_dir: &Path) -> Result<PathBuf, Problem> {
    let id = Digest::of([SOURCE, WORLD, &toolchain.version].concat().as_bytes()).to_string();
    let folder = target_dir.join("opensky").join(&id[..16]);
    if folder.is_dir() {
        return Ok(folder);
    }
    let scratch = folder.with_extension(std::process::id().to_string());
    fs::create_dir_all(&scratch)
        .and_then(|()| fs::write(scratch.join(WORLD_FILE), WORLD))
        .map_err(|error| cannot_make(&scratch, &error))?;
    compile(toolchain, &scratch.join(OBJECT_FILE))?;
    match fs::rename(&scratch, &folder) {
        Err(_) if folder.is_dir() => fs::remove_dir_all(&scratch),
        renamed => renamed,
    }
    .map_err(|error| cannot_make(&folder, &error))?;
    Ok(folder)
}

fn compile(toolchain: &Toolchain, object: &Path) -> Result<(), Problem> {
    let mut command = Command::new(&toolchain.rustc);
    command
        .args(&toolchain.rustflags)
        .args(["--crate-name", "opensky_way_out", "--crate-type", "lib"])
        .args(["--edition", "2021", "--target", TARGET])
        .args(["-Copt-level=3", "-Cpanic=abort"])
        .arg(format!("--emit=obj={}", object.display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = fed(&mut command, SOURCE).map_err(|error| cannot_make(object, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(cannot_make(object, &words.trim()))
}

/// Runs a command that reads `text`, which must fit a pipe.
fn fed(command: &mut Command, text: &str) -> io::Result<std::process::Output> {
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    child.wait_with_output()
}

fn cannot_make(file: &Path, why: &dyn std::fmt::Display) -> Problem {
    Problem::host(format!("cannot make `{}`", file.display()))
        .because(why.to_string())
        .help("make room or give the folder to this user; a compiler that is broken is found by: opensky doctor")
}
