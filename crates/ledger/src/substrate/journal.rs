//! What a node remembers of the chain: its intents that are not decided, what became of the others, and how far it has read.

use std::path::Path;

use opensky_protocol::{
    Account, Digest, codec,
    ledger::{Event, Rejection},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use redb::{
    AccessGuard, Database, ReadableDatabase as _, ReadableTable as _, StorageError, Table,
    TableDefinition, WriteTransaction,
};

use super::queue::{Queue, Waiting};
use crate::{
    LedgerError,
    tables::{self, PAGE_BYTES},
};

type Bytes = &'static [u8];

/// By name: the ledger's id, and the next nonce.
const META: TableDefinition<&str, Bytes> = TableDefinition::new("meta-1");
/// The hashes of the last blocks that were read, by number.
const BLOCKS: TableDefinition<u64, &[u8; 32]> = TableDefinition::new("blocks-1");
/// Intents that are not decided, by their order.
const WAITING: TableDefinition<u64, Bytes> = TableDefinition::new("waiting-2");
/// Those that were decided in one of the last blocks, by its number and their order: that block may be gone.
const DECIDED: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("decided-2");
/// Events, by sequence number.
const EVENTS: TableDefinition<u64, Bytes> = TableDefinition::new("events-1");
/// The event of each intent, 0 while there is none.
const STATUS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("status-1");
/// The events of each account.
const HISTORY: TableDefinition<(&[u8; 32], u64), ()> = TableDefinition::new("history-1");

const ID: &str = "id";
const NONCE: &str = "nonce";

/// Blocks whose hashes are kept: a development node that is killed loses fewer.
pub(crate) const KEPT: u64 = 512;

/// A block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub number: u64,
    pub hash: Digest,
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

/// A block, and what it says that concerns this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub seen: Seen,
    pub news: Vec<News>,
}

/// The file.
pub(crate) struct Journal(Database);

/// What of it is in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub id: Option<Digest>,
    pub nonce: u64,
    pub queue: Queue,
    /// The last block that was read.
    pub seen: Option<Seen>,
    /// The last ones of those, if they say nothing and are not written down yet: they can be read again.
    pub unwritten: Vec<Seen>,
}

impl Journal {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<(Self, Memory), LedgerError> {
        let open = || {
            let journal = Self(tables::create(path)?);
            let memory = journal.read_all()?;
            Ok((journal, memory))
        };
        open().map_err(|error: LedgerError| error.in_journal(path))
    }

