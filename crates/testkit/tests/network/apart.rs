//! Tests that change the machine around them: each runs in namespaces of its own, which are gone with its
//! process, whatever becomes of that.

use std::{
    env,
    process::{Command, Output},
};

const APART: &str = "OPENSKY_TEST_APART";
/// Set where nobody reads what a test that passes has said.
const CI: &str = "CI";
/// In what namespaces may be made: as whoever runs the tests, else where that is root.
const AS: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];

/// Runs this test again where it may do as it likes, and panics if it fails there. Returns whether this
/// is that run. Where the system permits it neither to this user nor to one who is root in a namespace
/// only, the test is [skipped](skip).
#[must_use]
pub fn is_apart(test: &str, namespaces: &[&str]) -> bool {
    if env::var_os(APART).is_some() {
        return true;
    }
    let unshare = |user: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(user).args(namespaces);
        command
    };
    let mut refusals = Vec::new();
    for user in AS {
        let tried = unshare(user).arg("true").output();
        if let Err(refusal) = judge(tried) {
            refusals.push(refusal);
            continue;
        }
        println!("apart by unshare {user:?} {namespaces:?}");
        let mut again = unshare(user);
        again
            .arg(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(APART, "1");
        assert!(again.status().unwrap().success(), "see above");
        return false;
    }
    skip(&format!(
        "this system makes no namespaces {namespaces:?}: {}",
        refusals.join("; ")
    ));
    false
}

/// Says that a test is not run here, and why. Fails under `CI`, where nobody would notice.
pub fn skip(why: &str) {
    let in_ci = env::var_os(CI).is_some_and(|value| !value.is_empty());
    assert!(!in_ci, "not run, and {CI} is set: {why}");
    println!("SKIPPED: {why}");
}

/// Runs a command of the system.
pub fn run(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let done = Command::new(words.next().unwrap()).args(words).output();
    judge(done).map_err(|error| format!("{line}: {error}"))
}

fn judge(done: std::io::Result<Output>) -> Result<(), String> {
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
