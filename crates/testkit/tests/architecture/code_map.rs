//! The code map names every room.

use std::fs;

use crate::workspace::{folder, members, none_broken, root};

#[test]
fn code_map_names_every_crate() {
    let map = fs::read_to_string(root().join("crates/README.md")).expect("the code map is there");
    let missing: Vec<_> = members()
        .iter()
        .filter_map(|package| folder(package).strip_prefix(root()).ok())
        .map(|folder| format!("`{}`", folder.display()))
        .filter(|name| !map.contains(name.as_str()))
        .collect();
    none_broken(
        missing,
        "crates/README.md is the map of the code; it lacks:",
    );
}

#[test]
fn code_map_names_nothing_that_is_gone() {
    let map = fs::read_to_string(root().join("crates/README.md")).expect("the code map is there");
    // The map is the first table; the other ones are about packages.
    let table = map
        .split("\n## ")
        .next()
        .expect("every text has a first part");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    assert!(
        !names.is_empty(),
        "the map has a table whose rows begin with a folder"
    );
    let gone: Vec<_> = names
        .iter()
        .filter(|name| !root().join(name).is_dir())
        .map(|name| format!("`{name}`"))
        .collect();
    none_broken(gone, "crates/README.md names folders that are not there:");
}
