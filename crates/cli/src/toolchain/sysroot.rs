//! A sysroot for the target, built from Debian's sources of the standard library.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{TARGET, Toolchain, debian::Tools, linker, shell};
use crate::{Problem, paths, progress::Spinner, term};

/// The crate that cargo builds so that the standard library is built with it. Its own library is
/// left out of the sysroot.
const SEED_CRATE: &str = "opensky-sysroot-seed";

const SEED_MANIFEST: &str = r#"[package]
name = "opensky-sysroot-seed"
version = "0.0.0"
edition = "2021"

[lib]
path = "lib.rs"

[workspace]
"#;

/// The smallest program; that it links proves that the sysroot and the linker work.
const TRIAL_PROGRAM: &str = "fn main() { println!(\"{:?}\", std::env::args()); }\n";

const TRIAL_MANIFEST: &str = r#"[package]
name = "trial"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "trial"
path = "main.rs"

[profile.release]
lto = true

[workspace]
"#;

/// What the C library's package has and a WASI program links with.
const SELF_CONTAINED: &[&str] = &["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// The toolchain with the sysroot that [`lay`] made earlier for this compiler; `None` if it has not.
pub fn laid(tools: &Tools) -> Result<Option<Toolchain>, Problem> {
    let Some(version) = version(tools) else {
        return Ok(None);
    };
    let sysroot = folder(&version)?;
    Ok(sysroot
        .is_dir()
        .then(|| toolchain(tools, &version, &sysroot))
        .flatten())
}

/// Builds the standard library and lays the sysroot, about a minute. The sysroot appears whole or
/// not at all: a set-up that was killed is simply started again.
pub fn lay(tools: &Tools) -> Result<Toolchain, Problem> {
    let version = version(tools).ok_or_else(|| {
        Problem::host(format!("`{}` does not start", tools.rustc.display()))
            .help("apt-get install --reinstall rustc-web")
    })?;
    let sysroot = folder(&version)?;
    let _lock = lock(&sysroot)?;
    if let Some(toolchain) = laid(tools)? {
        return Ok(toolchain);
    }
    linker::find(&tools.rustc).ok_or_else(linker::missing)?;
    let scratch = beside(&sysroot, "partial");
    let partial = scratch.join("sysroot");
    fresh_folder(&scratch)?;
    let libraries = build_std(tools, &scratch)?;
    collect(&libraries, &tools.wasi_libc, &partial).map_err(|error| cannot(&partial, error))?;
    try_out(tools, &version, &scratch, &partial)?;
    fs::rename(&partial, &sysroot).map_err(|error| cannot(&sysroot, error))?;
    fs::remove_dir_all(&scratch).map_err(|error| cannot(&scratch, error))?;
    toolchain(tools, &version, &sysroot).ok_or_else(linker::missing)
}

fn toolchain(tools: &Tools, version: &str, sysroot: &Path) -> Option<Toolchain> {
    let (linker, path) = linker::find(&tools.rustc)?;
    Some(Toolchain {
        cargo: tools.cargo.clone(),
        rustc: tools.rustc.clone(),
        version: format!("rustc {version}"),
        library: libraries_of(sysroot),
        rustflags: vec!["--sysroot".into(), sysroot.to_string_lossy().into_owned()],
        linker: Some(linker),
        path,
    })
}

/// A cargo command that builds std with its bitcode in it, so that guests may use link-time
/// optimisation, and that nothing outside `dir` steers.
fn cargo(tools: &Tools, dir: &Path) -> Command {
    let bare = Toolchain {
        cargo: tools.cargo.clone(),
        rustc: tools.rustc.clone(),
        version: String::new(),
        library: PathBuf::new(),
        rustflags: vec!["-Cembed-bitcode=yes".into()],
        linker: None,
        path: Vec::new(),
    };
    let mut command = bare.cargo(dir, "build");
    command
        .args(["--release", "--quiet", "--target", TARGET, "--target-dir"])
        .arg(dir.join("target"))
        .env_remove("CARGO_BUILD_RUSTC_WRAPPER")
        .env_remove("RUSTC_WRAPPER");
    command
}

/// Builds the standard library below `scratch`; answers where its libraries are.
fn build_std(tools: &Tools, scratch: &Path) -> Result<PathBuf, Problem> {
    let dir = scratch.join("std");
    write_files(&dir, &[("Cargo.toml", SEED_MANIFEST), ("lib.rs", "")])?;
    term::status(
        "Building",
        &format!("the standard library for {TARGET} (once, about a minute)"),
    );
    let _spinner = Spinner::start("building std");
    let mut command = cargo(tools, &dir);
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .arg("-Zbuild-std=std,panic_abort");
    finish(&mut command, "build the standard library")?;
    Ok(dir.join("target").join(TARGET).join("release/deps"))
}

/// Copies the libraries and the C library's objects into the layout that `rustc --sysroot` expects.
fn collect(libraries: &Path, wasi_libc: &Path, sysroot: &Path) -> io::Result<()> {
    let to = libraries_of(sysroot);
    let self_contained = to.join("self-contained");
    fs::create_dir_all(&self_contained)?;
    let seed = format!("lib{}", SEED_CRATE.replace('-', "_"));
    for entry in fs::read_dir(libraries)? {
        let from = entry?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with(&seed) {
            fs::copy(&from, to.join(&*name))?;
        }
    }
    for name in SELF_CONTAINED {
        fs::copy(wasi_libc.join(name), self_contained.join(name))?;
    }
    Ok(())
}

/// Builds the smallest program with the sysroot that is about to be laid.
fn try_out(tools: &Tools, version: &str, scratch: &Path, sysroot: &Path) -> Result<(), Problem> {
    let dir = scratch.join("trial");
    write_files(
        &dir,
        &[("Cargo.toml", TRIAL_MANIFEST), ("main.rs", TRIAL_PROGRAM)],
    )?;
    let toolchain = toolchain(tools, version, sysroot).ok_or_else(linker::missing)?;
    let mut command = toolchain.cargo(&dir, "build");
    command
        .args(["--release", "--quiet", "--target", TARGET, "--target-dir"])
        .arg(dir.join("target"));
    finish(&mut command, "build a program with the new sysroot")
}

fn finish(command: &mut Command, what: &str) -> Result<(), Problem> {
    let output = command
        .output()
        .map_err(|error| Problem::host(format!("cannot {what}")).because(error))?;
    if output.status.success() {
        return Ok(());
    }
    term::to_stderr(&String::from_utf8_lossy(&output.stderr));
    Err(Problem::host(format!("cannot {what} ({})", output.status))
        .help("the compiler's words are above; a network or disk failure is mended by trying again: opensky doctor --fix"))
}

/// The compiler's version number: a sysroot fits exactly one.
fn version(tools: &Tools) -> Option<String> {
    let answer = shell::answer(Command::new(&tools.rustc).arg("--version"))?;
    answer.split_whitespace().nth(1).map(str::to_owned)
}

fn folder(version: &str) -> Result<PathBuf, Problem> {
    Ok(paths::cache()?.join(format!("sysroot-{version}")))
}

/// A neighbour of the sysroot, on the same file system.
fn beside(sysroot: &Path, suffix: &str) -> PathBuf {
    let mut name = sysroot.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn libraries_of(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// One set-up at a time: a second one waits and finds the work done.
fn lock(sysroot: &Path) -> Result<fs::File, Problem> {
    let file = beside(sysroot, "lock");
    let opened = sysroot
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::File::create(&file))
        .map_err(|error| cannot(&file, error))?;
    if opened.try_lock().is_err() {
        term::status("Waiting", "for another set-up to finish");
        opened.lock().map_err(|error| cannot(&file, error))?;
    }
    Ok(opened)
}

fn fresh_folder(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot(folder, error)),
        _ => fs::create_dir_all(folder).map_err(|error| cannot(folder, error)),
    }
}

