//! The devnet that runs now: a file that says where its requester is, and is believed only while the
//! devnet's process holds it locked. So one that was killed leaves nothing that misleads.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{Problem, paths};

/// Longer than any path.
const MAX: u64 = 8192;

/// As long as it lives, commands talk to this devnet.
#[derive(Debug)]
pub struct Current {
    file: File,
    path: PathBuf,
}

fn path() -> Result<PathBuf, Problem> {
    Ok(paths::data()?.join("devnet"))
}

/// The data folder of the requester of the devnet that runs, if one does.
pub fn running() -> Result<Option<PathBuf>, Problem> {
    Ok(read(&path()?))
}

fn read(path: &Path) -> Option<PathBuf> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut bytes = Vec::new();
    file.take(MAX).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| OsStr::from_bytes(&bytes).into())
}

impl Current {
    /// Has commands talk to the node with this data folder. `None` if they talk to another devnet.
    pub fn set(folder: &Path) -> Result<Option<Self>, Problem> {
        Self::at(path()?, folder)
    }

    fn at(path: PathBuf, folder: &Path) -> Result<Option<Self>, Problem> {
        let failed = |error: std::io::Error| {
            Problem::host(format!("cannot write `{}`", path.display())).because(error)
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(folder.as_os_str().as_bytes())
        };
        write(&mut file).map_err(failed)?;
        Ok(Some(Self { file, path }))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // Whoever still reads it sees an empty file; without the lock it would not be believed anyway.
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_believed_only_while_its_writer_lives() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("deep/devnet");
        assert_eq!(read(&path), None);
        let folder = Path::new("/some/where");
        let current = Current::at(path.clone(), folder)
            .expect("written")
            .expect("ours");
        assert_eq!(read(&path).as_deref(), Some(folder));
        let second = Current::at(path.clone(), Path::new("/other")).expect("looked at");
        assert!(second.is_none());
        assert_eq!(read(&path).as_deref(), Some(folder));
        drop(current);
        assert!(!path.exists());
        fs::write(&path, "/of/one/that/was/killed").expect("written");
        assert_eq!(read(&path), None);
        assert!(Current::at(path, folder).expect("written").is_some());
    }
}
