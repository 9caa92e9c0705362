//! What a store promises: whole blobs or none, checked names, bounds.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use opensky_protocol::Digest;
use opensky_storage::{Store, StoreError};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    thread::{CapabilitySet, capabilities, set_capabilities},
};
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn path_of(root: &Path, digest: &Digest) -> std::path::PathBuf {
    let digits = digest.to_string();
    root.join("blobs-1").join(&digits[..2]).join(&digits[2..])
}

fn incoming(root: &Path) -> usize {
    fs::read_dir(root.join("incoming-1")).unwrap().count()
}

#[test]
fn what_is_put_comes_back() {
    let (folder, store) = store();
    for len in [0, 1, 1024, 300_000, 3 << 20] {
        let bytes: Vec<u8> = (0..len).map(|i: u32| (i % 251) as u8).collect();
        let digest = store.put(&bytes).unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(store.get(&digest).unwrap(), bytes);
        assert_eq!(store.len(&digest).unwrap(), bytes.len() as u64);
        let blob = store.blob(&digest).unwrap();
        let mut read = vec![0; bytes.len() + 1];
        assert_eq!(blob.read_at(0, &mut read).unwrap(), bytes.len());
        assert_eq!(read[..bytes.len()], bytes);
    }
    assert_eq!(incoming(folder.path()), 0);
}

#[test]
fn streamed_blobs_have_the_same_name_and_are_stored_once() {
    let (_folder, store) = store();
    let bytes = vec![7; 1 << 20];
    let streamed = store.put_file(&bytes[..]).unwrap();
    assert_eq!(streamed, store.put(&bytes).unwrap());
    assert_eq!(store.list().unwrap(), [(streamed, 1 << 20)]);
}

#[test]
fn list_is_sorted_and_passes_over_other_files() {
    let (folder, store) = store();
    let mut expected: Vec<(Digest, u64)> = (0..50u8)
        .map(|i| (store.put(&[i; 3]).unwrap(), 3))
        .collect();
    expected.sort();
    fs::write(folder.path().join("blobs-1/note"), "x").unwrap();
    fs::create_dir_all(folder.path().join("blobs-1/zz")).unwrap();
    fs::write(folder.path().join("blobs-1/zz/note"), "x").unwrap();
    // Named like a blob, but not as a store names it: it could not be read.
    let digits = Digest::of(b"other").to_string();
    for (dir, name) in [
        (digits[..2].to_uppercase() + "AB", digits[4..].to_owned()),
        ("AB".to_owned(), digits[2..].to_owned()),
    ] {
        let dir = folder.path().join("blobs-1").join(dir);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), "x").unwrap();
    }
    assert_eq!(store.list().unwrap(), expected);
}

#[test]
fn blobs_that_go_while_they_are_listed_are_no_error() {
    let (folder, store) = store();
    let kept = store.put(b"kept").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Store::open(folder.path()).unwrap();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for byte in 0..8u8 {
                    let blob = other.put(&[byte]).unwrap();
                    other.remove(&blob).unwrap();
                }
            }
        });
        let listed = (0..2_000).try_for_each(|_| {
            let list = store.list()?;
            assert!(list.iter().any(|(digest, _)| *digest == kept));
            Ok::<_, StoreError>(())
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        listed.unwrap();
    });
}

#[test]
fn removed_blobs_are_missing() {
    let (_folder, store) = store();
    let digest = store.put(b"blob").unwrap();
    assert!(store.remove(&digest).unwrap());
    assert!(!store.remove(&digest).unwrap());
    assert!(!store.has(&digest));
    for error in [
        store.get(&digest).unwrap_err(),
        store.len(&digest).unwrap_err(),
        store.blob(&digest).unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::Missing(d) if d == digest),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_blob_is_never_read_and_putting_it_mends_it() {
    let (folder, store) = store();
    let bytes = b"forty-two".to_vec();
    let digest = store.put(&bytes).unwrap();
    let path = path_of(folder.path(), &digest);
    let mut bent = bytes.clone();
    bent[3] ^= 1;
    let mut longer = bytes.clone();
    longer.push(0);
    for damage in [&bent[..], &longer, &bytes[..4], b""] {
        for mend in [
            |store: &Store, bytes: &[u8]| store.put(bytes),
            |store: &Store, bytes: &[u8]| store.put_file(bytes),
        ] {
            set_mode(&path, 0o600);
            fs::write(&path, damage).unwrap();
            let found = Digest::of(damage);
            for error in [
                store.get(&digest).unwrap_err(),
                store.blob(&digest).unwrap_err(),
            ] {
                let ok = matches!(error, StoreError::Damaged { digest: d, found: f }
                    if d == digest && f == found);
                assert!(ok, "{error}");
            }
            assert_eq!(mend(&store, &bytes).unwrap(), digest);
            assert_eq!(store.get(&digest).unwrap(), bytes);
        }
    }
}

#[test]
fn a_blob_that_is_a_link_to_the_outside_is_not_followed() {
    let (folder, store) = store();
    let outside = folder.path().join("secret");
    fs::write(&outside, "secret").unwrap();
    let digest = store.put(b"secret").unwrap();
    let path = path_of(folder.path(), &digest);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&outside, &path).unwrap();
    let error = store.get(&digest).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}

