//! What is collected, and what never is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use opensky_protocol::Digest;
use opensky_storage::{Collected, Keep, PinError, Pins, Receiving, Rows, Store};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::samples::key;

const MINUTE: Duration = Duration::from_secs(60);
const ALL: Keep = Keep {
    unused: Duration::from_secs(365 * 86_400),
    most: u64::MAX,
};

struct Node {
    folder: TempDir,
    store: Arc<Store>,
    pins: Arc<Pins>,
}

fn open(folder: &Path) -> (Arc<Store>, Arc<Pins>) {
    let store = Arc::new(Store::open_sealed(&folder.join("store"), &key()).unwrap());
    let rows = Arc::new(Rows::open(&folder.join("rows")).unwrap());
    let pins = Pins::open(store.clone(), rows).unwrap();
    (store, Arc::new(pins))
}

fn node() -> Node {
    let folder = TempDir::new().unwrap();
    let (store, pins) = open(folder.path());
    Node {
        folder,
        store,
        pins,
    }
}

impl Node {
    /// The files of blobs.
    fn files(&self) -> BTreeSet<PathBuf> {
        let folders = fs::read_dir(self.folder.path().join("store/sealed-1")).unwrap();
        let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Puts a blob of 1,000 bytes that was used last so many minutes ago.
    fn put(&self, number: u8, minutes: u32) -> Digest {
        let before = self.files();
        let digest = self.store.put(&[number; 1000]).unwrap();
        for file in self.files().difference(&before) {
            used_before(file, minutes);
        }
        digest
    }

    fn there(&self) -> BTreeSet<Digest> {
        let list = self.store.list().unwrap();
        list.into_iter().map(|(digest, _)| digest).collect()
    }

    fn collect(&self, keep: &Keep) -> Collected {
        self.pins.collect(SystemTime::now(), keep).unwrap()
    }
}

fn used_before(file: &Path, minutes: u32) {
    let file = fs::File::open(file).unwrap();
    file.set_modified(SystemTime::now() - minutes * MINUTE)
        .unwrap();
}

/// Bytes on disk of a blob of 1,000 bytes.
const ON_DISK: u64 = 1000 + 16 + 83;

fn soon() -> SystemTime {
    SystemTime::now() + MINUTE
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_no_more_than_must() {
    let node = node();
    let [_, new, newest, _] = [(1, 30), (2, 20), (3, 10), (4, 40)].map(|(n, m)| node.put(n, m));
    assert_eq!(node.collect(&ALL), Collected::default());
    let keep = Keep {
        most: 2 * ON_DISK,
        ..ALL
    };
    let expected = Collected {
        blobs: 2,
        parts: 0,
        bytes: 2 * ON_DISK,
    };
    assert_eq!(node.collect(&keep), expected);
    assert_eq!(node.there(), [new, newest].into());
    assert_eq!(node.collect(&keep), Collected::default());
}

#[test]
fn what_was_not_used_for_long_goes_though_there_is_room() {
    let node = node();
    node.put(1, 30);
    let kept = node.put(2, 20);
    let keep = Keep {
        unused: 25 * MINUTE,
        ..ALL
    };
    assert_eq!(node.collect(&keep).blobs, 1);
    assert_eq!(node.there(), [kept].into());
}

#[test]
fn reading_and_putting_again_are_uses() {
    let node = node();
    let [read, opened, put] = [1, 2, 3].map(|number| node.put(number, 30));
    node.put(4, 30);
    node.store.get(&read).unwrap();
    drop(node.store.blob(&opened).unwrap());
    node.store.put(&[3; 1000]).unwrap();
    let keep = Keep {
        unused: 25 * MINUTE,
        ..ALL
    };
    assert_eq!(node.collect(&keep).blobs, 1);
    assert_eq!(node.there(), [read, opened, put].into());
}

#[test]
fn nothing_that_is_open_or_pinned_goes() {
    let node = node();
    let [pinned, open, other] = [1, 2, 3].map(|number| node.put(number, 30));
    node.pins.pin(&[pinned], "j-1", soon()).unwrap();
    let readers = [
        node.store.blob(&open).unwrap(),
        node.store.blob(&open).unwrap(),
    ];
    let nothing = Keep {
        unused: Duration::ZERO,
        most: 0,
    };
    // Its clock may be a little before that of the file.
    let now = SystemTime::now() + MINUTE / 2;
    let collect = |keep| node.pins.collect(now, keep).unwrap();
    assert_eq!(collect(&nothing).blobs, 1);
    assert!(!node.store.has(&other));
    let [first, second] = readers;
    drop(first);
    assert_eq!(collect(&nothing).blobs, 0);
    assert_eq!(second.read_at(0, &mut [0; 5]).unwrap(), 5);
    drop(second);
    assert_eq!(collect(&nothing).blobs, 1);
    assert_eq!(node.there(), [pinned].into());
    node.pins.release(&[pinned], "another job").unwrap();
    assert_eq!(collect(&nothing).blobs, 0);
    node.pins.release(&[pinned, other], "j-1").unwrap();
    assert_eq!(collect(&nothing).blobs, 1);
    assert_eq!(node.there(), [].into());
}

#[test]
fn a_pin_holds_until_its_time_for_each_reason_and_over_a_restart() {
    let Node {
        folder,
        store,
        pins,
    } = node();
    let digest = store.put(b"blob").unwrap();
    let now = SystemTime::now();
    pins.pin(&[digest], "j-1", now + 10 * MINUTE).unwrap();
    pins.pin(&[digest], "j-1", now + 5 * MINUTE).unwrap();
    pins.pin(&[digest], "d-7", now + 20 * MINUTE).unwrap();
    let reasons = |pins: &Pins| -> Vec<String> {
        pins.of(&digest)
            .into_iter()
            .map(|(reason, _)| reason)
            .collect()
    };
    assert_eq!(reasons(&pins), ["d-7", "j-1"]);
    drop((store, pins));
    let (store, pins) = open(folder.path());
    assert_eq!(reasons(&pins), ["d-7", "j-1"]);
    assert_eq!(pins.of(&Digest::of(b"other")), []);
    let nothing = Keep {
        unused: Duration::ZERO,
        most: 0,
    };
    pins.collect(now + 6 * MINUTE, &nothing).unwrap();
    assert_eq!(reasons(&pins), ["d-7"]);
    assert!(store.has(&digest));
    pins.collect(now + 20 * MINUTE, &nothing).unwrap();
    assert!(!store.has(&digest));
    drop((store, pins));
    let (_, pins) = open(folder.path());
    assert_eq!(pins.of(&digest), []);
}

#[test]
fn pins_are_bounded_and_all_of_a_call_are_held_or_none() {
    let node = node();
    let digests = |from: usize, count: usize| -> Vec<Digest> {
        (from..from + count)
            .map(|n| Digest::of(&n.to_le_bytes()))
            .collect()
    };
    node.pins
        .pin(&digests(0, Pins::MOST - 1), "j-1", soon())
        .unwrap();
    let more = digests(Pins::MOST, 2);
    let error = node.pins.pin(&more, "j-1", soon()).unwrap_err();
    assert!(matches!(error, PinError::TooMany { .. }), "{error}");
    assert_eq!(node.pins.of(&more[0]), []);
    node.pins.pin(&more[..1], "j-1", soon()).unwrap();
    node.pins.pin(&more[..1], "j-1", soon()).unwrap();
    assert!(node.pins.pin(&more[1..], "j-1", soon()).is_err());
    node.pins.release(&more[..1], "j-1").unwrap();
    node.pins.pin(&more[1..], "j-1", soon()).unwrap();

    let long = "x".repeat(Pins::LONGEST_REASON + 1);
    let error = node.pins.pin(&more[..1], &long, soon()).unwrap_err();
    assert!(matches!(error, PinError::Reason { .. }), "{error}");
}

#[test]
fn the_rows_do_not_tell_what_is_pinned() {
    let Node {
        folder,
        store,
        pins,
    } = node();
    let digest = Digest::of(b"a blob");
    pins.pin(&[digest], "j-1", soon()).unwrap();
    drop((store, pins));
    let rows = fs::read(folder.path().join("rows")).unwrap();
    assert!(!rows.windows(32).any(|found| found == digest.0));
    assert!(rows.windows(3).any(|found| found == b"j-1"));
}

#[test]
fn what_is_collected_is_given_back_to_the_quota() {
    let folder = TempDir::new().unwrap();
    let store = Store::open_sealed(&folder.path().join("store"), &key()).unwrap();
    let store = Arc::new(store.with_quota(2 * ON_DISK).unwrap());
    let rows = Arc::new(Rows::open(&folder.path().join("rows")).unwrap());
    let pins = Pins::open(store.clone(), rows).unwrap();
    for number in 0..10u8 {
        while store.put(&[number; 1000]).is_err() {
            let keep = Keep {
                most: ON_DISK,
                ..ALL
            };
            let collected = pins.collect(SystemTime::now(), &keep).unwrap();
            assert_eq!(collected.blobs, 1);
        }
    }
    assert_eq!(store.list().unwrap().len(), 2);
}

#[test]
fn old_parts_go_unless_somebody_receives_them() {
    let node = node();
    let receive = |number: u8| {
        let len = Receiving::PIECE;
        let receiving = node.store.receive(&Digest::of(&[number]), len).unwrap();
        receiving.write_at(0, &vec![number; len as usize]).unwrap();
        receiving
    };
    drop(receive(1));
    let received = receive(2);
    let parts = node.folder.path().join("store/partial-1");
    for part in fs::read_dir(&parts).unwrap() {
        used_before(&part.unwrap().path(), 30);
    }
    drop(receive(3));
    let keep = Keep {
        unused: 25 * MINUTE,
        ..ALL
    };
    let expected = Collected {
        blobs: 0,
        parts: 1,
        bytes: Receiving::PIECE + 16 + 83,
    };
    assert_eq!(node.collect(&keep), expected);
    assert_eq!(fs::read_dir(&parts).unwrap().count(), 2);
    // They take room, though they are not collected for it.
    let blob = node.put(1, 30);
    assert_eq!(
        node.collect(&Keep {
            most: Receiving::PIECE,
            ..ALL
        })
        .blobs,
        1
    );
    assert!(!node.store.has(&blob));
    received.discard().unwrap();
}

#[test]
fn many_threads_pin_read_and_collect_at_once() {
    let node = node();
    let nothing = Keep {
        unused: Duration::ZERO,
        most: 0,
    };
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let node = &node;
            scope.spawn(move || {
                for round in 0..30u8 {
                    let bytes = [thread, round].repeat(500);
                    let digest = Digest::of(&bytes);
                    let reason = format!("j-{thread}");
                    node.pins.pin(&[digest], &reason, soon()).unwrap();
                    node.store.put(&bytes).unwrap();
                    node.pins.collect(SystemTime::now(), &nothing).unwrap();
                    assert_eq!(node.store.get(&digest).unwrap(), bytes);
                    node.pins.release(&[digest], &reason).unwrap();
                }
            });
        }
    });
    node.pins.collect(soon(), &nothing).unwrap();
    assert_eq!(node.there(), [].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_collection_is_what_a_list_would_be(
        blobs in proptest::collection::vec((2..200u32, any::<bool>(), any::<bool>()), 0..12),
        unused in 1..250u32,
        most in 0..14u64,
    ) {
        let node = node();
        let mut readers = Vec::new();
        let mut expected = Vec::new();
        for (number, (minutes, pinned, opened)) in blobs.iter().enumerate() {
            // No two at the same time.
            let minutes = minutes * 20 + number as u32;
            let before = node.files();
            let digest = node.put(number as u8, minutes);
            if *pinned {
                node.pins.pin(&[digest], "j-1", soon()).unwrap();
            }
            if *opened {
                readers.push(node.store.blob(&digest).unwrap());
                // Which was a use.
                let files = node.files();
                used_before(files.difference(&before).next().unwrap(), minutes);
            }
            expected.push((minutes, digest, *pinned || *opened));
        }
        let keep = Keep { unused: unused * 20 * MINUTE - MINUTE / 2, most: most * ON_DISK };
        node.collect(&keep);
        expected.sort_by_key(|(minutes, ..)| std::cmp::Reverse(*minutes));
        let mut left = expected.len() as u64;
        expected.retain(|(minutes, _, held)| {
            let is_old = *minutes * MINUTE > keep.unused;
            let goes = !held && (is_old || left > most);
            left -= u64::from(goes);
            !goes
        });
        let expected: BTreeSet<_> = expected.into_iter().map(|(_, digest, _)| digest).collect();
        prop_assert_eq!(node.there(), expected);
    }
}
