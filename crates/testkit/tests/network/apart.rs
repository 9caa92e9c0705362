//! Tests that change the machine around them: each runs in namespaces of its own, which are gone with its
//! process, whatever becomes of that.

use std::{env, process::Command};

const APART: &str = "OPENSKY_TEST_APART";

/// Runs this test again where it may do as it likes, and panics if it fails there. Returns whether this
/// is that run. Where the system does not permit it the test is skipped, and says so.
#[must_use]
pub fn is_apart(test: &str, namespaces: &[&str]) -> bool {
    if env::var_os(APART).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(namespaces);
        command
    };
    match unshare().arg("true").output() {
        Ok(tried) if tried.status.success() => {}
        tried => {
            println!("skipped: no namespaces {namespaces:?} here: {tried:?}");
            return false;
        }
    }
    let mut again = unshare();
    again
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(APART, "1");
    assert!(again.status().unwrap().success(), "see above");
    false
}

/// Runs a command of the system.
pub fn run(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let done = Command::new(words.next().unwrap()).args(words).output();
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(format!("{line}: {}", String::from_utf8_lossy(&done.stderr))),
        Err(error) => Err(format!("{line}: {error}")),
    }
}
