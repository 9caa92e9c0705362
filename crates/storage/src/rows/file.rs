//! The file that rows are in: making it, knowing it, writing to it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::{OsStr, OsString},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, TableDefinition,
    TableError, backends::FileBackend,
};
use rustix::fs::OFlags;

use super::{
    error::{RowsError, at},
    row::Row,
};
use crate::{
    StoreError,
    folders::{open_root, sync},
};

/// What the file says of itself, in a table that no [`Table`](super::row::Table) can have the name of.
const ABOUT: TableDefinition<'static, &'static str, &'static str> = TableDefinition::new("about");
const FORMAT: &str = "opensky rows";
const VERSION: &str = "1";
/// What tells the key of a sealed file.
const SEALED: &str = "sealed";

/// Memory for pages of the file: rows are read once, when a node starts, so more would only be held.
const CACHE: usize = 32 << 20;

/// Opens it; makes it if it is not there. `check` tells the key of what is sealed.
pub(super) fn open(path: &Path, check: Option<&str>) -> Result<Database, RowsError> {
    let path = std::path::absolute(path).map_err(|source| at("open", source))?;
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(RowsError::NotRows(path));
    };
    let folder = open_root(above).map_err(of_folder)?;
    if !folder
        .try_exists(name)
        .map_err(|source| at("open", source))?
    {
        create(&folder, name, check)?;
    }
    let mut options = OpenOptions::new();
    // A pipe that somebody put there is not waited for.
    options.read(true).write(true);
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = folder.open_with(name, &options);
    let file = file.map_err(|source| at("open", source))?;
    let metadata = file.metadata().map_err(|source| at("open", source))?;
    // To redb an empty file is one that it may fill.
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(RowsError::NotRows(path));
    }
    let database = open_over(backend(file)?, &path, check)?;
    // What is left was left by a process that died: whoever has the file open made the file.
    remove_unfinished(&folder, name).map_err(|source| at("open", source))?;
    Ok(database)
}

/// The rows in `backend`, which is named `path` to people, checked as a whole.
pub(super) fn open_over(
    backend: impl StorageBackend,
    path: &Path,
    check: Option<&str>,
) -> Result<Database, RowsError> {
    let path = || path.to_owned();
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder.set_check_integrity_on_open(true);
    let database = match builder.create_with_backend(backend) {
        Ok(database) => database,
        Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
            return Err(RowsError::InUse(path()));
        }
        Err(DatabaseError::UpgradeRequired(found)) => return Err(version(path(), found)),
        Err(DatabaseError::Storage(redb::StorageError::Io(error)))
            if error.kind() == ErrorKind::InvalidData =>
        {
            return Err(RowsError::NotRows(path()));
        }
        Err(error) => return Err(in_file(failed("open", error.into()), &path())),
    };
    let about = |what| about(&database, what).map_err(|error| failed("open", error));
    match about(FORMAT)?.as_deref() {
        Some(VERSION) => {}
        Some(other) => return Err(version(path(), other)),
        None => return Err(RowsError::NotRows(path())),
    }
    if about(SEALED)?.as_deref() != check {
        return Err(RowsError::WrongKey(path()));
    }
    Ok(database)
}

/// The same of a file that was opened just now, whose damage shows then.
fn in_file(error: RowsError, path: &Path) -> RowsError {
    let why = match error {
        RowsError::Damaged(why) => why,
        RowsError::Io { source, .. } if source.kind() == ErrorKind::UnexpectedEof => {
            "it is cut short".into()
        }
        error => return error,
    };
    RowsError::Damaged(format!("`{}`: {why}", path.display()))
}

fn version(path: PathBuf, found: impl ToString) -> RowsError {
    RowsError::Version {
        path,
        found: found.to_string(),
        known: VERSION,
    }
}

fn backend(file: File) -> Result<FileBackend, RowsError> {
    FileBackend::new(file.into_std()).map_err(|error| failed("open", error.into()))
}