fn write_files(dir: &Path, files: &[(&str, &str)]) -> Result<(), Problem> {
    fs::create_dir_all(dir).map_err(|error| cannot(dir, error))?;
    files.iter().try_for_each(|(name, content)| {
        let file = dir.join(name);
        fs::write(&file, content).map_err(|error| cannot(&file, error))
    })
}

fn cannot(path: &Path, error: io::Error) -> Problem {
    Problem::host(format!("cannot write `{}`", path.display()))
        .because(error)
        .help("make room or give the folder to this user, then: opensky doctor --fix")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collected_sysroot_has_std_and_libc_but_not_the_seed() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (deps, libc) = (scratch.path().join("deps"), scratch.path().join("libc"));
        write_files(
            &deps,
            &[
                ("libstd-1.rlib", "std"),
                ("libstd-1.rmeta", ""),
                ("libopensky_sysroot_seed-2.rlib", ""),
            ],
        )
        .expect("deps");
        let objects: Vec<_> = SELF_CONTAINED.iter().map(|name| (*name, "")).collect();
        write_files(&libc, &objects).expect("libc");
        let sysroot = scratch.path().join("sysroot");
        collect(&deps, &libc, &sysroot).expect("collected");

        let mut names: Vec<_> = fs::read_dir(libraries_of(&sysroot))
            .expect("laid")
            .map(|entry| entry.expect("entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["libstd-1.rlib", "self-contained"]);
    }
}
