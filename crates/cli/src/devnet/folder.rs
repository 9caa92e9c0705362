//! The folder of a devnet. Whoever runs it has it locked, so that what a devnet left which was killed can be
//! told from what one has that lives.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
};

use rustix::{fs::OFlags, process::geteuid};

use crate::Problem;

/// What the names of folders begin with that are to be removed.
const PREFIX: &str = "opensky-devnet-";
/// What is locked. It has this name only while somebody has locked it, or has died with it.
const LOCK: &str = "devnet.lock";
/// The same of a folder that is removed: no other is, whatever it is called.
const PASSING: &str = "passing.lock";

/// Where the nodes keep their things.
#[derive(Debug)]
pub enum Folder {
    /// Removed at the end.
    Passing(tempfile::TempDir, File),
    /// The person's.
    Kept(PathBuf, File),
}

impl Folder {
    /// The person's, if there is one, else one that is removed at the end. Removes those that devnets left
    /// which were killed. `told` hears what takes a while.
    pub fn of(kept: Option<&Path>, told: &dyn Fn(&str)) -> Result<Self, Problem> {
        let failed = |error: io::Error| {
            Problem::host("cannot make a folder for the devnet")
                .because(error)
                .help("name one with --data")
        };
        let taken = |folder: &Path| {
            let shown = folder.display();
            Problem::usage(format!("another devnet runs in `{shown}`"))
                .help("end it, or name another folder with --data")
        };
        match kept {
            Some(folder) => {
                fs::create_dir_all(folder).map_err(failed)?;
                let folder = std::path::absolute(folder).map_err(failed)?;
                let lock = lock(&folder, LOCK).map_err(failed)?;
                let lock = lock.ok_or_else(|| taken(&folder))?;
                Ok(Self::Kept(folder, lock))
            }
            None => {
                let parent = std::env::temp_dir();
                sweep(&parent, told);
                let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent);
                let folder = folder.map_err(failed)?;
                let lock = lock(folder.path(), PASSING).map_err(failed)?;
                let lock = lock.ok_or_else(|| taken(folder.path()))?;
                Ok(Self::Passing(folder, lock))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Passing(folder, _) => folder.path(),
            Self::Kept(folder, _) => folder,
        }
    }
}

/// Locks it, unless somebody else has.
fn lock(folder: &Path, name: &str) -> io::Result<Option<File>> {
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(&path) {
        Ok(file) => return try_lock(file),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let fresh = folder.join(format!("{name}.{}", std::process::id()));
    let file = try_lock(options.create_new(true).open(&fresh)?)?;
    fs::rename(fresh, path)?;
    Ok(file)
}

fn try_lock(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes what devnets of this user left there that were killed.
fn sweep(parent: &Path, told: &dyn Fn(&str)) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_named = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        let folder = entry.path();
        if is_named && let Some(_lock) = dead(&folder) {
            told("removing what a devnet left that was killed");
            remove(&folder);
        }
    }
}

/// The lock of a devnet of this user that runs no more. Nothing where that cannot be told.
fn dead(folder: &Path) -> Option<File> {
    let is_own = |found: &fs::Metadata| found.uid() == geteuid().as_raw();
    let found = fs::symlink_metadata(folder).ok()?;
    if !found.is_dir() || !is_own(&found) {
        return None;
    }
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(folder.join(PASSING)).ok()?;
    let found = file.metadata().ok()?;
    match found.is_file() && is_own(&found) {
        true => try_lock(file).ok()?,
        false => None,
    }
}

/// Removes a folder, each of the folders in it on a thread of its own. What is not removed is left.
pub fn remove(folder: &Path) {
    thread::scope(|scope| {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            scope.spawn(move || fs::remove_dir_all(entry.path()));
        }
    });
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::info!(%error, folder = %folder.display(), "not removed");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_a_killed_devnet_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let folder = parent.path().join(name);
            fs::create_dir_all(folder.join("requester/store")).expect("a folder");
            folder
        };
        let locked = |folder: &Path, name| {
            let lock = lock(folder, name).expect("locked");
            lock.expect("nobody else has it")
        };
        let killed = make("opensky-devnet-killed");
        drop(locked(&killed, PASSING));
        let lives = make("opensky-devnet-lives");
        let _held = locked(&lives, PASSING);
        let kept = make("opensky-devnet-kept");
        drop(locked(&kept, LOCK));
        let unlocked = make("opensky-devnet-begins");
        let other = make("of-another-program");
        drop(locked(&other, PASSING));
        let linked = parent.path().join("opensky-devnet-linked");
        symlink(&other, &linked).expect("a link");
        let tricked = make("opensky-devnet-tricked");
        symlink(killed.join(PASSING), tricked.join(PASSING)).expect("a link");

        sweep(parent.path(), &|_| {});
        assert!(!killed.exists());
        for folder in [lives, kept, unlocked, other, linked, tricked] {
            assert!(folder.exists(), "{}", folder.display());
        }
    }

    #[test]
    fn folder_is_of_one_devnet_at_a_time() {
        let place = tempfile::tempdir().expect("a folder");
        let kept = place.path().join("kept");
        let first = Folder::of(Some(&kept), &|_| {}).expect("a folder");
        let second = Folder::of(Some(&kept), &|_| {}).expect_err("it is taken");
        assert!(second.to_string().contains("another devnet"), "{second}");
        drop(first);
        Folder::of(Some(&kept), &|_| {}).expect("nobody has it now");
    }
}
