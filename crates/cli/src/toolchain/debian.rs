//! Debian's own Rust compiler with its sources: what a guest's toolchain is made of where rustup
//! cannot download.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::geteuid;

use super::{linker, setup::Consent, shell};
use crate::{Problem, term};

/// A compiler of one version with its sources and host library, cargo, and a C library for WASI.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "wasi-libc",
];

/// The compiler's own `wasm-component-ld`. It needs the linker of the LLVM that it depends on.
const LINKER: &str = "rust-web-llvm";

/// Somebody else's apt may hold the lock for as long as a big upgrade takes.
const LOCK_PATIENCE: &str = "DPkg::Lock::Timeout=1800";

/// dpkg gives up where these are not in `PATH`, which is so in many services and containers.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Debian's tools, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// The compiler; its sysroot holds the sources of the standard library.
    pub rustc: PathBuf,
    /// The cargo that belongs to it.
    pub cargo: PathBuf,
    /// The folder of `crt1-command.o` and `libc.a` for WASI.
    pub wasi_libc: PathBuf,
}

/// The tools, if all their packages are installed.
pub fn tools() -> Option<Tools> {
    let rustc = file_of("rustc-web", |file| file.ends_with("bin/rustc"))?;
    let cargo = rustc.with_file_name("cargo");
    file_of("cargo-web", |file| file == cargo)?;
    file_of("rust-web-src", |_| true)?;
    let crt1 = file_of("wasi-libc", |file| file.ends_with("crt1-command.o"))?;
    Some(Tools {
        rustc,
        cargo,
        wasi_libc: crt1.parent()?.to_owned(),
    })
}

/// Installs what is missing with apt. Asks before it does, unless `consent` says not to.
pub fn install(consent: Consent) -> Result<Tools, Problem> {
    let packages = missing();
    if !packages.is_empty() {
        get(packages, consent)?;
    }
    tools().ok_or_else(|| {
        Problem::host("apt-get installed the packages, but the tools are not in them")
            .help("dpkg -L rustc-web cargo-web wasi-libc")
    })
}

fn get(mut packages: Vec<String>, consent: Consent) -> Result<(), Problem> {
    let typed = shell::shown(&install_command(&packages));
    if shell::which("apt-get").is_none() {
        return Err(no_way());
    }
    if !geteuid().is_root() {
        return Err(Problem::host("only root may install packages")
            .help(format!("sudo {typed} && opensky doctor --fix")));
    }
    ask(&typed, consent)?;
    if unknown(&packages).is_some() {
        update()?;
        packages = missing();
    }
    match unknown(&packages) {
        None => {}
        Some(LINKER) => return Err(linker::missing()),
        Some(_) => return Err(no_way()),
    }
    if run(&mut install_command(&packages)).is_err() {
        // Package lists that are too old name files that the mirror has no more.
        update()?;
        run(&mut install_command(&packages))?;
    }
    Ok(())
}

/// The packages that are not there. A linker is one of them where no toolchain has one.
fn missing() -> Vec<String> {
    let tools = tools();
    let mut packages = match tools {
        Some(_) => Vec::new(),
        None => PACKAGES.map(str::to_owned).to_vec(),
    };
    let rustc = tools.map_or("rustc".into(), |tools| tools.rustc);
    if linker::find(&rustc).is_none() {
        packages.extend([LINKER.to_owned(), lld()]);
    }
    packages
}

/// The package of the LLVM linker that fits the compiler.
fn lld() -> String {
    let shown = shell::answer(Command::new("apt-cache").args(["show", LINKER]));
    let shown = shown.unwrap_or_default();
    let depends = shown
        .lines()
        .find_map(|line| line.strip_prefix("Depends: "));
    let llvm =
        depends.and_then(|list| list.split(", ").find_map(|name| name.strip_prefix("llvm-")));
    let version = llvm.and_then(|rest| rest.split_whitespace().next());
    version.map_or("lld".into(), |version| format!("lld-{version}"))
}

fn no_way() -> Problem {
    Problem::host("rustup cannot download the target, and this system has no packages for it").help(
        "on a machine with a network: rustup target add wasm32-wasip2 (then copy the toolchain here)",
    )
}

fn ask(typed: &str, consent: Consent) -> Result<(), Problem> {
    term::status(
        "Installing",
        &format!("Debian's Rust with what guests need: {typed}"),
    );
    if consent == Consent::Given {
        return Ok(());
    }
    match term::confirm("Run this command?") {
        Ok(true) => Ok(()),
        _ => Err(Problem::refused("nothing was installed").help(typed)),
    }
}

fn install_command(packages: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(["-o", LOCK_PATIENCE])
        .args(packages);
    command
}

fn update() -> Result<(), Problem> {
    run(Command::new("apt-get").args(["update", "-o", LOCK_PATIENCE]))
}

/// Runs a command whose output the person sees (on stderr: stdout is for our own results).
fn run(command: &mut Command) -> Result<(), Problem> {
    let typed = shell::shown(command);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    let status = command.stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Problem::host(format!("`{typed}` failed ({status})"))
            .help("mend what it says above, then: opensky doctor --fix")),
        Err(error) => Err(Problem::host(format!("cannot start `{typed}`")).because(error)),
    }
}

/// The first of the packages of which apt knows no version.
fn unknown(packages: &[String]) -> Option<&str> {
    let is_unknown = |package: &&String| {
        shell::answer(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
            .is_none_or(|shown| shown.is_empty())
    };
    packages.iter().find(is_unknown).map(String::as_str)
}

/// The first file of an installed package that `wanted` picks.
fn file_of(package: &str, wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    shell::answer(Command::new("dpkg").args(["-L", package]))?
        .lines()
        .map(PathBuf::from)
        .find(|file| wanted(file))
}
