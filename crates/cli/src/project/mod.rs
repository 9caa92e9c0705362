//! From a project's folder to a WebAssembly file: how each kind of project is built.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::Problem;

mod cargo;
pub mod manifest;
mod recipe;
mod way_out;

/// What of a project is built, in cargo's words. The default builds what there is, if that is one
/// thing.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The package, where the folder is a workspace of several.
    pub package: Option<String>,
    /// The target within the package.
    pub target: Target,
    /// Passed on to `cargo build` as they are.
    pub cargo_args: Vec<OsString>,
}

impl Selection {
    fn is_default(&self) -> bool {
        self.package.is_none() && self.target == Target::Only && self.cargo_args.is_empty()
    }
}

/// Which target of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// The only one that makes a component.
    #[default]
    Only,
    /// The library (`crate-type = ["cdylib"]`).
    Lib,
    /// A binary: a `wasi:cli/run` command.
    Bin(String),
    /// An example.
    Example(String),
}

/// Builds the project in `dir` and answers which WebAssembly file came out. What the build tools say
/// goes to stderr while they say it.
pub fn build(dir: &Path, selection: &Selection) -> Result<PathBuf, Problem> {
    if !dir.is_dir() {
        return Err(not_a_folder(dir));
    }
    if dir.join("Cargo.toml").is_file() {
        return cargo::build(dir, selection);
    }
    if let Some(recipe) = recipe::of(dir) {
        return match selection.is_default() {
            true => recipe.build(dir),
            false => Err(Problem::usage("this project is not built by cargo")
                .help("leave out --package, --lib, --bin, --example and what follows `--`")),
        };
    }
    match is_inside_package(dir) {
        true => cargo::build(dir, selection),
        false => Err(not_a_project(dir)),
    }
}

/// What a project says of itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The package's name, or the folder's.
    pub name: String,
    /// The package's description.
    pub description: Option<String>,
    /// What tools find under `[package.metadata]`.
    pub metadata: serde_json::Value,
}

/// What the project in `dir` says of what would be built of it. Only Cargo's say more than their
/// folder's name.
pub fn about(dir: &Path, selection: &Selection) -> Result<About, Problem> {
    if !dir.is_dir() {
        return Err(not_a_folder(dir));
    }
    let is_cargos = dir.join("Cargo.toml").is_file();
    if is_cargos || (recipe::of(dir).is_none() && is_inside_package(dir)) {
        return cargo::about(dir, selection);
    }
    let folder = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = folder.file_name().unwrap_or_default();
    Ok(About {
        name: name.to_string_lossy().into_owned(),
        ..About::default()
    })
}

/// Builds the one thing that the project in `dir` makes.
pub fn build_project(dir: &Path) -> Result<PathBuf, Problem> {
    build(dir, &Selection::default())
}

/// Cargo looks for its manifest in the folders above, too.
fn is_inside_package(dir: &Path) -> bool {
    dir.canonicalize()
        .is_ok_and(|dir| dir.ancestors().any(|dir| dir.join("Cargo.toml").is_file()))
}

fn not_a_folder(dir: &Path) -> Problem {
    Problem::usage(format!("`{}` is not a folder", dir.display()))
        .help("give a project's folder; a ready .wasm file goes to: opensky run FILE")
}

fn not_a_project(dir: &Path) -> Problem {
    // Whoever has named no folder is told which one that is.
    let dir = std::path::absolute(dir).unwrap_or(dir.to_owned());
    Problem::usage(format!("`{}` is not a project", dir.display())).help(
        "a project has a Cargo.toml, a package.json or a Makefile; make one with: opensky new NAME",
    )
}

#[cfg(test)]
mod tests {
    use crate::Exit;

    use super::*;

    #[test]
    fn folder_without_a_project_is_a_usage_error_with_advice() {
        let empty = tempfile::tempdir().expect("a folder");
        for dir in [empty.path(), &empty.path().join("gone")] {
            let problem = build_project(dir).expect_err("nothing to build");
            assert_eq!(problem.exit(), Exit::Usage);
            let text = crate::problem::describe(&problem.into());
            assert!(text.contains("help"), "{text}");
        }
    }
}
