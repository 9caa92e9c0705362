//! The meter's specification is of the version that is built.

use std::fs;

use opensky_executor::PROFILE_1;

use crate::workspace::root;

#[test]
fn specification_has_the_version_of_the_meter() {
    let text = fs::read_to_string(root().join("crates/meter/SPEC.md")).expect("it is there");
    let status = text.lines().find(|line| line.starts_with("Status: "));
    let status = status.expect("SPEC.md says what its status is");
    let id = PROFILE_1.id;
    assert!(
        status.contains(&format!("`{id}`")),
        "the meter is `{id}`, and SPEC.md says: {status}"
    );
    assert_eq!(
        status.starts_with("Status: draft, "),
        id.contains("draft"),
        "the meter is `{id}`, and SPEC.md says: {status}"
    );
}
