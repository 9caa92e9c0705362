//! What rows promise: batches whole and in order, durable when acknowledged, clear errors.

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use opensky_storage::{Row, Rows, RowsError, SealKey, Table};
use proptest::prelude::*;
use redb::ReadableTable;
use tempfile::TempDir;

use crate::{again, samples::key};

const UNITS: Table = Table::new("units-1");
const LEASES: Table = Table::new("leases-12");

fn put(table: Table, key: &[u8], value: &[u8]) -> Row {
    let (key, value) = (key.to_vec(), Some(value.to_vec()));
    Row { table, key, value }
}

fn gone(table: Table, key: &[u8]) -> Row {
    let (key, value) = (key.to_vec(), None);
    Row { table, key, value }
}

fn load(rows: &Rows, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    rows.load_all(table).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_is_committed_comes_back_sorted_and_after_opening_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/rows");
    let rows = Rows::open(&path).unwrap();
    rows.commit(vec![
        put(UNITS, b"b", b"2"),
        put(UNITS, b"a", b"1"),
        put(LEASES, b"", b""),
    ])
    .unwrap();
    // The later change of a row counts, and what is not there may be removed.
    rows.commit(vec![
        put(UNITS, b"a", b"x"),
        gone(UNITS, b"b"),
        put(UNITS, b"a", b"y"),
        gone(UNITS, b"c"),
    ])
    .unwrap();
    rows.commit(vec![]).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(rows);
    let rows = Rows::open(&path).unwrap();
    assert_eq!(load(&rows, UNITS), [(b"a".to_vec(), b"y".to_vec())]);
    assert_eq!(load(&rows, LEASES), [(vec![], vec![])]);
    assert_eq!(load(&rows, Table::new("other-1")), []);
}

#[test]
fn names_without_a_version_are_refused() {
    for name in [
        "", "units", "units-", "-1", "1", "Units-1", "uni ts-1", "units_1", "units-1x",
    ] {
        assert!(
            std::panic::catch_unwind(|| Table::new(name)).is_err(),
            "{name}"
        );
    }
    assert_eq!(Table::new("a-2-b-10").name(), "a-2-b-10");
}

#[test]
fn batches_of_one_thread_keep_their_order_among_those_of_many() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let rows = Rows::open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let rows = &rows;
            scope.spawn(move || {
                let hand_in = |i: u32| {
                    rows.submit(vec![
                        put(UNITS, &[thread], &i.to_be_bytes()),
                        put(LEASES, &[&[thread][..], &i.to_be_bytes()].concat(), b""),
                    ])
                };
                let pending: Vec<_> = (0..300).map(hand_in).collect();
                for pending in pending {
                    pending.unwrap().wait().unwrap();
                }
            });
        }
    });
    // The last of each was written last.
    for (_, last) in load(&rows, UNITS) {
        assert_eq!(last, 299u32.to_be_bytes());
    }
    assert_eq!(load(&rows, LEASES).len(), 8 * 300);
}

#[test]
fn dropping_waits_for_what_was_handed_in() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let rows = Rows::open(&path).unwrap();
    for i in 0..50u8 {
        drop(rows.submit(vec![put(UNITS, &[i], b"")]).unwrap());
    }
    drop(rows);
    assert_eq!(load(&Rows::open(&path).unwrap(), UNITS).len(), 50);
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_task_is_woken_when_its_batch_is_durable() {
    let folder = TempDir::new().unwrap();
    let rows = Rows::open(&folder.path().join("rows")).unwrap();
    let woken = std::sync::Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let mut pending = Box::pin(rows.submit(vec![put(UNITS, b"a", b"")]).unwrap());
    let polled = pending.as_mut().poll(&mut context);
    rows.commit(vec![]).unwrap();
    if polled.is_pending() {
        assert_eq!(woken.0.load(Relaxed), 1);
    }
    let polled = pending.as_mut().poll(&mut context);
    assert!(matches!(polled, Poll::Ready(Ok(()))));
}

#[test]
fn a_batch_that_could_never_wait_is_refused_and_the_next_one_is_not() {
    let folder = TempDir::new().unwrap();
    let rows = Rows::open(&folder.path().join("rows")).unwrap();
    let large = vec![0; (64 << 20) + 1];
    let error = rows.commit(vec![put(UNITS, b"", &large)]).unwrap_err();
    assert!(matches!(error, RowsError::TooLarge { .. }), "{error}");
    rows.commit(vec![put(UNITS, b"", &large[..1 << 20])])
        .unwrap();
}