    fn read_all(&self) -> Result<Memory, LedgerError> {
        self.write(|txn| {
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
            memory.queue = read_queue(&txn.open_table(WAITING)?)?;
            memory.seen = last_seen(txn)?;
            Ok(memory)
        })
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

    /// Writes down that blocks were read, and what they say.
    pub fn book(&self, read: Vec<Read>) -> Result<(), LedgerError> {
        self.write(|txn| {
            let mut blocks = txn.open_table(BLOCKS)?;
            let mut decided = txn.open_table(DECIDED)?;
            let mut waiting = txn.open_table(WAITING)?;
            let mut told = Telling::open(txn)?;
            for Read { seen, news } in read {
                let block = seen.number;
                blocks.insert(block, &seen.hash.0)?;
                let old = block.saturating_sub(KEPT);
                blocks.retain_in(..old, |_, _| false)?;
                decided.retain_in(..(old, 0), |_, _| false)?;
                for News { event, decides } in news {
                    if let Some(order) = decides {
                        told.decides(&event)?;
                        if let Some(row) = waiting.remove(order)? {
                            decided.insert((block, order), row.value())?;
                        }
                    }
                    told.tell(block, event)?;
                }
            }
            Ok(())
        })
    }

    /// Writes down that an intent is rejected here, without the chain: that stays so, whatever the chain loses.
    pub fn reject(&self, order: u64, block: u64, event: Event) -> Result<(), LedgerError> {
        self.write(|txn| {
            txn.open_table(WAITING)?.remove(order)?;
            let mut told = Telling::open(txn)?;
            told.decides(&event)?;
            told.tell(block, event)
        })
    }

    /// Takes back what blocks after `last` said: they are gone. Returns the intents that are not decided now. Of those no
    /// commitment is made again, as what it hides may have been revealed since: it is rejected.
    pub fn rewind(&self, last: Seen) -> Result<Queue, LedgerError> {
        self.write(|txn| {
            let mut blocks = txn.open_table(BLOCKS)?;
            blocks.retain_in(last.number + 1.., |_, _| false)?;
            blocks.insert(last.number, &last.hash.0)?;
            let mut waiting = txn.open_table(WAITING)?;
            let mut told = Telling::open(txn)?;
            let mut decided = txn.open_table(DECIDED)?;
            for entry in decided.extract_from_if((last.number + 1, 0).., |_, _| true)? {
                let (key, row) = entry?;
                let (_, order) = key.value();
                let one: Waiting = codec::decode(row.value())?;
                waiting.insert(order, row.value())?;
                told.reopens(&one.intent)?;
            }
            told.rewind(last.number)?;
            let mut queue = read_queue(&waiting)?;
            for order in queue.uproot(last.number) {
                if let Some(one) = queue.0.get(&order) {
                    waiting.insert(order, codec::encode(one).as_slice())?;
                }
            }
            for (order, one) in queue.0.extract_if(.., |_, one| one.is_commitment()) {
                waiting.remove(order)?;
                let event = one.rejected(Rejection::Dropped);
                told.decides(&event)?;
                told.tell(last.number, event)?;
            }
            Ok(queue)
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

    /// Events after that one, at most `limit`, and no more than a page has room for.
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, LedgerError> {
        let events = self.0.begin_read()?.open_table(EVENTS)?;
        let rows = events.range(after.saturating_add(1)..)?;
        page(rows.map(|entry| Ok(entry?.1)), limit)
    }

    /// An account's events before that one, the newest first, as many as those.
    pub fn history(
        &self,
        account: &Account,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Event>, LedgerError> {
        let txn = self.0.begin_read()?;
        let history = txn.open_table(HISTORY)?;
        let events = txn.open_table(EVENTS)?;
        let own = history.range((&account.0, 0)..(&account.0, before))?;
        let rows = own.rev().map(|entry| events.get(entry?.0.value().1));
        page(rows.filter_map(Result::transpose), limit)
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

/// Events after one another until the page is full: it has one if there is any.
fn page<'a>(
    rows: impl Iterator<Item = Result<AccessGuard<'a, Bytes>, StorageError>>,
    limit: usize,
) -> Result<Vec<Event>, LedgerError> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in rows.take(limit) {
        let row = row?;
        bytes += row.value().len();
        if bytes > PAGE_BYTES && !page.is_empty() {
            break;
        }
        page.push(codec::decode::<Told>(row.value())?.event);
    }
    Ok(page)
}

/// The tables of events, in a transaction that writes.
struct Telling<'a> {
    events: Table<'a, u64, Bytes>,
    status: Table<'a, &'static [u8; 32], u64>,
    history: Table<'a, (&'static [u8; 32], u64), ()>,
    /// The last event's.
    sequence: u64,
}

impl<'a> Telling<'a> {
    fn open(txn: &'a WriteTransaction) -> Result<Self, LedgerError> {
        let events = txn.open_table(EVENTS)?;
        let sequence = events.last()?.map_or(0, |(key, _)| key.value());
        Ok(Self {
            events,
            status: txn.open_table(STATUS)?,
            history: txn.open_table(HISTORY)?,
            sequence,
        })
    }

    /// The next event is the intent's last word.
    fn decides(&mut self, event: &Event) -> Result<(), LedgerError> {
        self.status.insert(&event.intent.0, self.sequence + 1)?;
        Ok(())
    }

    fn reopens(&mut self, intent: &Digest) -> Result<(), LedgerError> {
        self.status.insert(&intent.0, 0)?;
        Ok(())
    }

    fn tell(&mut self, block: u64, mut event: Event) -> Result<(), LedgerError> {
        self.sequence += 1;
        event.sequence = self.sequence;
        for account in event.accounts() {
            self.history.insert((&account.0, self.sequence), ())?;
        }
        let told = codec::encode(&Told { block, event });
        self.events.insert(self.sequence, told.as_slice())?;
        Ok(())
    }

    fn last(&self) -> Result<Option<(u64, Told)>, LedgerError> {
        Ok(match self.events.last()? {
            Some((sequence, row)) => Some((sequence.value(), codec::decode(row.value())?)),
            None => None,
        })
    }

    /// Takes back what was told since that block, but for what no block has said.
    fn rewind(&mut self, last: u64) -> Result<(), LedgerError> {
        let mut own = Vec::new();
        while let Some((sequence, Told { block, event })) = self.last()? {
            if block <= last {
                break;
            }
            self.events.remove(sequence)?;
            for account in event.accounts() {
                self.history.remove((&account.0, sequence))?;
            }
            let decided = self.status.get(&event.intent.0)?;
            if decided.is_some_and(|decided| decided.value() == sequence) {
                own.push(event);
            }
        }
        self.sequence = self.last()?.map_or(0, |(sequence, _)| sequence);
        for event in own.into_iter().rev() {
            self.decides(&event)?;
            self.tell(last, event)?;
        }
        Ok(())
    }
}

fn read_queue(rows: &Table<'_, u64, Bytes>) -> Result<Queue, LedgerError> {
    let mut queue = Queue::default();
    for entry in rows.iter()? {
        let (order, row) = entry?;
        queue.0.insert(order.value(), codec::decode(row.value())?);
    }
    Ok(queue)
}

fn last_seen(txn: &WriteTransaction) -> Result<Option<Seen>, LedgerError> {
    let blocks = txn.open_table(BLOCKS)?;
    let last = blocks.last()?;
    Ok(last.map(|(number, hash)| Seen {
        number: number.value(),
        hash: Digest(*hash.value()),
    }))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use opensky_protocol::{
        NodeKey,
        ledger::{Call, Fact, OnChain, Rejection, Status},
    };

    use super::*;
    use crate::substrate::queue::Sent;

    const OWN: NodeKey = NodeKey([1; 32]);

    fn waiting(number: u8) -> Waiting {
        Waiting {
            intent: Digest([number; 32]),
            account: OWN.into(),
            call: Call::Withdraw,
            sent: None,
            past: Vec::new(),
        }
    }

    fn event(number: u8, status: Status) -> Event {
        Event {
            sequence: 0,
            at: 5,
            intent: Digest([number; 32]),
            account: OWN.into(),
            status,
        }
    }

    fn done(number: u8) -> News {
        let facts = Vec::new();
        News {
            event: event(number, Status::Final { fee: 1, facts }),
            decides: Some(number.into()),
        }
    }

    fn seen(number: u64) -> Seen {
        let hash = Digest([number as u8; 32]);
        Seen { number, hash }
    }

    fn block(number: u64, news: Vec<News>) -> Read {
        Read {
            seen: seen(number),
            news,
        }
    }

    #[test]
    fn blocks_that_are_gone_take_with_them_what_they_said_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal");
        let (journal, _) = Journal::open(&file).unwrap();
        let intents: Vec<_> = (0..4).map(waiting).collect();
        journal.take_on(0, &intents).unwrap();
        journal.book(vec![block(7, vec![done(0)])]).unwrap();
        journal.book(vec![block(8, vec![done(1)])]).unwrap();
        let reason = Rejection::Fee;
        let refused = event(2, Status::Rejected { fee: 0, reason });
        journal.reject(2, 8, refused.clone()).unwrap();
        journal.book(vec![block(9, vec![done(3)])]).unwrap();

        let reopened = journal.rewind(seen(7)).unwrap();
        assert_eq!(reopened.0, [(1, waiting(1)), (3, waiting(3))].into());
        let status = |number| journal.status(&Digest([number; 32])).unwrap().unwrap();
        assert_eq!((status(1), status(3)), (None, None));
        assert_eq!(status(2).unwrap().status, refused.status);
        let told = |journal: &Journal| {
            let events = journal.events(0, 9).unwrap();
            let history = journal.history(&OWN.into(), u64::MAX, 9).unwrap();
            assert!(history.iter().rev().eq(&events));
            let told = events.iter();
            told.map(|event| (event.sequence, event.intent.0[0]))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&journal), [(1, 0), (2, 2)]);
        journal
            .book(vec![block(8, vec![done(1), done(3)])])
            .unwrap();
        assert_eq!(told(&journal), [(1, 0), (2, 2), (3, 1), (4, 3)]);
        drop(journal);
        let (journal, memory) = Journal::open(&file).unwrap();
        assert_eq!(memory.seen, Some(seen(8)));
        assert!(memory.queue.0.is_empty());
        assert_eq!(journal.rewind(seen(2)).unwrap().0.len(), 3);
        assert_eq!(told(&journal), [(1, 2)]);
        assert_eq!(journal.blocks().unwrap(), [seen(2)]);
    }

    #[test]
    fn commitment_is_not_left_to_be_made_again_by_who_dies_after_a_rewind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal");
        let (journal, _) = Journal::open(&file).unwrap();
        let (round, commitment) = (7, Digest([9; 32]));
        let [final_one, unsent] = [0, 3].map(|order| Waiting {
            call: Call::OnChain(Box::new(OnChain::Commit { round, commitment })),
            ..waiting(order)
        });
        let sent = Waiting {
            sent: Some(Sent {
                signer: OWN,
                nonce: 5,
                hash: Digest([5; 32]),
                bytes: Vec::new(),
                born: 8,
                dies: 71,
            }),
            ..waiting(2)
        };
        let intents = [final_one, waiting(1), sent, unsent];
        journal.take_on(0, &intents).unwrap();
        journal.book(vec![block(7, Vec::new())]).unwrap();
        let news = vec![done(0), done(1)];
        journal.book(vec![block(8, news)]).unwrap();
        journal.rewind(seen(7)).unwrap();
        drop(journal);
        let (journal, memory) = Journal::open(&file).unwrap();
        let orders: Vec<u64> = memory.queue.0.keys().copied().collect();
        assert_eq!(orders, [1, 2]);
        let uprooted = &memory.queue.0[&2];
        assert_eq!(
            (&uprooted.sent, &uprooted.past[..]),
            (&None, &[Digest([5; 32])][..])
        );
        for commit in [0, 3] {
            let told = journal.status(&Digest([commit; 32])).unwrap().unwrap();
            let reason = Rejection::Dropped;
            assert_eq!(told.unwrap().status, Status::Rejected { fee: 0, reason });
        }
    }

