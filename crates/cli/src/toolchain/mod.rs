//! The Rust toolchain that builds guests: found by asking, mended by `doctor --fix`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::Problem;

mod debian;
mod installed;
mod linker;
mod setup;
mod shell;
mod sysroot;

pub use setup::{Consent, fix};

/// What guests are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Variables that steer cargo towards another compiler, target or set of flags than the one a guest
/// needs. They are meant for the person's own builds, so a guest's build does not see them.
const FOREIGN_VARIABLES: &[&str] = &[
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_WASM32_WASIP2_LINKER",
    "CARGO_TARGET_WASM32_WASIP2_RUNNER",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// A cargo and a rustc that build [`TARGET`], and what has to be said to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The cargo to start, by path.
    pub cargo: PathBuf,
    /// The compiler it must use, by path.
    pub rustc: PathBuf,
    /// The compiler's version, as `rustc --version` has it.
    pub version: String,
    /// Where the standard library for the target was found.
    pub library: PathBuf,
    /// What the compiler must be told when it compiles for the target.
    pub rustflags: Vec<String>,
    /// The linker for the target, where it is not the compiler's own.
    pub linker: Option<PathBuf>,
    /// Folders that must come first in `PATH`: the linker's.
    pub path: Vec<PathBuf>,
}

impl Toolchain {
    /// The toolchain that builds the project in `dir`: the one that rustup (or the system) has for
    /// that folder if it knows the target, else the person's default one, else the sysroot that
    /// `doctor --fix` made. `None`: this machine has none yet. Asks other programs, changes nothing.
    pub fn find(dir: &Path) -> Result<Option<Self>, Problem> {
        if let Some(toolchain) = installed::find(dir) {
            return Ok(Some(toolchain));
        }
        let Some(tools) = debian::tools() else {
            return Ok(None);
        };
        sysroot::laid(&tools)
    }

    /// As [`Toolchain::find`]; a machine without one is told how to get it.
    pub fn require(dir: &Path) -> Result<Self, Problem> {
        Self::find(dir)?.ok_or_else(|| {
            Problem::host(format!(
                "no Rust compiler on this machine can build {TARGET}"
            ))
            .help("opensky doctor --fix")
        })
    }

    /// A cargo command in `dir` that uses this toolchain whatever the environment says. `verb` is
    /// cargo's subcommand.
    pub fn cargo(&self, dir: &Path, verb: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        for variable in FOREIGN_VARIABLES {
            command.env_remove(variable);
        }
        command
            .current_dir(dir)
            .env("RUSTC", &self.rustc)
            .env("PATH", self.search_path())
            .arg(verb);
        let rustflags: Vec<_> = private_paths().chain(self.rustflags.clone()).collect();
        command.args(["--config", &setting("rustflags", json!(rustflags))]);
        if let Some(linker) = &self.linker {
            command.args(["--config", &setting("linker", json!(linker))]);
        }
        command
    }

    fn search_path(&self) -> OsString {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = self
            .path
            .iter()
            .cloned()
            .chain(std::env::split_paths(&inherited));
        std::env::join_paths(folders).unwrap_or(inherited)
    }
}

/// A published program must not tell where its author's files are, and should not differ for that
/// reason alone. Of several prefixes that match, the compiler takes the last.
fn private_paths() -> impl Iterator<Item = String> {
    let home = etcetera::home_dir().ok();
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| home.as_ref().map(|home| home.join(".cargo")));
    [(home, "/home"), (cargo_home, "/cargo")]
        .into_iter()
        .filter_map(|(folder, shown)| {
            Some(format!("--remap-path-prefix={}={shown}", folder?.display()))
        })
}

/// A value for cargo's `--config`, about the target. JSON's strings and lists are TOML's, too.
fn setting(key: &str, value: serde_json::Value) -> String {
    format!("target.{TARGET}.{key}={value}")
}

/// The flags that the person set for their own builds and that a guest's build will not see.
pub fn ignored_flags() -> impl Iterator<Item = &'static str> {
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"]
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_builds_do_not_see_foreign_variables() {
        let toolchain = Toolchain {
            cargo: "/a/cargo".into(),
            rustc: "/a/rustc".into(),
            version: "rustc 1.0.0".into(),
            library: "/a/lib".into(),
            rustflags: vec!["--sysroot".into(), "/a b\"c".into()],
            linker: Some("/linker/ld".into()),
            path: vec!["/linker".into()],
        };
        let command = toolchain.cargo(Path::new("/"), "build");
        let value = |name: &str| {
            command
                .get_envs()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.map(|value| value.to_string_lossy().into_owned()))
        };
        assert_eq!(value("RUSTFLAGS"), Some(None));
        assert_eq!(value("RUSTUP_TOOLCHAIN"), Some(None));
        assert_eq!(value("RUSTC"), Some(Some("/a/rustc".into())));
        let path = value("PATH").flatten().expect("PATH is set");
        assert!(path.starts_with("/linker"), "{path}");
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        assert_eq!(args[..2], ["build", "--config"]);
        assert!(args[2].starts_with("target.wasm32-wasip2.rustflags=[\"--remap-path-prefix="));
        assert!(
            args[2].ends_with(r#","--sysroot","/a b\"c"]"#),
            "{}",
            args[2]
        );
        assert_eq!(args[4], "target.wasm32-wasip2.linker=\"/linker/ld\"");
    }
}