#[test]
fn rows_are_open_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let first = Rows::open(&path).unwrap();
    let error = Rows::open(&path).unwrap_err();
    assert!(
        matches!(&error, RowsError::InUse(p) if *p == path),
        "{error}"
    );
    drop(first);
    Rows::open(&path).unwrap();
}

#[test]
fn one_of_many_that_make_the_same_file_has_it_and_nothing_else_is_left() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    fs::write(folder.path().join("rows.new-1-1"), "of one that died").unwrap();
    std::thread::scope(|scope| {
        let one = || loop {
            match Rows::open(&path) {
                Ok(rows) => return rows.commit(vec![put(UNITS, b"a", b"")]).unwrap(),
                Err(RowsError::InUse(_)) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        };
        for _ in 0..6 {
            scope.spawn(one);
        }
    });
    drop(Rows::open(&path).unwrap());
    let names = fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["rows"]);
}

#[test]
fn what_is_no_file_of_rows_is_refused_by_name_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    for other in [&b""[..], b"x", &[7; 100_000], &[0; 8192]] {
        fs::write(&path, other).unwrap();
        let error = Rows::open(&path).unwrap_err();
        assert!(matches!(error, RowsError::NotRows(_)), "{error}");
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), other);
    }
    fs::remove_file(&path).unwrap();
    let other = redb::Database::create(&path).unwrap();
    let transaction = other.begin_write().unwrap();
    let table = redb::TableDefinition::<u64, u64>::new("about");
    transaction.open_table(table).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(other);
    let error = Rows::open(&path).unwrap_err();
    assert!(matches!(error, RowsError::NotRows(_)), "{error}");
}

#[test]
fn rows_of_another_version_say_which_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    drop(Rows::open(&path).unwrap());
    let file = redb::Database::open(&path).unwrap();
    let transaction = file.begin_write().unwrap();
    let table = redb::TableDefinition::<&str, &str>::new("about");
    let mut about = transaction.open_table(table).unwrap();
    about.insert("opensky rows", "7").unwrap();
    drop(about);
    transaction.commit().unwrap();
    drop(file);
    let error = Rows::open(&path).unwrap_err();
    assert!(matches!(error, RowsError::Version { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("version 7") && text.contains("version 1"),
        "{text}"
    );
}

#[test]
fn damaged_rows_are_an_error_that_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let rows = Rows::open(&path).unwrap();
    let many = (0..2_000u32).map(|i| put(UNITS, &i.to_be_bytes(), &[9; 200]));
    rows.commit(many.collect()).unwrap();
    drop(rows);
    let bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(200)
        .position(|bytes| bytes == [9; 200])
        .unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(at as u64 + 50)).unwrap();
    file.write_all(&[8]).unwrap();
    let error = Rows::open(&path).unwrap_err();
    assert!(matches!(error, RowsError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("put back a copy"), "{error}");
}

const SECRET: &[u8] = b"arguments of a job that nobody else should know";

#[test]
fn values_of_sealed_rows_are_not_on_the_disk_and_come_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let rows = Rows::open_sealed(&path, &key()).unwrap();
    rows.commit(vec![put(UNITS, b"u-1", SECRET), put(LEASES, b"", b"")])
        .unwrap();
    rows.commit(vec![
        put(UNITS, b"u-2", &SECRET.repeat(300)),
        gone(UNITS, b"u-3"),
    ])
    .unwrap();
    drop(rows);
    let bytes = fs::read(&path).unwrap();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|found| found == needle);
    assert!(has(b"u-1") && !has(&SECRET[..16]) && !has(&SECRET[20..]) && !has(&[7; 32]));
    let rows = Rows::open_sealed(&path, &key()).unwrap();
    let expected = [
        (b"u-1".to_vec(), SECRET.to_vec()),
        (b"u-2".to_vec(), SECRET.repeat(300)),
    ];
    assert_eq!(load(&rows, UNITS), expected);
    assert_eq!(load(&rows, LEASES), [(vec![], vec![])]);
}