    #[test]
    fn page_is_bounded_however_much_an_event_says() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&folder.path().join("journal")).unwrap();
        let moved = Fact::Transferred {
            from: OWN.into(),
            to: OWN.into(),
            amount: 1,
        };
        let facts = vec![moved; 6_000];
        let long = |number| News {
            event: event(
                number,
                Status::Final {
                    fee: 0,
                    facts: facts.clone(),
                },
            ),
            decides: None,
        };
        let news = (0..4).map(long).collect();
        journal.book(vec![block(1, news)]).unwrap();
        let numbers = |page: Vec<Event>| {
            let numbers = page.into_iter().map(|event| event.sequence);
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(numbers(journal.events(0, 9).unwrap()), [1]);
        assert_eq!(numbers(journal.events(1, 9).unwrap()), [2]);
        let newest = |before| journal.history(&OWN.into(), before, 9).unwrap();
        assert_eq!(numbers(newest(u64::MAX)), [4]);
        assert_eq!(numbers(newest(4)), [3]);
        assert_eq!(numbers(newest(1)), [0; 0]);
    }

    #[test]
    fn damaged_file_is_named_and_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal");
        drop(Journal::open(&file).unwrap());
        let whole = fs::read(&file).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let garbage = vec![7; whole.len()];
        for damaged in [&garbage[..], &whole[..whole.len() / 2], b"short"] {
            fs::write(&file, damaged).unwrap();
            let error = Journal::open(&file).err().unwrap();
            let path = file.display().to_string();
            assert!(
                matches!(error, LedgerError::Journal { .. }) && error.to_string().contains(&path),
                "{error}"
            );
        }
    }

    #[test]
    fn old_blocks_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&folder.path().join("journal")).unwrap();
        journal.take_on(0, &[waiting(0)]).unwrap();
        journal.book(vec![block(0, vec![done(0)])]).unwrap();
        let rest = (1..=2 * KEPT).map(|number| block(number, Vec::new()));
        journal.book(rest.collect()).unwrap();
        assert_eq!(journal.blocks().unwrap().len() as u64, KEPT + 1);
        assert!(journal.rewind(seen(KEPT)).unwrap().0.is_empty());
        let status = journal.status(&Digest([0; 32])).unwrap();
        assert!(status.unwrap().is_some(), "what they said is not");
    }
}
