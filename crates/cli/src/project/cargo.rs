//! Rust projects: cargo builds them, and says in its messages where the component is.

use std::{
    collections::BTreeSet,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::{Artifact, CrateType, Message, Metadata, Package, TargetKind};

use super::{About, Selection, Target, way_out};
use crate::{
    Problem, term,
    toolchain::{self, TARGET, Toolchain},
};

/// What a person must write for a library to become a component.
const CDYLIB: &str =
    "add to its Cargo.toml:\n\n    [lib]\n    crate-type = [\"cdylib\", \"lib\"]\n";

/// Debug information is most of a component's size and full of paths. A later `--config` of the
/// person's wins.
const NO_DEBUG_INFO: &str = "profile.release.strip=\"debuginfo\"";

/// One thing that cargo can make a component of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    package: String,
    manifest: PathBuf,
    name: String,
    target: Target,
}

impl Candidate {
    /// The arguments that make cargo build this and nothing else of its package.
    fn args(&self) -> Vec<&str> {
        match &self.target {
            Target::Only | Target::Lib => vec!["--lib"],
            Target::Bin(name) => vec!["--bin", name],
            Target::Example(name) => vec!["--example", name],
        }
    }

    /// What a person types to have this built.
    fn typed(&self) -> String {
        format!("--package {} {}", self.package, self.args().join(" "))
    }

    /// A library answers by values, not by an exit code.
    fn is_command(&self) -> bool {
        matches!(self.target, Target::Bin(_) | Target::Example(_))
    }

    fn made(&self, artifact: &Artifact) -> bool {
        let kind = match self.target {
            Target::Only | Target::Lib => TargetKind::CDyLib,
            Target::Bin(_) => TargetKind::Bin,
            Target::Example(_) => TargetKind::Example,
        };
        artifact.target.name == self.name && artifact.target.kind.contains(&kind)
    }
}

/// Every sandbox has vectors of 128 bits, and the compiler makes use of them by itself: products of
/// matrices are twice as fast, and nothing is slower.
const VECTORS: &str = "-Ctarget-feature=+simd128";

/// Builds the selected target for the sandbox.
pub fn build(dir: &Path, selection: &Selection) -> Result<PathBuf, Problem> {
    let mut toolchain = Toolchain::require(dir)?;
    for name in toolchain::ignored_flags() {
        term::note(&format!(
            "{name} is for the host and is not used here; flags for guests go to `[target.{TARGET}]` in .cargo/config.toml"
        ));
    }
    let metadata = metadata(&toolchain, dir)?;
    let candidate = choose(&metadata, dir, selection)?;
    toolchain.rustflags.push(VECTORS.into());
    toolchain.rustflags.extend(private_paths(&metadata));
    let link_args = match candidate.is_command() {
        true => way_out::link_args(&toolchain, metadata.target_directory.as_std_path())?,
        false => Vec::new(),
    };
    // `cargo rustc` is `cargo build` with arguments for the last step alone. The package goes by its
    // file: a dependency may have the same name.
    let mut command = toolchain.cargo(dir, "rustc");
    command
        .args(["--release", "--target", TARGET, "--config", NO_DEBUG_INFO])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(&candidate.manifest)
        .args(candidate.args())
        .args(&selection.cargo_args)
        .arg("--")
        .args(link_args);
    run(command, &candidate)
}

/// What the package of the selected target says of itself.
pub fn about(dir: &Path, selection: &Selection) -> Result<About, Problem> {
    let metadata = metadata(&Toolchain::require(dir)?, dir)?;
    let candidate = choose(&metadata, dir, selection)?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.manifest_path == candidate.manifest);
    let package = package.expect("the candidate is of one of these packages");
    Ok(About {
        name: match &candidate.target {
            Target::Bin(name) | Target::Example(name) => name.clone(),
            Target::Only | Target::Lib => candidate.package.clone(),
        },
        description: package.description.clone(),
        metadata: package.metadata.clone(),
    })
}

