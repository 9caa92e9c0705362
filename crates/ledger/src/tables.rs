//! The ledger's file: how it is made, which tables it has, and what a row of each is.

use std::{collections::BTreeMap, fs::File, os::unix::fs::OpenOptionsExt as _, path::Path};

use opensky_protocol::{
    Account, Digest, codec,
    ledger::{Event, Genesis, Intent},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use redb::{
    Database, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction,
    backends::FileBackend,
};

use crate::{
    books::Books,
    error::LedgerError,
    rows::{Key, Row},
};

type Bytes = &'static [u8];

/// The database in a file, which is made for its owner's eyes alone if it is not there.
pub(crate) fn create(path: &Path) -> Result<Database, LedgerError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = FileBackend::new(options.mode(0o600).open(path)?)?;
    Ok(Database::builder().create_with_backend(file)?)
}

/// By name: the genesis, and the clock.
const META: TableDefinition<&str, Bytes> = TableDefinition::new("meta-1");
/// The books' rows.
const BOOKS: TableDefinition<Bytes, Bytes> = TableDefinition::new("books-1");
/// Intents that were accepted and are not decided, by their order.
const WAITING: TableDefinition<u64, Bytes> = TableDefinition::new("waiting-1");
/// Events, by sequence number.
const EVENTS: TableDefinition<u64, Bytes> = TableDefinition::new("events-1");
/// The newest event of each intent.
const STATUS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("status-1");
/// The events of each account.
const HISTORY: TableDefinition<(&[u8; 32], u64), ()> = TableDefinition::new("history-1");

const GENESIS: &str = "genesis";
const CLOCK: &str = "clock";

/// An intent that was accepted.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Waiting {
    /// When it is decided.
    pub due: u64,
    pub id: Digest,
    pub intent: Intent,
}

/// All that is in memory.
pub(crate) struct Loaded {
    pub books: Books,
    pub waiting: BTreeMap<u64, Waiting>,
    pub clock: u64,
    /// The sequence number of the last event.
    pub last_event: u64,
}

/// Reads the file, or writes its first rows.
pub(crate) fn load(txn: &WriteTransaction, genesis: Genesis) -> Result<Loaded, LedgerError> {
    let mut writer = Writer::open(txn)?;
    let found = writer.meta.get(GENESIS)?.map(|row| row.value().to_vec());
    let Some(found) = found else {
        writer
            .meta
            .insert(GENESIS, codec::encode(&genesis).as_slice())?;
        let mut books = Books::new(genesis)?;
        writer.books(&mut books)?;
        return Ok(Loaded {
            books,
            waiting: BTreeMap::new(),
            clock: 0,
            last_event: 0,
        });
    };
    let found: Genesis = codec::decode(&found)?;
    if found != genesis {
        let (expected, found) = (genesis.id(), found.id());
        return Err(LedgerError::Other { expected, found });
    }
    Ok(Loaded {
        books: Books::load(genesis, rows(&writer.books)?),
        waiting: waiting(&writer.waiting)?,
        clock: match writer.meta.get(CLOCK)? {
            Some(row) => codec::decode(row.value())?,
            None => 0,
        },
        last_event: writer.events.last()?.map_or(0, |(key, _)| key.value()),
    })
}

fn rows(table: &Table<Bytes, Bytes>) -> Result<Vec<(Key, Row)>, LedgerError> {
    let mut rows = Vec::new();
    for entry in table.iter()? {
        let (key, row) = entry?;
        rows.push((codec::decode(key.value())?, codec::decode(row.value())?));
    }
    Ok(rows)
}

fn waiting(table: &Table<u64, Bytes>) -> Result<BTreeMap<u64, Waiting>, LedgerError> {
    let mut waiting = BTreeMap::new();
    for entry in table.iter()? {
        let (order, row) = entry?;
        waiting.insert(order.value(), codec::decode(row.value())?);
    }
    Ok(waiting)
}