fn of_folder(error: StoreError) -> RowsError {
    match error {
        StoreError::DiskFull { .. } => RowsError::DiskFull {
            doing: "make a folder for",
        },
        StoreError::Io { source, .. } => at("open the folder of", source),
        other => at("open the folder of", io::Error::other(other)),
    }
}

/// What the file says of itself, if it says so at all.
fn about(database: &Database, what: &str) -> Result<Option<String>, redb::Error> {
    match database.begin_read()?.open_table(ABOUT) {
        Ok(table) => Ok(table.get(what)?.map(|found| found.value().to_owned())),
        Err(
            TableError::TableDoesNotExist(_)
            | TableError::TableTypeMismatch { .. }
            | TableError::TableIsMultimap(_),
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the file under another name, and names it once it is whole. Whoever else does that at the
/// same time may be first.
fn create(folder: &Dir, name: &OsStr, check: Option<&str>) -> Result<(), RowsError> {
    let failed = |source| at("create the file of", source);
    let (fresh, file) = create_unique(folder, name).map_err(failed)?;
    let made = backend(file).and_then(|made| create_over(made, check));
    let named = made.and_then(|()| match folder.hard_link(&fresh, folder, name) {
        // It is there already, or whoever has it open has tidied up.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            Ok(())
        }
        linked => linked.map_err(failed),
    });
    // Whoever opens the file removes it otherwise.
    let _ = folder.remove_file(&fresh);
    named?;
    sync(folder).map_err(of_folder)
}

/// Makes an empty file of rows in `backend`.
pub(super) fn create_over(
    backend: impl StorageBackend,
    check: Option<&str>,
) -> Result<(), RowsError> {
    let make = || -> Result<(), redb::Error> {
        let database = Builder::new().create_with_backend(backend)?;
        let transaction = database.begin_write()?;
        let mut about = transaction.open_table(ABOUT)?;
        about.insert(FORMAT, VERSION)?;
        if let Some(check) = check {
            about.insert(SEALED, check)?;
        }
        drop(about);
        transaction.commit()?;
        Ok(database.close()?)
    };
    make().map_err(|error| failed("create the file of", error))
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = name.to_owned();
    prefix.push(".new-");
    prefix
}

fn create_unique(folder: &Dir, name: &OsStr) -> io::Result<(OsString, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    loop {
        let mut fresh = prefix(name);
        fresh.push(format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Relaxed)
        ));
        match folder.open_with(&fresh, &options) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (fresh, file)),
        }
    }
}

fn remove_unfinished(folder: &Dir, name: &OsStr) -> io::Result<()> {
    let prefix = prefix(name);
    for entry in folder.entries()? {
        let found = entry?.file_name();
        let is_left = found
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        match is_left.then(|| folder.remove_file(&found)) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the rows, the later over the earlier, in one transaction, and waits for the disk once.
pub(super) fn write<'a>(
    database: &Database,
    rows: impl Iterator<Item = &'a Row>,
) -> Result<(), RowsError> {
    let write = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        let mut tables = BTreeMap::new();
        for row in rows {
            let table = match tables.entry(row.table) {
                Entry::Occupied(opened) => opened.into_mut(),
                Entry::Vacant(first) => {
                    first.insert(transaction.open_table(row.table.definition())?)
                }
            };
            match &row.value {
                Some(value) => drop(table.insert(&row.key[..], &value[..])?),
                None => drop(table.remove(&row.key[..])?),
            }
        }
        drop(tables);
        Ok(transaction.commit()?)
    };
    write().map_err(|error| failed("write", error))
}

/// What a failure of the file is to a caller of [`Rows`](super::Rows).
pub(super) fn failed(doing: &'static str, error: redb::Error) -> RowsError {
    match error {
        redb::Error::Io(source) => at(doing, source),
        redb::Error::Corrupted(found) => RowsError::Damaged(found),
        other => at(doing, io::Error::other(other.to_string())),
    }
}