fn metadata(toolchain: &Toolchain, dir: &Path) -> Result<Metadata, Problem> {
    let mut command = toolchain.cargo(dir, "metadata");
    command.args(["--no-deps", "--format-version", "1"]);
    let output = command.output().map_err(cannot_start)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Problem::usage("cargo cannot read this project")
            .because(words.trim().to_owned())
            .help("mend Cargo.toml as cargo says"));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Problem::host("cargo's metadata has an unknown form").because(error))
}

/// Cargo names files of dependencies outside the workspace by their whole path, which would end up
/// in the component: it would differ with the place of a checkout.
fn private_paths(metadata: &Metadata) -> BTreeSet<String> {
    let packages = metadata.packages.iter();
    // A set: in a workspace many name the same folder.
    packages
        .flat_map(|package| &package.dependencies)
        .filter_map(|dependency| {
            let folder = dependency.path.as_ref()?;
            Some(format!("--remap-path-prefix={folder}=/{}", dependency.name))
        })
        .collect()
}

fn cannot_start(error: std::io::Error) -> Problem {
    Problem::host("cargo does not start")
        .because(error)
        .help("opensky doctor")
}

/// Runs cargo to its end; its diagnostics go to stderr as they come.
fn run(mut command: Command, candidate: &Candidate) -> Result<PathBuf, Problem> {
    tracing::info!(?command, "building");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot_start)?;
    let stdout = child.stdout.take().expect("stdout was piped above");
    let mut file = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        match message {
            Ok(Message::CompilerArtifact(artifact)) if candidate.made(&artifact) => {
                file = wasm_file(&artifact).or(file);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cargo's messages ended early"),
        }
    }
    let status = child.wait().map_err(cannot_start)?;
    if !status.success() {
        return Err(Problem::failure(format!(
            "`{}` does not compile",
            candidate.package
        )));
    }
    file.ok_or_else(|| {
        Problem::failure(format!("`{}` made no component", candidate.package)).help(CDYLIB)
    })
}

fn wasm_file(artifact: &Artifact) -> Option<PathBuf> {
    artifact
        .filenames
        .iter()
        .find(|file| file.extension() == Some("wasm"))
        .map(|file| file.clone().into_std_path_buf())
}

/// The one candidate that the selection leaves.
fn choose(metadata: &Metadata, dir: &Path, selection: &Selection) -> Result<Candidate, Problem> {
    let packages = packages(metadata, dir, selection.package.as_deref())?;
    let mut candidates: Vec<_> = packages
        .iter()
        .flat_map(|package| candidates(package))
        .filter(|candidate| match &selection.target {
            Target::Only => !matches!(candidate.target, Target::Example(_)),
            wanted => candidate.target == *wanted,
        })
        .collect();
    match candidates.len() {
        0 => Err(nothing_to_build(&packages, &selection.target)),
        1 => Ok(candidates.remove(0)),
        _ => Err(which(&candidates, dir)),
    }
}

/// The packages that `dir` and `-p` mean: the named one, that of the folder, else the workspace's.
fn packages<'a>(
    metadata: &'a Metadata,
    dir: &Path,
    named: Option<&str>,
) -> Result<Vec<&'a Package>, Problem> {
    let members = metadata.workspace_packages();
    if let Some(named) = named {
        let found: Vec<_> = members
            .iter()
            .copied()
            .filter(|package| package.name.as_str() == named)
            .collect();
        return match found.is_empty() {
            true => Err(unknown_package(named, &members)),
            false => Ok(found),
        };
    }
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let nearest = members
        .iter()
        .filter(|package| {
            package
                .manifest_path
                .parent()
                .is_some_and(|folder| dir.starts_with(folder))
        })
        .max_by_key(|package| package.manifest_path.as_str().len());
    Ok(nearest.map_or(members.clone(), |package| vec![*package]))
}

fn candidates(package: &Package) -> impl Iterator<Item = Candidate> {
    package.targets.iter().filter_map(|target| {
        let is_component = target.crate_types.contains(&CrateType::CDyLib);
        let name = target.name.clone();
        let kind = match target.kind.first()? {
            TargetKind::Bin => Target::Bin(name.clone()),
            TargetKind::Example => Target::Example(name.clone()),
            _ if is_component => Target::Lib,
            _ => return None,
        };
        Some(Candidate {
            package: package.name.to_string(),
            manifest: package.manifest_path.clone().into_std_path_buf(),
            name,
            target: kind,
        })
    })
}