/// One transaction's tables.
pub(crate) struct Writer<'a> {
    meta: Table<'a, &'static str, Bytes>,
    books: Table<'a, Bytes, Bytes>,
    waiting: Table<'a, u64, Bytes>,
    events: Table<'a, u64, Bytes>,
    status: Table<'a, &'static [u8; 32], u64>,
    history: Table<'a, (&'static [u8; 32], u64), ()>,
}

impl<'a> Writer<'a> {
    pub fn open(txn: &'a WriteTransaction) -> Result<Self, LedgerError> {
        Ok(Self {
            meta: txn.open_table(META)?,
            books: txn.open_table(BOOKS)?,
            waiting: txn.open_table(WAITING)?,
            events: txn.open_table(EVENTS)?,
            status: txn.open_table(STATUS)?,
            history: txn.open_table(HISTORY)?,
        })
    }

    /// Whether an intent was accepted, ever.
    pub fn knows(&self, intent: &Digest) -> Result<bool, LedgerError> {
        Ok(self.status.get(&intent.0)?.is_some())
    }

    pub fn clock(&mut self, now: u64) -> Result<(), LedgerError> {
        self.meta.insert(CLOCK, codec::encode(&now).as_slice())?;
        Ok(())
    }

    /// Writes all rows that have changed.
    pub fn books(&mut self, books: &mut Books) -> Result<(), LedgerError> {
        for (key, row) in books.take_changed() {
            let key = codec::encode(&key);
            match row {
                Some(row) => drop(self.books.insert(&key[..], &codec::encode(row)[..])?),
                None => drop(self.books.remove(&key[..])?),
            }
        }
        Ok(())
    }

    pub fn wait(&mut self, order: u64, waiting: &Waiting) -> Result<(), LedgerError> {
        self.waiting.insert(order, &codec::encode(waiting)[..])?;
        Ok(())
    }

    pub fn decided(&mut self, order: u64) -> Result<(), LedgerError> {
        self.waiting.remove(order)?;
        Ok(())
    }

    pub fn event(&mut self, event: &Event) -> Result<(), LedgerError> {
        let sequence = event.sequence;
        self.events.insert(sequence, &codec::encode(event)[..])?;
        self.status.insert(&event.intent.0, sequence)?;
        for Account(bytes) in event.accounts() {
            self.history.insert((&bytes, sequence), ())?;
        }
        Ok(())
    }
}

/// Bytes of the events of one page. One event alone may be longer.
pub(crate) const PAGE_BYTES: usize = 512 << 10;

/// Reads events after one another until the page is full.
fn page(
    txn: &ReadTransaction,
    sequences: impl Iterator<Item = Result<u64, redb::StorageError>>,
    limit: usize,
) -> Result<Vec<Event>, LedgerError> {
    let events = txn.open_table(EVENTS)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    for sequence in sequences.take(limit) {
        let Some(row) = events.get(sequence?)? else {
            break;
        };
        bytes += row.value().len();
        if bytes > PAGE_BYTES && !page.is_empty() {
            break;
        }
        page.push(codec::decode(row.value())?);
    }
    Ok(page)
}

pub(crate) fn events_after(
    txn: &ReadTransaction,
    after: u64,
    limit: usize,
) -> Result<Vec<Event>, LedgerError> {
    page(txn, (after.saturating_add(1)..).map(Ok), limit)
}

pub(crate) fn history(
    txn: &ReadTransaction,
    account: &Account,
    before: u64,
    limit: usize,
) -> Result<Vec<Event>, LedgerError> {
    let table = txn.open_table(HISTORY)?;
    let rows = table.range((&account.0, 0)..(&account.0, before))?;
    let sequences = rows.rev().map(|row| row.map(|(key, _)| key.value().1));
    page(txn, sequences, limit)
}

pub(crate) fn status(txn: &ReadTransaction, intent: &Digest) -> Result<Option<Event>, LedgerError> {
    let last = txn.open_table(STATUS)?.get(&intent.0)?;
    let Some(last) = last else { return Ok(None) };
    let sequence = last.value();
    Ok(page(txn, [Ok(sequence)].into_iter(), 1)?.pop())
}
