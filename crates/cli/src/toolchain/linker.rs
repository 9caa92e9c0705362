//! The linker for the target: `wasm-component-ld`, and the LLVM linker that it calls.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{installed, shell};
use crate::Problem;

/// The linker and the folders that must come first in `PATH` for it: that of the person's own
/// toolchain, else that of `rustc`, else any in `PATH`.
pub fn find(rustc: &Path) -> Option<(PathBuf, Vec<PathBuf>)> {
    let mut compilers = [Path::new("rustc"), rustc].into_iter();
    let beside_a_compiler = compilers.find_map(|rustc| {
        let bin = installed::linkers(rustc)?;
        let program = bin.join("wasm-component-ld");
        let folders = [bin.join("gcc-ld"), bin].into_iter().chain(debians_lld());
        with_lld(program, folders.collect())
    });
    beside_a_compiler.or_else(|| {
        with_lld(
            shell::which("wasm-component-ld")?,
            debians_lld().into_iter().collect(),
        )
    })
}

/// What a person without one can do.
pub fn missing() -> Problem {
    Problem::host("no linker for components (wasm-component-ld with wasm-ld) on this machine").help(
        "install lld, then: cargo install wasm-component-ld; both have to be in PATH (rustup's \
         toolchains bring their own)",
    )
}

/// The folder of the LLVM linker that belongs to Debian's compiler. There may be an older `wasm-ld`
/// in `PATH`, which does not know all that the compiler writes.
fn debians_lld() -> Option<PathBuf> {
    let lld = fs::canonicalize(shell::which("rust-lld")?).ok()?;
    let folder = lld.parent()?.to_owned();
    folder.join("wasm-ld").is_file().then_some(folder)
}

/// The linker, unless what it calls is neither in these folders nor in `PATH`.
fn with_lld(program: PathBuf, folders: Vec<PathBuf>) -> Option<(PathBuf, Vec<PathBuf>)> {
    let has = |name| {
        let here = folders.iter().any(|folder| folder.join(name).is_file());
        here || shell::which(name).is_some()
    };
    (has("wasm-ld") || has("rust-lld")).then_some((program, folders))
}