/// Puts a pipe in the place of a file.
fn pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn pipe_is_refused_and_not_waited_for() {
    let (folder, store) = store();
    let is_named = |error: &StoreError| matches!(error, StoreError::NotAFile(_));
    let digest = store.put(b"a blob").unwrap();
    pipe(&path_of(folder.path(), &digest));
    let error = store.get(&digest).unwrap_err();
    assert!(is_named(&error), "{error}");
    let error = store.blob(&digest).unwrap_err();
    assert!(is_named(&error), "{error}");
    store.put(b"a blob").unwrap();
    assert_eq!(store.get(&digest).unwrap(), b"a blob", "it is mended");

    pipe(&folder.path().join("lock"));
    let error = Store::open(folder.path()).unwrap_err();
    assert!(is_named(&error), "{error}");
    assert!(error.to_string().contains("`lock`"), "{error}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The mode of a folder in which names can be looked up and made, but which cannot be opened, and so
/// not be synchronised.
const UNREADABLE: u32 = 0o300;

/// From here on this thread may only open what anybody may open, whoever runs the test.
fn become_ordinary() {
    let mut sets = capabilities(None).unwrap();
    sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    set_capabilities(None, sets).unwrap();
}

/// What a disk keeps cannot be seen, but that nothing is promised where it could not be told to keep
/// it can.
#[test]
fn no_blob_is_promised_before_its_name_is_on_the_disk() {
    become_ordinary();
    let (folder, writer) = store();
    let bytes = b"a blob";
    let digest = writer.put(bytes).unwrap();
    let file = path_of(folder.path(), &digest);
    let blobs = folder.path().join("blobs-1");
    let ways = [
        |store: &Store| store.put(b"a blob"),
        |store: &Store| store.put_file(&b"a blob"[..]),
    ];
    // Another writer has named it, and not yet synchronised one of the folders above it.
    for unsynchronised in [file.parent().unwrap(), &blobs, folder.path()] {
        for put in ways {
            let store = Store::open(folder.path()).unwrap();
            set_mode(&file, 0o600);
            set_mode(unsynchronised, UNREADABLE);
            let error = put(&store).unwrap_err();
            assert!(matches!(error, StoreError::Io { .. }), "{error}");
            set_mode(unsynchronised, 0o700);
            assert_eq!(put(&store).unwrap(), digest);
        }
    }
    // Once it is promised it costs nothing to promise it again.
    let full = Store::open(folder.path()).unwrap().with_quota(0).unwrap();
    set_mode(file.parent().unwrap(), UNREADABLE);
    assert_eq!(full.put(bytes).unwrap(), digest);
    assert_eq!(full.put_file(&bytes[..]).unwrap(), digest);
    set_mode(file.parent().unwrap(), 0o700);
}

#[test]
fn a_store_whose_folder_is_not_on_the_disk_is_not_opened() {
    become_ordinary();
    let folder = TempDir::new().unwrap();
    let above = folder.path().join("above");
    fs::create_dir(&above).unwrap();
    set_mode(&above, UNREADABLE);
    let error = Store::open(&above.join("more/store")).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    set_mode(&above, 0o700);
    Store::open(&above.join("other/store")).unwrap();
}

#[test]
fn quota_holds_for_both_ways_to_put_and_is_given_back() {
    let (folder, store) = store();
    let first = store.put(&[1; 600]).unwrap();
    let store = store.with_quota(1000).unwrap();
    let too_much = [2; 401];
    for error in [
        store.put(&too_much).unwrap_err(),
        store.put_file(&too_much[..]).unwrap_err(),
    ] {
        let ok = matches!(
            error,
            StoreError::Quota {
                used: 600,
                quota: 1000,
                needed: 401
            }
        );
        assert!(ok, "{error}");
    }
    assert_eq!(incoming(folder.path()), 0);
    store.put(&[2; 400]).unwrap();
    // What is there already needs no room, however it is put.
    store.put(&[1; 600]).unwrap();
    assert_eq!(store.put_file(&[1; 600][..]).unwrap(), first);
    assert!(store.remove(&first).unwrap());
    store.put_file(&[3; 600][..]).unwrap();
    assert!(store.put(&[4; 1]).is_err());
}

/// Longer than what is read at once, so that a part of it found room before the whole did not.
#[test]
fn a_long_blob_that_is_there_needs_no_room_and_one_that_is_not_is_told_what_it_lacks() {
    const MIB: u64 = 1 << 20;
    let (folder, store) = store();
    let bytes = vec![5; MIB as usize];
    let digest = store.put(&bytes).unwrap();
    let store = store.with_quota(MIB + MIB / 2).unwrap();
    assert_eq!(store.put_file(&bytes[..]).unwrap(), digest);
    assert_eq!(incoming(folder.path()), 0);

    // As long, another one, and one that only begins like it; an endless one ends too.
    let others: [Box<dyn io::Read>; 3] = [
        Box::new(io::Read::take(io::repeat(6), MIB)),
        Box::new(io::Read::chain(&bytes[..], &[5][..])),
        Box::new(io::repeat(5)),
    ];
    for other in others {
        let error = store.put_file(other).unwrap_err();
        let StoreError::Quota {
            used,
            quota,
            needed,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((used, quota), (MIB, MIB + MIB / 2));
        assert!(needed > MIB / 2 && used + needed > quota, "{needed}");
    }

    // What is damaged is not there.
    let path = path_of(folder.path(), &digest);
    set_mode(&path, 0o600);
    fs::write(&path, &bytes[1..]).unwrap();
    let error = store.put_file(&bytes[..]).unwrap_err();
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    assert_eq!(incoming(folder.path()), 0);
    store.put(&vec![7; MIB as usize / 2]).unwrap();
}

#[test]
fn a_blob_that_many_threads_put_and_remove_at_once_counts_once() {
    const THREADS: usize = 4;
    let (_folder, store) = store();
    let store = store.with_quota(1_000 * (THREADS as u64 + 1)).unwrap();
    let bytes = [1; 1_000];
    let together = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                // No unwrap on the way: the others would wait for ever.
                let rounds = (0..50).map(|_| {
                    together.wait();
                    let put = store.put_file(&bytes[..]);
                    if thread == 0 {
                        store.remove(&Digest::of(&bytes))?;
                    }
                    put
                });
                rounds.collect::<Vec<_>>().into_iter().for_each(|put| {
                    put.unwrap();
                });
            });
        }
    });
    store.remove(&Digest::of(&bytes)).unwrap();
    assert_eq!(store.list().unwrap(), []);
    let error = store.put(&[2; 5_001]).unwrap_err();
    assert!(
        matches!(error, StoreError::Quota { used: 0, .. }),
        "{error}"
    );
    store.put(&[2; 5_000]).unwrap();
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    struct Failing(usize);
    impl io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Ok(buffer.len()),
                2 => Err(io::ErrorKind::Interrupted.into()),
                3 => Ok(1),
                _ => Err(io::Error::other("the cable came out")),
            }
        }
    }
    let (folder, store) = store();
    let store = store.with_quota(1 << 20).unwrap();
    let error = store.put_file(Failing(0)).unwrap_err();
    assert!(matches!(error, StoreError::Source(_)), "{error}");
    assert_eq!(incoming(folder.path()), 0);
    assert_eq!(store.list().unwrap(), []);
    store.put(&vec![1; 1 << 20]).unwrap();
}

#[test]
fn what_dead_writers_left_is_removed_once_nobody_else_has_the_store_open() {
    let (folder, first) = store();
    let left = folder.path().join("incoming-1/1-1");
    fs::write(&left, "half a blo").unwrap();
    let second = Store::open(folder.path()).unwrap();
    assert!(left.exists(), "it could be the first one's");
    drop((first, second));
    let third = Store::open(folder.path()).unwrap();
    assert!(!left.exists());
    assert_eq!(third.list().unwrap(), []);
}

#[test]
fn many_threads_and_stores_put_the_same_blobs_at_once() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = Store::open(folder.path()).unwrap();
                for i in 0..40u8 {
                    let bytes = vec![i; 10_000];
                    let digest = store.put(&bytes).unwrap();
                    assert_eq!(store.get(&digest).unwrap(), bytes);
                }
            });
        }
    });
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.list().unwrap().len(), 40);
    assert_eq!(incoming(folder.path()), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_says_so() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("store")).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot open the folder"),
        "{error}"
    );
}
