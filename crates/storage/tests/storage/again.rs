//! This test binary, started again to run one test as another process, which may be killed or cut short.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    thread,
    time::Duration,
};

const FOLDER: &str = "OPENSKY_STORAGE_TEST_FOLDER";

/// The folder to work in, in a process that was started again.
pub fn folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// The command that runs `test` (with its module) in `folder`.
pub fn command(test: &str, folder: &Path) -> Command {
    behind(Command::new(env::current_exe().unwrap()), test, folder)
}

/// Runs `test` in `folder`, where no file may become longer than that many KiB.
///
/// The shell ignores the signal, sets the limit, and becomes the writer.
pub fn with_short_files(test: &str, folder: &Path, kib: u32) {
    let mut shell = Command::new("bash");
    shell.arg("-c");
    shell.arg(format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\""));
    shell.arg(env::current_exe().unwrap());
    assert!(behind(shell, test, folder).status().unwrap().success());
}

/// Runs `test` in `folder`, on a disk of that many MiB. Says so where that cannot be had.
///
/// A real full disk needs a file system of its own, which needs a user who may mount one.
pub fn on_small_disk(test: &str, folder: &Path, mib: u32) {
    let mount = format!(
        "mount -t tmpfs -o size={mib}m none \"$1\" 2>/dev/null || exit 77; shift; exec \"$@\""
    );
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--map-root-user", "sh", "-c", &mount, "sh"]);
    shell.arg(folder).arg(env::current_exe().unwrap());
    match behind(shell, test, folder).status() {
        Ok(status) if status.code() == Some(77) => eprintln!("skipped: may not mount here"),
        Ok(status) => assert!(status.success()),
        Err(error) => eprintln!("skipped: cannot start `unshare`: {error}"),
    }
}

fn behind(mut command: Command, test: &str, folder: &Path) -> Command {
    command.args([test, "--exact", "--nocapture"]);
    command.env(FOLDER, folder).stdout(Stdio::null());
    command
}

/// Runs `test` in `folder` and kills it so long after its start; or, if `ready`, after it called
/// [`say_ready`].
pub fn kill(test: &str, folder: &Path, ready: bool, after: Duration) {
    let mut child = command(test, folder).spawn().unwrap();
    let said = folder.join(child.id().to_string());
    while ready && !said.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        thread::sleep(Duration::from_micros(100));
    }
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Tells the process that started this one that there is something to be killed.
pub fn say_ready(folder: &Path) {
    fs::write(folder.join(process::id().to_string()), "").unwrap();
}