#[test]
fn rows_are_opened_with_the_key_they_were_made_with() {
    let folder = TempDir::new().unwrap();
    let [sealed, plain] = ["sealed", "plain"].map(|name| folder.path().join(name));
    drop(Rows::open_sealed(&sealed, &key()).unwrap());
    drop(Rows::open(&plain).unwrap());
    for opened in [
        Rows::open(&sealed),
        Rows::open_sealed(&sealed, &SealKey::from_bytes([8; 32])),
        Rows::open_sealed(&plain, &key()),
    ] {
        let error = opened.unwrap_err();
        assert!(matches!(error, RowsError::WrongKey(_)), "{error}");
    }
    drop(Rows::open_sealed(&sealed, &key()).unwrap());
    drop(Rows::open(&plain).unwrap());
}

type Meddler = fn(&mut redb::Table<&'static [u8], &'static [u8]>);

/// Writes to the file of rows as somebody who has no key.
fn meddle(path: &Path, change: Meddler) {
    let file = redb::Database::open(path).unwrap();
    let transaction = file.begin_write().unwrap();
    let table = redb::TableDefinition::new(UNITS.name());
    change(&mut transaction.open_table(table).unwrap());
    transaction.commit().unwrap();
}

#[test]
fn sealed_rows_that_were_changed_or_moved_do_not_open() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows");
    let meddlers: [Meddler; 3] = [
        |table| {
            let mut value = table.get(&b"a"[..]).unwrap().unwrap().value().to_vec();
            value[30] ^= 1;
            table.insert(&b"a"[..], &value[..]).unwrap();
        },
        |table| {
            let value = table.get(&b"a"[..]).unwrap().unwrap().value().to_vec();
            table.insert(&b"b"[..], &value[..]).unwrap();
        },
        |table| drop(table.insert(&b"a"[..], &b"short"[..]).unwrap()),
    ];
    for meddler in meddlers {
        let rows = Rows::open_sealed(&path, &key()).unwrap();
        rows.commit(vec![put(UNITS, b"a", SECRET), put(UNITS, b"b", SECRET)])
            .unwrap();
        drop(rows);
        meddle(&path, meddler);
        let rows = Rows::open_sealed(&path, &key()).unwrap();
        let loaded: Result<Vec<_>, _> = rows.load_all(UNITS).unwrap().collect();
        let error = loaded.unwrap_err();
        assert!(matches!(error, RowsError::Damaged(_)), "{error}");
        assert!(error.to_string().contains("units-1"), "{error}");
    }
}

