//! Files of what a profile has promised, and when they may change.

use std::{env, fs, path::Path};

/// Compares `lines` with the file, whose first line says of which profile it is. Refreshed with
/// `UPDATE_EXPECT=1`; the file of a frozen profile only grows.
pub fn check(file: &str, profile: &str, lines: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/determinism")
        .join(file);
    let new = format!("profile {profile}\n{lines}");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let broken = broken_promises(&old, &new).join("\n  ");
    assert!(
        broken.is_empty(),
        "{file} is of a frozen profile: lines may be added, and none may change. A change of status \
         or fuel is a new profile, with a number and a file of its own. These are broken:\n  {broken}"
    );
    expect_test::expect_file![path].assert_eq(&new);
}

/// Lines that a frozen profile has promised and that are not there any more. The first line is one of
/// them, so nothing frozen becomes a draft again.
fn broken_promises<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let header = old.lines().next().and_then(|line| line.split_once(' '));
    match header {
        Some(("profile", id)) if is_frozen(id) => {}
        _ => return Vec::new(),
    }
    let is_kept = |line: &&str| new.lines().any(|other| other == *line);
    old.lines().filter(|line| !is_kept(line)).collect()
}

/// A draft has more in its name than a number, and so has what belongs to one version of an engine.
fn is_frozen(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
}

pub fn only_what_is_frozen_stays() {
    let draft = "profile 1-draft.6\na ok 1\nb ok 2\n";
    assert!(broken_promises(draft, "profile 1\nb ok 3\n").is_empty());
    assert!(broken_promises("", draft).is_empty());

    let frozen = "profile 1\na ok 1\nb ok 2\n";
    let more = "profile 1\na ok 1\nnew ok 3\nb ok 2\n";
    assert!(broken_promises(frozen, frozen).is_empty());
    assert!(broken_promises(frozen, more).is_empty());
    let dearer = "profile 1\na ok 1\nb ok 3\n";
    assert_eq!(broken_promises(frozen, dearer), ["b ok 2"]);
    assert_eq!(broken_promises(frozen, "profile 1\nb ok 2\n"), ["a ok 1"]);
    assert_eq!(broken_promises(more, frozen), ["new ok 3"]);
    for id in ["1-draft.7", "2"] {
        let other = frozen.replace("profile 1", &format!("profile {id}"));
        assert_eq!(broken_promises(frozen, &other), ["profile 1"]);
    }
}
