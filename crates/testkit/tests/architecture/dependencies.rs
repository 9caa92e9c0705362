//! Each dependency is declared once, in the root manifest, and used.

use std::{collections::BTreeSet, fs, path::Path};

use cargo_metadata::Package;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::workspace::{chain, folder, members, metadata, none_broken, root};

fn manifest(folder: &Path) -> DocumentMut {
    let text = fs::read_to_string(folder.join("Cargo.toml")).expect("a readable manifest");
    text.parse().expect("cargo has read it, so it is TOML")
}

/// Every dependency table of a manifest: of all kinds, for all targets.
fn tables(manifest: &DocumentMut) -> Vec<&dyn TableLike> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(Item::as_table_like);
    let targets = targets.into_iter().flat_map(|targets| targets.iter());
    let targets = targets.filter_map(|(_, target)| target.as_table_like());
    let everywhere: &dyn TableLike = manifest.as_table();
    let holders = std::iter::once(everywhere).chain(targets);
    holders
        .flat_map(|holder| {
            KINDS
                .iter()
                .filter_map(|kind| holder.get(kind)?.as_table_like())
        })
        .collect()
}

fn is_inherited(dependency: &Item) -> bool {
    let workspace = dependency
        .as_table_like()
        .and_then(|table| table.get("workspace"));
    workspace.and_then(Item::as_bool) == Some(true)
}

#[test]
fn members_take_their_dependencies_from_the_workspace() {
    let mut broken = Vec::new();
    for package in members() {
        let manifest = manifest(folder(package));
        for (name, dependency) in tables(&manifest).iter().flat_map(|table| table.iter()) {
            if !is_inherited(dependency) {
                broken.push(format!("`{name}` of `{}`", package.name));
            }
        }
    }
    none_broken(
        broken,
        "A version is said once, in the root manifest; say `workspace = true` for:",
    );
}

#[test]
fn every_dependency_of_a_workspace_is_used() {
    let workspaces = [
        (root().to_owned(), metadata()),
        (root().join("chain"), chain()),
    ];
    for (folder, metadata) in workspaces {
        let unused = unused(&folder, &metadata.workspace_packages());
        none_broken(
            unused,
            &format!(
                "Nobody uses these lines of [workspace.dependencies] in {}:",
                folder.display()
            ),
        );
    }
}

/// What a workspace's manifest declares and none of its members takes.
fn unused(workspace: &Path, members: &[&Package]) -> Vec<String> {
    let mut used = BTreeSet::new();
    for package in members {
        let manifest = manifest(folder(package));
        let names = tables(&manifest).into_iter().flat_map(|table| table.iter());
        used.extend(names.map(|(name, _)| name.to_owned()));
    }
    let manifest = manifest(workspace);
    let declared = manifest["workspace"]["dependencies"].as_table_like();
    let declared = declared.expect("a workspace has [workspace.dependencies]");
    let names = declared.iter().map(|(name, _)| name);
    let unused = names.filter(|name| !used.contains(*name));
    unused.map(|name| format!("`{name}`")).collect()
}

#[test]
fn every_member_takes_the_workspaces_lints() {
    let lacking: Vec<_> = members()
        .into_iter()
        .filter(|package| {
            let manifest = manifest(folder(package));
            !manifest.get("lints").is_some_and(is_inherited)
        })
        .map(|package| format!("`{}`", package.name))
        .collect();
    none_broken(lacking, "`[lints] workspace = true` is missing from:");
}
