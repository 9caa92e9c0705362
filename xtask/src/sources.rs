//! Where cargo keeps the sources of what this workspace depends on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::run;

/// The `.crate` files of the crates that the workspace depends on here, sorted by name.
pub fn crate_files() -> anyhow::Result<Vec<PathBuf>> {
    let metadata = metadata()?;
    let manifests = metadata
        .packages
        .iter()
        .filter(|package| {
            package
                .source
                .as_ref()
                .is_some_and(|source| source.is_crates_io())
        })
        .map(|package| package.manifest_path.as_std_path());
    let mut files: Vec<_> = manifests
        .filter_map(crate_file)
        .filter(|file| file.is_file())
        .collect();
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    if files.is_empty() {
        bail!(
            "cargo's registry cache has no .crate files of the crates used here: they are vendored or \
             were deleted. Run another input: opensky run examples/unsafe-census --input FILE.crate…"
        );
    }
    Ok(files)
}

fn metadata() -> anyhow::Result<Metadata> {
    let host = host()?;
    MetadataCommand::new()
        .current_dir(run::root())
        .other_options(["--locked".into(), "--filter-platform".into(), host])
        .exec()
        .context("cannot ask cargo what the workspace depends on")
}

/// The platform that cargo builds for here.
fn host() -> anyhow::Result<String> {
    let output = run::cargo()
        .arg("-vV")
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("cargo does not tell its host platform")
}

/// `registry/src/INDEX/NAME-VERSION/Cargo.toml` was unpacked from `registry/cache/INDEX/NAME-VERSION.crate`.
fn crate_file(manifest: &Path) -> Option<PathBuf> {
    let folder = manifest.parent()?;
    let index = folder.parent()?;
    let registry = index
        .parent()
        .filter(|src| src.ends_with("src"))?
        .parent()?;
    let mut name = folder.file_name()?.to_owned();
    name.push(".crate");
    Some(registry.join("cache").join(index.file_name()?).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_file_is_found_beside_the_unpacked_sources() {
        let file = crate_file(Path::new("/r/registry/src/index-1/serde-1.0.2/Cargo.toml"));
        assert_eq!(
            file.as_deref(),
            Some(Path::new("/r/registry/cache/index-1/serde-1.0.2.crate"))
        );
        assert_eq!(
            crate_file(Path::new("/project/vendor/serde/Cargo.toml")),
            None
        );
    }

    #[test]
    fn the_workspace_depends_on_crates_whose_archives_are_here_or_says_why_not() {
        match crate_files() {
            Ok(files) => assert!(files.iter().all(|file| file.extension().is_some())),
            Err(error) => assert!(error.to_string().contains(".crate files"), "{error:#}"),
        }
    }
}
