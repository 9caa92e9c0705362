//! The folders that blobs lie in, and what makes a name in them durable.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    io::{self, ErrorKind},
    path::{self, Path},
    sync::{Mutex, PoisonError},
};

use cap_std::{ambient_authority, fs::Dir};
use opensky_protocol::Digest;

use crate::error::{StoreError, at};

/// One folder for each first byte of a digest that there is, all in one folder.
#[derive(Debug)]
pub(crate) struct Folders {
    root: Dir,
    blobs: Dir,
    /// The folders that are known to be durable.
    durable: Mutex<BTreeSet<OsString>>,
}

impl Folders {
    /// Those of the store in `root`, in the folder of that name.
    pub fn open(root: Dir, name: &str) -> Result<Self, StoreError> {
        let blobs = subfolder(&root, name)?;
        Ok(Self {
            root,
            blobs,
            durable: Mutex::default(),
        })
    }

    /// The store's folder.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// The folder that holds them all.
    pub fn all(&self) -> &Dir {
        &self.blobs
    }

    /// The folder of that name, to put blobs into; made, durably, if it is not there. One that is
    /// there may have been made by another process just now: it is made durable too.
    pub fn writable(&self, name: &str) -> Result<Dir, StoreError> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable.contains(OsStr::new(name)) {
            create(&self.blobs, name)?;
            let there = names(&self.blobs).map_err(at("list the folders"))?;
            sync(&self.blobs)?;
            if durable.is_empty() {
                sync(&self.root)?;
            }
            // All at once, so that a store of many folders waits once for the disk.
            *durable = there;
        }
        self.blobs.open_dir(name).map_err(at("open a folder"))
    }
}

/// Opens a store's folder. It and those above it are made if they are not there, durably.
pub(crate) fn open_root(path: &Path) -> Result<Dir, StoreError> {
    let failed = at("open the folder");
    let path = path::absolute(path).map_err(&failed)?;
    let above = |folder: &Path| folder.parent().map(Path::to_owned);
    let new = path.ancestors().take_while(|folder| !folder.exists());
    let changed: Vec<_> = new.filter_map(above).collect();
    Dir::create_ambient_dir_all(&path, ambient_authority()).map_err(&failed)?;
    for folder in changed {
        sync(&Dir::open_ambient_dir(folder, ambient_authority()).map_err(&failed)?)?;
    }
    Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)
}

/// Opens a folder; makes it if it is not there.
pub(crate) fn subfolder(parent: &Dir, name: &str) -> Result<Dir, StoreError> {
    create(parent, name)?;
    parent.open_dir(name).map_err(at("open a folder"))
}

fn create(parent: &Dir, name: &str) -> Result<(), StoreError> {
    match parent.create_dir(name) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at("create a folder")(error)),
        _ => Ok(()),
    }
}

fn names(folder: &Dir) -> io::Result<BTreeSet<OsString>> {
    let entries = folder.entries()?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

/// A name is durable when its folder is.
pub(crate) fn sync(folder: &Dir) -> Result<(), StoreError> {
    // A `Dir` may be a handle that only names the folder; this one can be synchronised.
    let open = || -> io::Result<_> { folder.open(".")?.sync_all() };
    open().map_err(at("write a folder"))
}

/// The lengths of all files of a folder together.
pub(crate) fn lengths(folder: &Dir) -> io::Result<u64> {
    let lens = folder.entries()?.map(|entry| match entry?.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        found => Ok(found?.len()),
    });
    lens.sum()
}

/// Removes all files of a folder.
pub(crate) fn remove_files(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        folder.remove_file(entry?.file_name())?;
    }
    Ok(())
}

/// The folder of the file that is named by that digest, and its name there.
pub(crate) fn split(digest: &Digest) -> (String, String) {
    let mut digits = digest.to_string();
    let rest = digits.split_off(2);
    (digits, rest)
}

/// The path of a file of that name in that folder, and the digest it is named by.
pub(crate) fn named(folder: &OsStr, name: &OsStr) -> Option<(String, Digest)> {
    let digits = [folder.to_str()?, name.to_str()?];
    let digest = digits.concat().parse().ok()?;
    // Digits are read in any case, and would be cut anywhere.
    let is_ours = split(&digest) == digits.map(str::to_owned).into();
    is_ours.then(|| (digits.join("/"), digest))
}
