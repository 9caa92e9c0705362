//! What is collected, and what never is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use opensky_protocol::Digest;
use opensky_storage::{Collected, Keep, Receiving, Store};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::samples::{key, store};

const MINUTE: Duration = Duration::from_secs(60);
const ALL: Keep = Keep {
    unused: Duration::from_secs(365 * 86_400),
    most: u64::MAX,
};

struct Node {
    folder: TempDir,
    store: Arc<Store>,
    /// What is kept, by its name on disk.
    kept: Mutex<BTreeSet<Digest>>,
}

fn node() -> Node {
    let (folder, store) = store();
    Node {
        folder,
        store,
        kept: Mutex::default(),
    }
}

impl Node {
    /// The files of blobs.
    fn files(&self) -> BTreeSet<PathBuf> {
        let folders = fs::read_dir(self.folder.path().join("sealed-1")).unwrap();
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
        self.collect_at(SystemTime::now(), keep)
    }

    fn collect_at(&self, now: SystemTime, keep: &Keep) -> Collected {
        let unless_kept = |name: &Digest, remove: &mut dyn FnMut()| {
            let kept = self.kept.lock().unwrap();
            if !kept.contains(name) {
                remove();
            }
        };
        self.store.collect(now, keep, unless_kept).unwrap()
    }

    fn keep(&self, blob: &Digest) {
        self.kept.lock().unwrap().insert(self.store.name_of(blob));
    }

    fn let_go(&self, blob: &Digest) {
        self.kept.lock().unwrap().remove(&self.store.name_of(blob));
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
fn nothing_that_is_open_or_kept_goes() {
    let node = node();
    let [kept, open, other] = [1, 2, 3].map(|number| node.put(number, 30));
    node.keep(&kept);
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
    let collect = |keep| node.collect_at(now, keep);
    assert_eq!(collect(&nothing).blobs, 1);
    assert!(!node.store.has(&other));
    let [first, second] = readers;
    drop(first);
    assert_eq!(collect(&nothing).blobs, 0);
    assert_eq!(second.read_at(0, &mut [0; 5]).unwrap(), 5);
    drop(second);
    assert_eq!(collect(&nothing).blobs, 1);
    assert_eq!(node.there(), [kept].into());
    node.let_go(&kept);
    assert_eq!(collect(&nothing).blobs, 1);
    assert_eq!(node.there(), [].into());
}

#[test]
fn what_is_collected_is_given_back_to_the_quota() {
    let folder = TempDir::new().unwrap();
    let store = Store::open_sealed(folder.path(), &key()).unwrap();
    let node = Node {
        folder,
        store: Arc::new(store.with_quota(2 * ON_DISK).unwrap()),
        kept: Mutex::default(),
    };
    for number in 0..10u8 {
        while node.store.put(&[number; 1000]).is_err() {
            let keep = Keep {
                most: ON_DISK,
                ..ALL
            };
            assert_eq!(node.collect(&keep).blobs, 1);
        }
    }
    assert_eq!(node.there().len(), 2);
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
    let parts = node.folder.path().join("partial-1");
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
fn many_threads_keep_read_and_collect_at_once() {
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
                    node.keep(&digest);
                    node.store.put(&bytes).unwrap();
                    node.collect(&nothing);
                    assert_eq!(node.store.get(&digest).unwrap(), bytes);
                    node.let_go(&digest);
                }
            });
        }
    });
    node.collect_at(soon(), &nothing);
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
        for (number, (minutes, kept, opened)) in blobs.iter().enumerate() {
            // No two at the same time.
            let minutes = minutes * 20 + number as u32;
            let before = node.files();
            let digest = node.put(number as u8, minutes);
            if *kept {
                node.keep(&digest);
            }
            if *opened {
                readers.push(node.store.blob(&digest).unwrap());
                // Which was a use.
                let files = node.files();
                used_before(files.difference(&before).next().unwrap(), minutes);
            }
            expected.push((minutes, digest, *kept || *opened));
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
