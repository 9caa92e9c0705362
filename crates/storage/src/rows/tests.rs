//! Rows over a disk that fails, or loses its power, at any moment.
#![allow(clippy::unwrap_used)] // a helper that fails fails the test

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

use super::{Row, Rows, RowsError, Table, file};

const ONE: Table = Table::new("one-1");
const TWO: Table = Table::new("two-1");
/// What a disk writes all of or nothing.
const SECTOR: usize = 512;
/// Batches of the workload.
const BATCHES: u32 = 8;

/// A disk in memory that knows what was made durable, and what was merely written.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Platters>>);

#[derive(Debug, Default)]
struct Platters {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Written since, in this order; a sector, or the length.
    since: Vec<Change>,
    /// Changes that succeed before one fails.
    left: Option<usize>,
    power: Power,
    changes: usize,
    syncs: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Power {
    /// One change fails, and the next one succeeds.
    #[default]
    Stays,
    /// From the change that fails on all fail.
    Goes,
}

#[derive(Clone, Debug)]
enum Change {
    Sector(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Sector(at, sector) => {
                let end = at + sector.len();
                // Its length may have been lost.
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(sector);
            }
            Self::Len(len) => bytes.resize(*len, 0),
        }
    }
}

impl Disk {
    fn failing(durable: Vec<u8>, left: usize, power: Power) -> Self {
        let disk = Self::of(durable);
        let mut platters = disk.lock();
        (platters.left, platters.power) = (Some(left), power);
        drop(platters);
        disk
    }

