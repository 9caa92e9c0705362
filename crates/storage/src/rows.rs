//! Rows that outlive crashes: tables of keys and values, all bytes, in one file.

mod error;
mod file;
mod queue;
mod row;
mod sealer;

#[cfg(test)]
mod tests;

use std::{
    ops::Bound,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use redb::{Database, ReadableDatabase, TableError};

pub use error::RowsError;
pub use queue::Pending;
pub use row::{Row, Table};

use error::at;
use queue::Queue;
use sealer::Sealer;

use crate::SealKey;

/// A file of rows, changed in batches.
///
/// Many threads and tasks hand in batches; one thread writes all that wait in one transaction, which
/// is on the disk before anybody is told. A crash of the process or the machine leaves each batch
/// there whole or not at all, all that were acknowledged, and none without those that were handed in
/// before it.
///
/// The first batch that cannot be written is the last: nothing is written from then on, and the file
/// has to be opened again, which finds what was acknowledged. So no caller ever finds a later batch of
/// its own without an earlier one.
///
/// Dropping it waits for the batches that were handed in.
#[derive(Debug)]
pub struct Rows {
    sealer: Option<Arc<Sealer>>,
    database: Arc<Database>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl Rows {
    /// Opens the file `path`, or makes it, durably, with the folders above it, readable by its owner
    /// alone. Reads the whole file once, to find damage before anybody relies on it. One process at a
    /// time has it open.
    ///
    /// Damage to what the very last transaction wrote, before the file was closed, looks like a
    /// transaction that a crash cut short, and is undone like one; all other damage is found.
    ///
    /// # Errors
    /// [`RowsError::InUse`], [`RowsError::NotRows`], [`RowsError::Version`], [`RowsError::Damaged`],
    /// [`RowsError::DiskFull`] or [`RowsError::Io`]. The file stays as it is.
    pub fn open(path: &Path) -> Result<Self, RowsError> {
        Self::over(file::open(path, None)?, None)
    }

    /// Like [`open`](Self::open), for a file whose values are encrypted on disk (XChaCha20-Poly1305), so
    /// that nobody without the key reads them, changes them or puts one in another's place. Tables
    /// and keys are not hidden: they are for ids, not for what a requester sent. Whoever opens it
    /// first decides whether it is sealed, and with which key.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`RowsError::WrongKey`].
    pub fn open_sealed(path: &Path, key: &SealKey) -> Result<Self, RowsError> {
        let sealer = Arc::new(Sealer::new(key));
        Self::over(file::open(path, Some(sealer.check()))?, Some(sealer))
    }

    fn over(database: Database, sealer: Option<Arc<Sealer>>) -> Result<Self, RowsError> {
        let database = Arc::new(database);
        let queue = Arc::new(Queue::default());
        let (theirs, batches) = (database.clone(), queue.clone());
        let writer = thread::Builder::new()
            .name("rows".into())
            .spawn(move || write_all(&theirs, &batches))
            .map_err(|source| at("start the writer", source))?;
        Ok(Self {
            sealer,
            database,
            queue,
            writer: Some(writer),
        })
    }

    /// All rows of a table, sorted by key, as they are now: later batches do not show. A table that
    /// nobody wrote to is empty.
    ///
    /// # Errors
    /// [`RowsError::Damaged`] or [`RowsError::Io`], now or from the iterator.
    pub fn load_all(&self, table: Table) -> Result<LoadAll, RowsError> {
        self.load(table, &[])
    }

    /// The same of the rows alone whose keys begin with `prefix`; no others are read.
    ///
    /// # Errors
    /// Those of [`load_all`](Self::load_all).
    pub fn load(&self, table: Table, prefix: &[u8]) -> Result<LoadAll, RowsError> {
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| file::failed("read", error.into()))?;
        let opened = match transaction.open_table(table.definition()) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(LoadAll::empty(table)),
            opened => opened.map_err(|error| file::failed("read", error.into()))?,
        };
        let end = end_of(prefix);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = opened.range::<&[u8]>((Bound::Included(prefix), end));
        let range = range.map_err(|error| file::failed("read", error.into()))?;
        Ok(LoadAll {
            table,
            sealer: self.sealer.clone(),
            range: Some(range),
        })
    }

    /// Writes a batch, all of it or nothing, and waits until it is on the disk. Blocks.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`Pending::wait`].
    pub fn commit(&self, batch: Vec<Row>) -> Result<(), RowsError> {
        self.submit(batch)?.wait()
    }

    /// Hands in a batch: all of it will be on the disk or nothing, and not before the batches handed
    /// in earlier. Within a batch a later change of a row replaces an earlier one. Blocks only while
    /// 1,024 batches or 64 MiB wait already, which is for as long as the disk needs to write them.
    ///
    /// # Errors
    /// [`RowsError::TooLarge`] for a batch of more than 64 MiB; whatever stopped the writer, if an
    /// earlier batch could not be written.
    pub fn submit(&self, mut batch: Vec<Row>) -> Result<Pending, RowsError> {
        if let Some(sealer) = &self.sealer {
            // Here, where many can do it at once, and not in the writer.
            batch.iter_mut().try_for_each(|row| sealer.seal(row))?;
        }
        self.queue.push(batch)
    }

    /// Hands in a batch that nobody waits for, in its place among the others: it is written with the
    /// next batch that is [submitted](Self::submit), so that it costs no wait for the disk of its own, or
    /// after a fifth of a second. Dropping the file writes it, a crash may lose it; what is submitted
    /// later is never there without it. Blocks as [`submit`](Self::submit) does.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit).
    pub fn submit_later(&self, mut batch: Vec<Row>) -> Result<(), RowsError> {
        if let Some(sealer) = &self.sealer {
            batch.iter_mut().try_for_each(|row| sealer.seal(row))?;
        }
        self.queue.push_later(batch)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.queue.close();
        // A writer that panicked has told everybody who waits.
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

/// The rows of a table. See [`Rows::load_all`].
pub struct LoadAll {
    table: Table,
    sealer: Option<Arc<Sealer>>,
    range: Option<redb::Range<'static, &'static [u8], &'static [u8]>>,
}

impl LoadAll {
    fn empty(table: Table) -> Self {
        Self {
            table,
            sealer: None,
            range: None,
        }
    }
}

impl Iterator for LoadAll {
    type Item = Result<(Vec<u8>, Vec<u8>), RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.range.as_mut()?.next()?;
        let row = row.map_err(|error| file::failed("read", error.into()));
        Some(row.and_then(|(key, value)| {
            let key = key.value().to_vec();
            let value = match &self.sealer {
                Some(sealer) => sealer.open(self.table, &key, value.value())?,
                None => value.value().to_vec(),
            };
            Ok((key, value))
        }))
    }
}

/// The first key after those that begin with `prefix`; none where they are the last.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The writer's whole life: ends when the queue is closed and empty, or a batch cannot be written.
fn write_all(database: &Database, queue: &Queue) {
    // Also when this panics, or nobody would tell those who wait.
    let stopped = queue.stop_when_dropped();
    while let Some(group) = queue.take() {
        let rows = group.iter().flat_map(|waiting| waiting.batch());
        let written = file::write(database, rows);
        if let Err(error) = &written {
            // First, so that nobody who is told hands in another one that is not refused.
            queue.stop(error);
        }
        for waiting in group {
            waiting.tell(written.clone());
        }
    }
    drop(stopped);
}