/// One change: the row's number in one of two tables, and how long its value is.
type Change = (bool, u8, Option<u16>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_are_what_a_map_would_be(
        batches in proptest::collection::vec(
            proptest::collection::vec(any::<Change>(), 0..20), 1..12),
        reopen in 0..12usize,
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rows");
        let mut rows = Some(Rows::open(&path).unwrap());
        let mut model = BTreeMap::new();
        for (i, batch) in batches.iter().enumerate() {
            let changes = batch.iter().map(|(first, key, len)| Row {
                table: if *first { UNITS } else { LEASES },
                key: vec![*key],
                value: len.map(|len| vec![i as u8; len.into()]),
            });
            for row in changes.clone() {
                match row.value {
                    Some(value) => model.insert((row.table, row.key), value),
                    None => model.remove(&(row.table, row.key)),
                };
            }
            rows.as_ref().unwrap().commit(changes.collect()).unwrap();
            if i == reopen {
                drop(rows.take());
                rows = Some(Rows::open(&path).unwrap());
            }
        }
        for table in [UNITS, LEASES] {
            let expected = model.iter().filter(|((of, _), _)| *of == table);
            let expected: Vec<_> = expected.map(|((_, key), value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(load(rows.as_ref().unwrap(), table), expected);
        }
    }
}

/// Hands in batches from several threads until it is killed, and notes what was acknowledged.
fn write_for_ever(folder: &Path) -> ! {
    let rows = Rows::open(&folder.join("rows")).unwrap();
    let next = load(&rows, UNITS);
    again::say_ready(folder);
    std::thread::scope(|scope| {
        for thread in 0..3u8 {
            let (rows, next) = (&rows, &next);
            scope.spawn(move || {
                let is_mine = |(key, _): &&(Vec<u8>, Vec<u8>)| key[..] == [thread];
                let first = next.iter().find(is_mine).map_or(0, |(_, value)| {
                    u64::from_be_bytes(value[..].try_into().unwrap()) + 1
                });
                for i in first.. {
                    let number = i.to_be_bytes();
                    let spread = (0..5).map(|k| put(LEASES, &[thread, k], &number));
                    let last = put(UNITS, &[thread], &number);
                    rows.commit(spread.chain([last]).collect()).unwrap();
                    let note = folder.join(format!("acknowledged-{thread}"));
                    fs::write(note.with_extension("new"), number).unwrap();
                    fs::rename(note.with_extension("new"), note).unwrap();
                }
            });
        }
    });
    unreachable!("the loops have no end")
}

#[test]
fn a_writer_killed_at_any_moment_leaves_whole_batches_and_keeps_its_promises() {
    const ME: &str =
        "rows::a_writer_killed_at_any_moment_leaves_whole_batches_and_keeps_its_promises";
    if let Some(folder) = again::folder() {
        write_for_ever(&folder);
    }
    let folder = TempDir::new().unwrap();
    let mut reached = 0;
    for round in 0..40u64 {
        let after = Duration::from_micros(997 * round);
        again::kill(ME, folder.path(), round >= 8, after);

        let rows = Rows::open(&folder.path().join("rows")).unwrap();
        let spread: BTreeMap<_, _> = load(&rows, LEASES).into_iter().collect();
        for (thread, last) in load(&rows, UNITS) {
            for k in 0..5 {
                assert_eq!(spread[&vec![thread[0], k]], last, "round {round}");
            }
            let note = folder.path().join(format!("acknowledged-{}", thread[0]));
            if let Ok(acknowledged) = fs::read(note) {
                assert!(acknowledged <= last, "round {round}");
                reached = reached.max(u64::from_be_bytes(last[..].try_into().unwrap()));
            }
        }
    }
    assert!(reached > 20, "no writer ever came to write: {reached}");
}

/// Writes until there is no room; what was acknowledged is there when it is opened again.
fn fill(folder: &Path) {
    let path = folder.join("rows");
    let rows = match Rows::open(&path) {
        Ok(rows) => rows,
        Err(error) => panic!("{error}"),
    };
    let mut acknowledged = 0u32;
    let error = loop {
        let key = acknowledged.to_be_bytes();
        match rows.commit(vec![put(UNITS, &key, &[1; 50_000])]) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RowsError::DiskFull { .. }), "{error}");
    let error = rows.commit(vec![put(UNITS, b"", b"")]).unwrap_err();
    assert!(matches!(error, RowsError::DiskFull { .. }), "{error}");
    drop(rows);
    let rows = Rows::open(&path).unwrap();
    assert!(acknowledged > 0 && load(&rows, UNITS).len() as u32 >= acknowledged);
}

#[test]
fn rows_that_the_system_cuts_short_keep_what_was_acknowledged() {
    const ME: &str = "rows::rows_that_the_system_cuts_short_keep_what_was_acknowledged";
    if let Some(folder) = again::folder() {
        return fill(&folder);
    }
    let folder = TempDir::new().unwrap();
    again::with_short_files(ME, folder.path(), 8000);
}

#[test]
fn rows_on_a_full_disk_keep_what_was_acknowledged() {
    const ME: &str = "rows::rows_on_a_full_disk_keep_what_was_acknowledged";
    if let Some(folder) = again::folder() {
        return fill(&folder);
    }
    let folder = TempDir::new().unwrap();
    again::on_small_disk(ME, folder.path(), 6);
}

#[test]
fn prefix_gives_its_own_rows_and_no_others() {
    let folder = TempDir::new().unwrap();
    let rows = Rows::open(&folder.path().join("rows")).unwrap();
    let keys: [&[u8]; 7] = [
        &[],
        &[1],
        &[1, 255],
        &[1, 255, 0],
        &[2],
        &[255],
        &[255, 255, 7],
    ];
    let row = |key: &&[u8]| Row {
        table: UNITS,
        key: key.to_vec(),
        value: Some(vec![7]),
    };
    rows.commit(keys.iter().map(row).collect()).unwrap();
    for prefix in [&[][..], &[1], &[1, 255], &[2], &[3], &[255], &[255, 255]] {
        let loaded = rows.load(UNITS, prefix).unwrap().map(Result::unwrap);
        let loaded: Vec<_> = loaded.map(|(key, _)| key).collect();
        let expected = keys.iter().filter(|key| key.starts_with(prefix));
        let expected: Vec<_> = expected.map(|key| key.to_vec()).collect();
        assert_eq!(loaded, expected, "{prefix:?}");
    }
}
