//! Toolchains that know the target already: rustup's, or any other `rustc` in `PATH`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{TARGET, Toolchain, shell};

/// The first of these that knows the target: the `rustc` that `dir` and the environment select, the
/// one that `dir` alone selects (an odd `RUSTUP_TOOLCHAIN` is no reason to fail), the default one.
pub fn find(dir: &Path) -> Option<Toolchain> {
    let overridden = std::env::var_os("RUSTUP_TOOLCHAIN").is_some();
    let mut without_override = ask(dir);
    without_override.env_remove("RUSTUP_TOOLCHAIN");
    let mut default = ask(Path::new("/"));
    default.env_remove("RUSTUP_TOOLCHAIN");
    overridden
        .then(|| ask(dir))
        .into_iter()
        .chain([without_override, default])
        .find_map(|mut question| knowing_target(&shell::answer(&mut question)?))
}

/// The folder of `wasm-component-ld` in the sysroot of `rustc`, if it has one: rustup ships it with
/// every toolchain, Debian in a package of its own.
pub fn linkers(rustc: &Path) -> Option<PathBuf> {
    let mut question = Command::new(rustc);
    question.args(["--print", "sysroot"]).current_dir("/");
    let sysroot = shell::answer(&mut question)
        .or_else(|| shell::answer(question.env_remove("RUSTUP_TOOLCHAIN")))?;
    fs::read_dir(Path::new(sysroot.trim()).join("lib/rustlib"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .find(|bin| bin.join("wasm-component-ld").is_file())
}

fn ask(dir: &Path) -> Command {
    let mut question = Command::new("rustc");
    question.current_dir(dir).args([
        "--print",
        "sysroot",
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]);
    question
}

/// Reads the answer to [`ask`].
fn knowing_target(answer: &str) -> Option<Toolchain> {
    let mut lines = answer.lines();
    let sysroot = PathBuf::from(lines.next()?);
    let library = PathBuf::from(lines.next()?);
    let cargo = Some(sysroot.join("bin/cargo"))
        .filter(|cargo| cargo.is_file())
        .or_else(|| shell::which("cargo"))?;
    let rustc = Some(sysroot.join("bin/rustc")).filter(|rustc| rustc.is_file())?;
    if !has_std(&library) {
        return None;
    }
    let version = shell::answer(Command::new(&rustc).arg("--version"))?;
    Some(Toolchain {
        cargo,
        rustc,
        version: version.trim().to_owned(),
        library,
        rustflags: Vec::new(),
        linker: None,
        path: Vec::new(),
    })
}

/// `rustc` names the folder whether it is there or not.
fn has_std(library: &Path) -> bool {
    fs::read_dir(library).is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}
