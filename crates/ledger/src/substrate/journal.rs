//! What a node remembers of the chain: its intents that are not decided, what became of the others, and how far it has read.

use std::path::Path;

use opensky_protocol::{Account, Digest, codec, ledger::Event};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction,
};

use super::queue::{Queue, Waiting};
use crate::LedgerError;

type Bytes = &'static [u8];

/// By name: the ledger's id, and the next nonce.
const META: TableDefinition<&str, Bytes> = TableDefinition::new("meta-1");
/// The hashes of the last blocks that were read, by number.
const BLOCKS: TableDefinition<u64, &[u8; 32]> = TableDefinition::new("blocks-1");
/// Intents that are not decided, by their order.
const WAITING: TableDefinition<u64, Bytes> = TableDefinition::new("waiting-1");
/// Those that were decided in one of the last blocks.
const DECIDED: TableDefinition<u64, Bytes> = TableDefinition::new("decided-1");
/// Events, by sequence number.
const EVENTS: TableDefinition<u64, Bytes> = TableDefinition::new("events-1");
/// The event of each intent, 0 while there is none.
const STATUS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("status-1");
/// The events of each account.
const HISTORY: TableDefinition<(&[u8; 32], u64), ()> = TableDefinition::new("history-1");

const ID: &str = "id";
const NONCE: &str = "nonce";

/// Blocks whose hashes are kept: a development node that is killed loses fewer.
const KEPT: u64 = 512;

/// A block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub number: u64,
    pub hash: Digest,
}

/// Why a decided intent may be open again: its block may be gone.
#[derive(Encode, Decode, DecodeWithMemTracking)]
struct Decided {
    block: u64,
    waiting: Waiting,
}

#[derive(Encode, Decode, DecodeWithMemTracking)]
struct Told {
    block: u64,
    event: Event,
}

/// An event that was read, and whose intent it decides, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub event: Event,
    pub decides: Option<u64>,
}

/// The file.
pub(crate) struct Journal(Database);

/// What of it is in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub id: Option<Digest>,
    pub nonce: u64,
    pub queue: Queue,
    pub seen: Option<Seen>,
}

impl Journal {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<(Self, Memory), LedgerError> {
        let journal = Self(Database::create(path)?);
        let memory = journal.write(|txn| {
            txn.open_table(BLOCKS)?;
            txn.open_table(DECIDED)?;
            txn.open_table(EVENTS)?;
            txn.open_table(STATUS)?;
            txn.open_table(HISTORY)?;
            let mut memory = Memory::default();
            let meta = txn.open_table(META)?;
            if let Some(id) = meta.get(ID)? {
                memory.id = Some(codec::decode(id.value())?);
            }
            if let Some(nonce) = meta.get(NONCE)? {
                memory.nonce = codec::decode(nonce.value())?;
            }
            for entry in txn.open_table(WAITING)?.iter()? {
                let (order, row) = entry?;
                let waiting = codec::decode(row.value())?;
                memory.queue.0.insert(order.value(), waiting);
            }
            memory.seen = last_seen(txn)?;
            Ok(memory)
        });
        let memory = memory.map_err(|error| error.in_file(path))?;
        Ok((journal, memory))
    }

    /// Belongs to that ledger from now on.
    pub fn settle_on(&self, id: &Digest) -> Result<(), LedgerError> {
        self.write(|txn| {
            let mut meta = txn.open_table(META)?;
            meta.insert(ID, codec::encode(id).as_slice())?;
            Ok(())
        })
    }

    /// Takes intents on, from that nonce on, which is their order.
    pub fn take_on(&self, first: u64, new: &[Waiting]) -> Result<(), LedgerError> {
        self.write(|txn| {
            let mut meta = txn.open_table(META)?;
            let mut waiting = txn.open_table(WAITING)?;
            let mut status = txn.open_table(STATUS)?;
            let next = first + new.len() as u64;
            meta.insert(NONCE, codec::encode(&next).as_slice())?;
            for (order, one) in (first..).zip(new) {
                waiting.insert(order, codec::encode(one).as_slice())?;
                status.insert(&one.intent.0, 0)?;
            }
            Ok(())
        })
    }

    /// Writes intents whose transactions are others now.
    pub fn put(&self, queue: &Queue, orders: &[u64]) -> Result<(), LedgerError> {
        if orders.is_empty() {
            return Ok(());
        }
        self.write(|txn| {
            let mut waiting = txn.open_table(WAITING)?;
            for order in orders {
                if let Some(one) = queue.0.get(order) {
                    waiting.insert(order, codec::encode(one).as_slice())?;
                }
            }
            Ok(())
        })
    }

