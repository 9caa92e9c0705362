//! What the published package has to hold.
use std::{fs, path::Path, process::Command};

#[test]
fn the_contract_is_the_workspaces_and_travels_with_the_package() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path| fs::read_to_string(here.join(path)).expect("the contract is there");
    assert_eq!(read("wit/opensky.wit"), read("../wit/opensky.wit"));

    let list = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(here)
        .output()
        .expect("cargo starts");
    let files = String::from_utf8_lossy(&list.stdout);
    assert!(
        files.lines().any(|file| file == "wit/opensky.wit"),
        "{files}"
    );
}
