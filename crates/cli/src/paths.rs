//! Where OpenSky keeps things: the XDG folders of the person who runs it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::Problem;

/// Our folder's name below each XDG folder.
const FOLDER: &str = "opensky";

const HELP: &str = "set HOME, or XDG_DATA_HOME and XDG_CACHE_HOME, to absolute paths";

/// What must be kept: keys, and the programs and inputs that receipts are about. Not created here.
pub fn data() -> Result<PathBuf, Problem> {
    folder("XDG_DATA_HOME", ".local/share")
}

/// What can be made again: compiled code, the wasm sysroot. Not created here.
pub fn cache() -> Result<PathBuf, Problem> {
    folder("XDG_CACHE_HOME", ".cache")
}

/// Refuses what is in a file's place and is none: a pipe would be waited for without an end. What is
/// not there yet is fine.
pub fn regular(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a regular file")),
        _ => Ok(()),
    }
}

fn folder(variable: &str, below_home: &str) -> Result<PathBuf, Problem> {
    let home = || etcetera::home_dir().ok();
    Ok(base(std::env::var_os(variable), home, below_home)?.join(FOLDER))
}

/// The folder that a variable names, else the one below the home folder. A relative one would mean
/// another identity and another store in every folder: of a variable it is ignored, as the XDG
/// specification wants it, and of a home it is refused.
fn base(
    named: Option<OsString>,
    home: impl FnOnce() -> Option<PathBuf>,
    below_home: &str,
) -> Result<PathBuf, Problem> {
    let named = named.map(PathBuf::from);
    if let Some(named) = named.filter(|named| named.is_absolute()) {
        return Ok(named);
    }
    match home() {
        Some(home) if home.is_absolute() => Ok(home.join(below_home)),
        Some(home) => Err(Problem::host(format!(
            "the home folder `{}` is not an absolute path",
            home.display()
        ))
        .help(HELP)),
        None => Err(Problem::host("this user has no home folder").help(HELP)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(named: Option<&str>, home: Option<&str>, expected: Option<&str>) {
        let home = || home.map(PathBuf::from);
        let found = base(named.map(OsString::from), home, ".cache");
        assert_eq!(found.ok(), expected.map(PathBuf::from));
    }

    #[test]
    fn variable_wins_and_needs_no_home() {
        check(Some("/x"), Some("/home/a"), Some("/x"));
        check(Some("/x"), None, Some("/x"));
        check(Some("/x"), Some("relative"), Some("/x"));
    }

    #[test]
    fn without_an_absolute_variable_it_is_below_an_absolute_home() {
        for named in [None, Some(""), Some("relative")] {
            check(named, Some("/home/a"), Some("/home/a/.cache"));
            check(named, Some("relative"), None);
            check(named, Some(""), None);
            check(named, None, None);
        }
    }
}