    /// Writes down that blocks were read, and what is known since that one.
    pub fn book(&self, read: &[Seen], last: u64, news: Vec<News>) -> Result<(), LedgerError> {
        self.write(|txn| {
            let mut blocks = txn.open_table(BLOCKS)?;
            let mut decided = txn.open_table(DECIDED)?;
            for block in read {
                blocks.insert(block.number, &block.hash.0)?;
            }
            let old = last.saturating_sub(KEPT);
            blocks.retain_in(..old, |_, _| false)?;
            let is_old =
                |row: &[u8]| codec::decode::<Decided>(row).is_ok_and(|row| row.block < old);
            decided.retain(|_, row| !is_old(row))?;
            let mut waiting = txn.open_table(WAITING)?;
            let mut events = txn.open_table(EVENTS)?;
            let mut status = txn.open_table(STATUS)?;
            let mut history = txn.open_table(HISTORY)?;
            let mut sequence = events.last()?.map_or(0, |(key, _)| key.value());
            for News { mut event, decides } in news {
                sequence += 1;
                event.sequence = sequence;
                for account in event.accounts() {
                    history.insert((&account.0, sequence), ())?;
                }
                if let Some(order) = decides {
                    status.insert(&event.intent.0, sequence)?;
                    let row = waiting.remove(order)?.map(|row| row.value().to_vec());
                    if let Some(row) = row {
                        let row = Decided {
                            block: last,
                            waiting: codec::decode(&row)?,
                        };
                        decided.insert(order, codec::encode(&row).as_slice())?;
                    }
                }
                let told = Told { block: last, event };
                events.insert(sequence, codec::encode(&told).as_slice())?;
            }
            Ok(())
        })
    }

    /// Takes back what blocks after `last` said: they are gone. Returns the intents that are open again.
    pub fn rewind(&self, last: u64) -> Result<Vec<(u64, Waiting)>, LedgerError> {
        self.write(|txn| {
            txn.open_table(BLOCKS)?
                .retain_in(last + 1.., |_, _| false)?;
            let mut decided = txn.open_table(DECIDED)?;
            let mut waiting = txn.open_table(WAITING)?;
            let mut status = txn.open_table(STATUS)?;
            let mut reopened = Vec::new();
            for entry in decided.iter()? {
                let (order, row) = entry?;
                let row: Decided = codec::decode(row.value())?;
                if row.block > last {
                    reopened.push((order.value(), row.waiting));
                }
            }
            for (order, one) in &reopened {
                decided.remove(order)?;
                waiting.insert(order, codec::encode(one).as_slice())?;
                status.insert(&one.intent.0, 0)?;
            }
            let mut events = txn.open_table(EVENTS)?;
            let mut history = txn.open_table(HISTORY)?;
            let mut gone = Vec::new();
            for entry in events.iter()?.rev() {
                let (sequence, row) = entry?;
                let told: Told = codec::decode(row.value())?;
                if told.block <= last {
                    break;
                }
                gone.push((sequence.value(), told.event));
            }
            for (sequence, event) in gone {
                events.remove(sequence)?;
                for account in event.accounts() {
                    history.remove((&account.0, sequence))?;
                }
            }
            Ok(reopened)
        })
    }

    /// The blocks that were read and are kept, the newest first.
    pub fn blocks(&self) -> Result<Vec<Seen>, LedgerError> {
        let blocks = self.0.begin_read()?.open_table(BLOCKS)?;
        let mut seen = Vec::new();
        for entry in blocks.iter()?.rev() {
            let (number, hash) = entry?;
            seen.push(Seen {
                number: number.value(),
                hash: Digest(*hash.value()),
            });
        }
        Ok(seen)
    }

    /// Whether an intent was taken on, and the event that decided it, if one did.
    pub fn status(&self, intent: &Digest) -> Result<Option<Option<Event>>, LedgerError> {
        let txn = self.0.begin_read()?;
        let sequence = txn.open_table(STATUS)?.get(&intent.0)?;
        let Some(sequence) = sequence.map(|row| row.value()) else {
            return Ok(None);
        };
        let told = txn.open_table(EVENTS)?.get(sequence)?;
        let told = told.map(|row| codec::decode::<Told>(row.value()));
        Ok(Some(told.transpose()?.map(|told| told.event)))
    }

    /// Events after that one, at most `limit`.
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, LedgerError> {
        let events = self.0.begin_read()?.open_table(EVENTS)?;
        let mut page = Vec::new();
        for entry in events.range(after.saturating_add(1)..)?.take(limit) {
            page.push(codec::decode::<Told>(entry?.1.value())?.event);
        }
        Ok(page)
    }

    /// An account's events before that one, the newest first, at most `limit`.
    pub fn history(
        &self,
        account: &Account,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Event>, LedgerError> {
        let txn = self.0.begin_read()?;
        let history = txn.open_table(HISTORY)?;
        let events = txn.open_table(EVENTS)?;
        let mut page = Vec::new();
        for entry in history
            .range((&account.0, 0)..(&account.0, before))?
            .rev()
            .take(limit)
        {
            let sequence = entry?.0.value().1;
            if let Some(row) = events.get(sequence)? {
                page.push(codec::decode::<Told>(row.value())?.event);
            }
        }
        Ok(page)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let txn = self.0.begin_write()?;
        let done = work(&txn)?;
        txn.commit()?;
        Ok(done)
    }
}

fn last_seen(txn: &WriteTransaction) -> Result<Option<Seen>, LedgerError> {
    let blocks = txn.open_table(BLOCKS)?;
    let last = blocks.last()?;
    Ok(last.map(|(number, hash)| Seen {
        number: number.value(),
        hash: Digest(*hash.value()),
    }))
}