    fn of(durable: Vec<u8>) -> Self {
        let now = durable.clone();
        Self(Arc::new(Mutex::new(Platters {
            now,
            durable,
            ..Platters::default()
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }

    /// What is on the disk when the power comes back: of what was written since the last
    /// synchronisation, any part.
    fn after_power_loss(&self, seed: u64) -> Vec<u8> {
        let platters = self.lock();
        let mut bytes = platters.durable.clone();
        let mut random = seed;
        for change in &platters.since {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let survives = match seed {
                0 => false,
                1 => true,
                _ => random >> 63 == 0,
            };
            if survives {
                change.apply(&mut bytes);
            }
        }
        bytes
    }
}

impl Platters {
    fn change(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.left {
            Some(0) if self.power == Power::Goes => Err(io::Error::other("no power")),
            Some(0) => {
                self.left = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.since.push(change);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (platters, at) = (self.lock(), offset as usize);
        let there = platters.now.get(at..at + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platters = self.lock();
        platters.change()?;
        platters.write(Change::Len(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.lock();
        platters.change()?;
        platters.durable = platters.now.clone();
        platters.since.clear();
        platters.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platters = self.lock();
        platters.change()?;
        let mut at = offset as usize;
        let mut rest = data;
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            platters.write(Change::Sector(at, sector.to_vec()));
            (at, rest) = (at + sector.len(), after);
        }
        Ok(())
    }
}

fn empty() -> Vec<u8> {
    let disk = Disk::default();
    file::create_over(disk.clone(), None).unwrap();
    disk.after_power_loss(0)
}

fn open(disk: &Disk) -> Result<Rows, RowsError> {
    Rows::over(
        file::open_over(disk.clone(), Path::new("disk"), None)?,
        None,
    )
}

/// The `i`th batch: in two tables, over more than one page, with changes and removals.
fn batch(i: u32) -> Vec<Row> {
    let row = |table, key: u32, value: Option<usize>| Row {
        table,
        key: key.to_be_bytes().to_vec(),
        value: value.map(|len| vec![i as u8; len]),
    };
    let mut rows: Vec<_> = (0..8)
        .map(|k| row(ONE, i * 8 + k, Some(100 * (k as usize + i as usize))))
        .collect();
    rows.push(row(TWO, 0, Some(4)));
    rows.extend(i.checked_sub(3).map(|gone| row(ONE, gone * 8 + 1, None)));
    rows.extend(
        i.checked_sub(2)
            .map(|changed| row(ONE, changed * 8 + 2, Some(9_000))),
    );
    rows
}

type Contents = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// What is there after each number of batches.
fn expected() -> Vec<Contents> {
    let mut states = vec![Contents::new()];
    for i in 0..BATCHES {
        let mut state = states[i as usize].clone();
        for Row { table, key, value } in batch(i) {
            match value {
                Some(value) => state.insert((table, key), value),
                None => state.remove(&(table, key)),
            };
        }
        states.push(state);
    }
    states
}

fn contents(rows: &Rows) -> Contents {
    let of = |table| {
        let loaded = rows.load_all(table).unwrap();
        loaded.map(move |row| row.map(|(key, value)| ((table, key), value)).unwrap())
    };
    of(ONE).chain(of(TWO)).collect()
}

/// Hands in the batches, two at a time. How many were acknowledged, and whether all of them were.
fn work(disk: &Disk) -> (usize, bool) {
    let Ok(rows) = open(disk) else {
        return (0, false);
    };
    let mut acknowledged = 0;
    let mut failed = false;
    for i in (0..BATCHES).step_by(2) {
        let handed_in = [rows.submit(batch(i)), rows.submit(batch(i + 1))];
        for pending in handed_in {
            match pending.and_then(super::Pending::wait) {
                Ok(()) => {
                    assert!(!failed, "a batch was written after one that was not");
                    acknowledged += 1;
                }
                Err(_) => failed = true,
            }
        }
    }
    (acknowledged, !failed)
}

#[track_caller]
fn check(disk: Vec<u8>, acknowledged: usize, expected: &[Contents], when: &str) {
    let rows = open(&Disk::of(disk)).unwrap_or_else(|error| panic!("{when}: {error}"));
    let found = contents(&rows);
    let is_there = expected[acknowledged..].contains(&found);
    assert!(is_there, "{when}: {acknowledged} batches were acknowledged");
}

#[test]
fn acknowledged_batches_survive_a_power_loss_at_every_write() {
    let (empty, expected) = (empty(), expected());
    let mut acknowledged_before_the_end = 0;
    for at in 0.. {
        let disk = Disk::failing(empty.clone(), at, Power::Goes);
        let (acknowledged, all) = work(&disk);
        acknowledged_before_the_end += acknowledged % BATCHES as usize;
        for seed in 0..3 {
            let left = disk.after_power_loss(seed * (at as u64 + 1));
            check(
                left,
                acknowledged,
                &expected,
                &format!("write {at}, seed {seed}"),
            );
        }
        if all && disk.lock().left != Some(0) {
            break;
        }
    }
    assert!(
        acknowledged_before_the_end > 100,
        "the power went too early"
    );
}

#[test]
fn no_batch_is_written_after_one_that_failed_and_all_acknowledged_ones_are_there() {
    let (empty, expected) = (empty(), expected());
    for at in 0.. {
        let disk = Disk::failing(empty.clone(), at, Power::Stays);
        let (acknowledged, _) = work(&disk);
        let now = disk.lock().now.clone();
        check(now, acknowledged, &expected, &format!("write {at}"));
        if disk.lock().left.is_some() {
            break;
        }
    }
}

#[test]
fn a_full_disk_is_told_as_one_to_all_who_wait_and_to_all_who_come_later() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    rows.commit(batch(0)).unwrap();
    disk.lock().left = Some(0);
    let first = rows.submit(batch(1)).unwrap();
    let error = first.wait().expect_err("the disk fails");
    assert!(matches!(error, RowsError::DiskFull { .. }), "{error}");
    let error = rows.commit(batch(2)).expect_err("the disk fails");
    assert!(matches!(error, RowsError::DiskFull { .. }), "{error}");
    assert_eq!(contents(&rows), expected()[1], "what is there can be read");
}

#[test]
fn a_hundred_waiting_batches_cost_as_many_synchronisations_as_one() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    let syncs = || disk.lock().syncs;
    // Small ones, for which the file need not grow: that costs a synchronisation too.
    (0..20).for_each(|i| rows.commit(small(i)).unwrap());
    let before = syncs();
    rows.commit(small(0)).unwrap();
    let one = syncs() - before;
    assert_eq!(one, 1);

    // The writer cannot go on with the first while the disk is held.
    let held = disk.lock();
    let pending: Vec<_> = (0..101).map(|i| rows.submit(small(i)).unwrap()).collect();
    drop(held);
    for pending in pending {
        pending.wait().unwrap();
    }
    // The first alone, or with some of the others, then the rest.
    let all = syncs() - before - one;
    assert!((1..=2).contains(&all), "{all}");
}

#[test]
fn any_damage_is_an_error_or_changes_nothing() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    for i in 0..4 {
        rows.commit(batch(i)).unwrap();
    }
    drop(rows);
    let (whole, expected) = (disk.lock().durable.clone(), expected());
    let mut found = 0;
    for at in (0..whole.len()).filter(|at| *at < 600 || at % 997 == 0) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        match open(&Disk::of(bytes)) {
            Ok(rows) => assert_eq!(contents(&rows), expected[4], "byte {at}"),
            Err(error) => {
                found += 1;
                let is_named = matches!(
                    error,
                    RowsError::Damaged(_) | RowsError::NotRows(_) | RowsError::Version { .. }
                );
                assert!(is_named, "byte {at}: {error}");
            }
        }
    }
    for len in (0..whole.len()).step_by(4096 * 7 + 1) {
        let cut = open(&Disk::of(whole[..len].to_vec()));
        let error = cut.expect_err("bytes are missing");
        let is_named = matches!(error, RowsError::Damaged(_) | RowsError::NotRows(_));
        assert!(is_named, "{len} bytes: {error:?}");
        let said = error.to_string();
        assert!(
            said.contains("`disk`") && said.contains("move it away"),
            "{said}"
        );
    }
    assert!(found > 20, "{found}");
}

/// One row.
fn small(key: u8) -> Vec<Row> {
    let (key, value) = (vec![key], Some(vec![key]));
    vec![Row {
        table: ONE,
        key,
        value,
    }]
}

#[test]
fn a_batch_that_nobody_waits_for_goes_with_the_next_one_and_before_it() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    rows.commit(small(1)).unwrap();
    let before = disk.lock().syncs;
    rows.commit(small(2)).unwrap();
    let one = disk.lock().syncs - before;
    // However late this thread is: if it is written by itself before the next one is handed in, that
    // was a fifth of a second later, which does not happen a hundred times in a row.
    let together = (0..100).any(|i| {
        let before = disk.lock().syncs;
        rows.submit_later(small(100 + i)).unwrap();
        rows.commit(small(3)).unwrap();
        disk.lock().syncs - before == one
    });
    assert!(together, "each had a transaction of its own");
    let first = ((ONE, vec![100]), vec![100]);
    let is_there = contents(&rows).into_iter().any(|row| row == first);
    assert!(is_there, "the later batch is there without the earlier one");
}

#[test]
fn a_batch_that_nobody_waits_for_is_written_in_the_end() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    rows.submit_later(small(1)).unwrap();
    let start = std::time::Instant::now();
    while contents(&rows).is_empty() {
        assert!(start.elapsed().as_secs() < 60, "it never is");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    rows.submit_later(small(2)).unwrap();
    drop(rows);
    let left = open(&Disk::of(disk.after_power_loss(0))).unwrap();
    assert_eq!(contents(&left).len(), 2, "who closes it writes what waits");
}

#[test]
fn batches_that_nobody_waits_for_leave_room_for_others() {
    let disk = Disk::of(empty());
    let rows = open(&disk).unwrap();
    for i in 0..3_000u32 {
        let mut batch = small(0);
        batch[0].key = i.to_be_bytes().to_vec();
        rows.submit_later(batch).unwrap();
    }
    rows.commit(small(1)).unwrap();
    assert_eq!(contents(&rows).len(), 3_001);
}
