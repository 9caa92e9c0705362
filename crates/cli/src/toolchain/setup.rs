//! Mends a machine that has no way to build guests yet.

use std::{path::Path, process::Command};

use super::{TARGET, Toolchain, debian, shell, sysroot};
use crate::{Problem, term};

/// Whether system packages may be installed without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The person said so on the command line.
    Given,
    /// Ask, where there is a terminal.
    Ask,
}

/// Gets a toolchain for the project in `dir`, in the cheapest way that works here: the one that is
/// there, rustup's download, Debian's sources. Doing it again on a mended machine changes nothing.
pub fn fix(dir: &Path, consent: Consent) -> Result<Toolchain, Problem> {
    if let Some(toolchain) = Toolchain::find(dir)? {
        return Ok(toolchain);
    }
    add_by_rustup(dir);
    if let Some(toolchain) = Toolchain::find(dir)? {
        return Ok(toolchain);
    }
    let tools = debian::install(consent)?;
    sysroot::lay(&tools)
}

/// One try; whether it helped is seen by looking again.
fn add_by_rustup(dir: &Path) {
    if shell::which("rustup").is_none() {
        return;
    }
    let mut command = Command::new("rustup");
    command
        .args(["target", "add", TARGET])
        .current_dir(dir)
        .stdout(std::io::stderr());
    term::status("Running", &shell::shown(&command));
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => term::note(&format!("rustup could not do it ({status})")),
        Err(error) => term::note(&format!("rustup does not start ({error})")),
    }
}