fn unknown_package(named: &str, members: &[&Package]) -> Problem {
    let names: Vec<_> = members
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    Problem::usage(format!("no package `{named}` here"))
        .help(format!("there are: {}", names.join(", ")))
}

fn nothing_to_build(packages: &[&Package], wanted: &Target) -> Problem {
    let names: Vec<_> = packages
        .iter()
        .map(|package| format!("`{}`", package.name))
        .collect();
    let names = names.join(", ");
    match wanted {
        Target::Only | Target::Lib => {
            Problem::usage(format!("nothing in {names} becomes a component")).help(CDYLIB)
        }
        Target::Bin(name) => Problem::usage(format!("no binary `{name}` in {names}"))
            .help("see `[[bin]]` in Cargo.toml and src/bin/"),
        Target::Example(name) => Problem::usage(format!("no example `{name}` in {names}"))
            .help("see `[[example]]` in Cargo.toml and examples/"),
    }
}

fn which(candidates: &[Candidate], dir: &Path) -> Problem {
    let dir = term::typed(dir);
    let lines: Vec<_> = candidates
        .iter()
        .map(|candidate| format!("  opensky build {dir} {}", candidate.typed()))
        .collect();
    Problem::usage(format!(
        "{} things here become a component; say which",
        candidates.len()
    ))
    .help(format!("one of\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use crate::Exit;

    use super::*;

    /// Metadata of a made-up workspace, from cargo itself.
    fn workspace(files: &[(&str, &str)]) -> (tempfile::TempDir, Metadata) {
        let root = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let file = root.path().join(name);
            std::fs::create_dir_all(file.parent().expect("has a parent")).expect("folders");
            std::fs::write(file, content).expect("a file");
        }
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--no-deps",
                "--offline",
                "--format-version",
                "1",
            ])
            .current_dir(root.path())
            .output()
            .expect("cargo starts");
        let metadata = serde_json::from_slice(&output.stdout).expect("metadata");
        (root, metadata)
    }

    fn package(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    }

    fn shown(chosen: Result<Candidate, Problem>) -> String {
        match chosen {
            Ok(candidate) => candidate.typed(),
            Err(problem) => {
                assert_eq!(problem.exit(), Exit::Usage);
                anstream::adapter::strip_str(&crate::problem::describe(&problem.into())).to_string()
            }
        }
    }

    #[test]
    fn only_component_is_chosen_and_several_are_listed() {
        let (root, metadata) = workspace(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"",
            ),
            (
                "a/Cargo.toml",
                &package("a", "[lib]\ncrate-type = [\"cdylib\", \"lib\"]"),
            ),
            ("a/src/lib.rs", ""),
            ("a/examples/e.rs", "fn main() {}"),
            ("b/Cargo.toml", &package("b", "")),
            ("b/src/lib.rs", ""),
            ("b/src/bin/one.rs", "fn main() {}"),
            ("b/src/bin/two.rs", "fn main() {}"),
        ]);
        let folder = root.path().display().to_string();
        let choose = |dir: &str, target: Target| {
            let selection = Selection {
                target,
                ..Selection::default()
            };
            shown(choose(&metadata, &root.path().join(dir), &selection))
        };
        assert_eq!(choose("a", Target::Only), "--package a --lib");
        assert_eq!(choose("a/src", Target::Only), "--package a --lib");
        assert_eq!(
            choose("a", Target::Example("e".into())),
            "--package a --example e"
        );
        assert_eq!(
            choose("b", Target::Bin("two".into())),
            "--package b --bin two"
        );
        expect_test::expect![[r#"
            error: 2 things here become a component; say which
            help: one of
              opensky build b --package b --bin one
              opensky build b --package b --bin two
        "#]]
        .assert_eq(&choose("b", Target::Only).replace(&format!("{folder}/"), ""));
        assert!(choose("", Target::Only).starts_with("error: 3 things"));
        assert!(choose("b", Target::Lib).contains("crate-type"));
        assert!(choose("a", Target::Bin("x".into())).contains("no binary `x` in `a`"));
    }
}
