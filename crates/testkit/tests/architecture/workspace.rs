//! The workspace as cargo and its folders show it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The workspace's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .and_then(Path::parent)
        .expect("this package is two folders below the workspace's")
}

/// What cargo says of the members, without what they depend on.
pub fn metadata() -> &'static Metadata {
    static METADATA: LazyLock<Metadata> = LazyLock::new(|| read_metadata(root()));
    &METADATA
}

/// The same of the chain's workspace.
pub fn chain() -> &'static Metadata {
    static METADATA: LazyLock<Metadata> = LazyLock::new(|| read_metadata(&root().join("chain")));
    &METADATA
}

fn read_metadata(folder: &Path) -> Metadata {
    let mut command = MetadataCommand::new();
    let read = command.current_dir(folder).no_deps().exec();
    read.expect("cargo reads its own workspaces")
}

/// The packages of both.
pub fn members() -> Vec<&'static Package> {
    let mut members = metadata().workspace_packages();
    members.extend(chain().workspace_packages());
    members
}

pub fn member(name: &str) -> &'static Package {
    let mut members = members().into_iter();
    let found = members.find(|member| member.name.as_str() == name);
    found.unwrap_or_else(|| panic!("the workspace has no member `{name}`"))
}

/// A member's folder.
pub fn folder(package: &Package) -> &Path {
    let folder = package.manifest_path.parent();
    folder.expect("a manifest is in a folder").as_std_path()
}

/// One file of Rust that is compiled with a member.
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

impl Source {
    /// As a person names it: from the workspace's folder.
    pub fn name(&self) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        path.display().to_string()
    }

    /// The lines that are not in a `#[cfg(test)] mod … { … }`, which house style puts last, with
    /// their numbers.
    pub fn shipped_lines(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        let mut all = self.text.lines().enumerate().peekable();
        while let Some((at, line)) = all.next() {
            let opens_tests = line == "#[cfg(test)]"
                && all.peek().is_some_and(|(_, next)| is_inline_module(next));
            if opens_tests {
                all.by_ref().find(|(_, line)| *line == "}");
            } else {
                lines.push((at + 1, line));
            }
        }
        lines
    }

    /// Shipped lines that are code: comments and documentation are left out.
    pub fn shipped_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.shipped_lines().into_iter();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn is_inline_module(line: &str) -> bool {
    (line.starts_with("mod ") || line.starts_with("pub")) && line.ends_with('{')
}

/// What a member ships: everything below its src/ but its tests, and its build script.
pub fn shipped(package: &Package) -> Vec<Source> {
    let mut sources = below(&folder(package).join("src"));
    sources.retain(|source| !is_tests_file(source));
    sources.extend(read(&folder(package).join("build.rs")));
    sources
}

/// What only its tests and benchmarks are made of.
pub fn tests(package: &Package) -> Vec<Source> {
    let folders = ["tests", "benches", "examples"].map(|name| folder(package).join(name));
    let inside = below(&folder(package).join("src")).into_iter();
    let inside = inside.filter(is_tests_file);
    folders
        .iter()
        .flat_map(|folder| below(folder))
        .chain(inside)
        .collect()
}

/// `src/…/tests.rs` is what `#[cfg(test)] mod tests;` names.
fn is_tests_file(source: &Source) -> bool {
    source.path.ends_with("tests.rs")
}

fn below(folder: &Path) -> Vec<Source> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        match path.is_dir() {
            true if !path.join("Cargo.toml").exists() => sources.extend(below(&path)),
            false => sources.extend(read(&path)),
            true => {}
        }
    }
    sources
}

fn read(path: &Path) -> Option<Source> {
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let text = is_rust.then(|| fs::read_to_string(path).ok())??;
    Some(Source {
        path: path.to_owned(),
        text,
    })
}

/// Fails with every broken rule at once.
pub fn none_broken(broken: Vec<String>, why: &str) {
    let list = broken.join("\n  ");
    assert!(broken.is_empty(), "{why}\n  {list}");
}

#[test]
fn tests_are_told_from_what_is_shipped() {
    let source = Source {
        path: PathBuf::new(),
        text: "a\n#[cfg(test)]\nmod tests {\n    b\n}\n// c\n#[cfg(test)]\nmod far;\nd\n".into(),
    };
    let shipped: Vec<_> = source.shipped_code().collect();
    assert_eq!(
        shipped,
        [(1, "a"), (7, "#[cfg(test)]"), (8, "mod far;"), (9, "d")]
    );
}
