//! What a sealed store promises: nothing to read on the disk, any damage found, any part readable.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use opensky_protocol::Digest;
use opensky_storage::{KeyError, SealKey, Store, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::samples::{bytes, key, store};

const CHUNK: usize = 16 << 10;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The one blob that is in the store.
fn blob_file(folder: &Path) -> PathBuf {
    let blobs = files(&folder.join("sealed-1"));
    assert_eq!(blobs.len(), 1);
    blobs[0].clone()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[track_caller]
fn is_broken<T: std::fmt::Debug>(result: Result<T, StoreError>, digest: &Digest) {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, StoreError::SealBroken(d) if d == digest),
        "{error}"
    );
}

#[test]
fn what_is_put_comes_back_whichever_way() {
    for len in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        16 * CHUNK,
        40 * CHUNK + 5,
    ] {
        let (folder, store) = store();
        let bytes = bytes(1, len);
        let digest = store.put(&bytes).unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(store.put_file(&bytes[..]).unwrap(), digest);
        assert_eq!(store.get(&digest).unwrap(), bytes);
        assert_eq!(store.len(&digest).unwrap(), len as u64);
        assert_eq!(store.list().unwrap(), [(digest, len as u64)]);
        let blob = store.blob(&digest).unwrap();
        let mut all = vec![1; len + 10];
        assert_eq!(blob.len(), len as u64);
        assert_eq!(blob.read_at(0, &mut all).unwrap(), len);
        assert_eq!(all[..len], bytes);
        drop((blob, store));
        let store = Store::open_sealed(folder.path(), &key()).unwrap();
        assert_eq!(store.get(&digest).unwrap(), bytes);
        assert!(store.remove(&digest).unwrap());
        assert_eq!(store.list().unwrap(), []);
    }
}

#[test]
fn neither_a_blobs_bytes_nor_its_name_are_on_the_disk() {
    const SECRET: &[u8] = b"the requester's secret input, which is long enough to be found";
    let (folder, store) = store();
    let long = SECRET.repeat(5_000);
    let digests = [
        store.put(SECRET).unwrap(),
        store.put_file(&long[..]).unwrap(),
        Digest::of(&long[1..]),
        Digest::of(&long[2..]),
    ];
    let finished = store.receive(&digests[2], long.len() as u64 - 1).unwrap();
    finished.write_at(0, &long[1..]).unwrap();
    finished.finish().unwrap();
    let part = store.receive(&digests[3], long.len() as u64 - 2).unwrap();
    part.write_at(0, &long[2..][..2 * CHUNK]).unwrap();

    let key = SECRET.len() - 30;
    let all = files(folder.path());
    assert!(all.len() >= 6, "{all:?}");
    for path in all {
        let bytes = fs::read(&path).unwrap();
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|found| found == needle);
        assert!(!has(&SECRET[..30]) && !has(&SECRET[key..]), "{path:?}");
        assert!(!has(&[7; 32]), "{path:?} has the key");
        for digest in digests {
            let hex = digest.to_string();
            assert!(!has(&digest.0) && !has(hex.as_bytes()), "{path:?}");
            // The name on disk has the first two digits as a folder.
            let name: String = path
                .iter()
                .rev()
                .take(2)
                .map(|part| part.to_string_lossy())
                .collect();
            assert!(!name.contains(&hex[2..12]), "{path:?}");
        }
    }
}

#[test]
fn equal_blobs_are_not_alike_on_two_disks() {
    let (first, store_one) = store();
    let (second, store_two) = store();
    store_one.put(b"equal").unwrap();
    store_two.put(b"equal").unwrap();
    let [first, second] = [first, second].map(|folder| fs::read(blob_file(folder.path())).unwrap());
    assert_eq!(first.len(), second.len());
    assert_eq!(first[..8], second[..8], "the format");
    assert_ne!(
        first[8..27],
        second[8..27],
        "the part of the nonce that is the file's own"
    );
    assert_ne!(first[27..], second[27..]);
}

#[test]
fn any_damage_is_found_named_and_dropped_and_putting_mends_it() {
    let (folder, store) = store();
    let bytes = bytes(2, 3 * CHUNK + 100);
    let digest = store.put(&bytes).unwrap();
    let path = blob_file(folder.path());
    let whole = fs::read(&path).unwrap();
    let slot = CHUNK + 16;
    let header = whole.len() - 3 * slot - 116;
    let mut damages: Vec<Vec<u8>> = Vec::new();
    // A bit, in each part of the header, in a chunk, in its tag, in the last one.
    for at in [
        0,
        10,
        30,
        header - 5,
        header,
        header + slot - 1,
        whole.len() - 1,
    ] {
        let mut bent = whole.clone();
        bent[at] ^= 4;
        damages.push(bent);
    }
    // Cut anywhere, also where a chunk ends, and longer than it was.
    for len in [
        0,
        header,
        header + 1,
        header + slot,
        header + 2 * slot,
        header + 3 * slot,
    ] {
        damages.push(whole[..len].to_vec());
    }
    damages.push([&whole[..], &[0]].concat());
    // Two chunks in each other's place.
    let mut swapped = whole.clone();
    swapped[header..header + slot].copy_from_slice(&whole[header + slot..header + 2 * slot]);
    swapped[header + slot..header + 2 * slot].copy_from_slice(&whole[header..header + slot]);
    damages.push(swapped);

    for damage in damages {
        overwrite(&path, &damage);
        is_broken(store.get(&digest), &digest);
        is_broken(store.verify(&digest), &digest);
        assert!(!store.has(&digest), "it is dropped");
        assert_eq!(store.put(&bytes).unwrap(), digest);
        overwrite(&path, &damage);
        assert_eq!(store.put_file(&bytes[..]).unwrap(), digest, "it is mended");
        assert_eq!(store.get(&digest).unwrap(), bytes);
        store.verify(&digest).unwrap();
    }
}

#[test]
fn damage_in_one_piece_leaves_the_others_readable() {
    let (folder, store) = store();
    let bytes = bytes(3, 4 * CHUNK);
    let digest = store.put(&bytes).unwrap();
    let path = blob_file(folder.path());
    let mut bent = fs::read(&path).unwrap();
    let at = bent.len() - (CHUNK + 16) - 100;
    bent[at] ^= 1;
    overwrite(&path, &bent);
    let blob = store.blob(&digest).unwrap();
    let mut piece = vec![0; CHUNK];
    blob.read_at(3 * CHUNK as u64, &mut piece).unwrap();
    assert_eq!(piece, bytes[3 * CHUNK..]);
    is_broken(blob.read_at(2 * CHUNK as u64 + 5, &mut piece[..1]), &digest);
    is_broken(blob.read_at(CHUNK as u64, &mut vec![0; 3 * CHUNK]), &digest);
}

#[test]
fn a_file_in_another_ones_place_is_not_taken_for_it() {
    let (folder, store) = store();
    let digest = store.put(&[1; 1000]).unwrap();
    let path = blob_file(folder.path());
    let (other_folder, other) = self::store();
    other.put(&[2; 1000]).unwrap();
    overwrite(&path, &fs::read(blob_file(other_folder.path())).unwrap());
    is_broken(store.get(&digest), &digest);
    is_broken(store.blob(&digest), &digest);
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn another_key_does_not_open_the_store_and_plain_blobs_are_not_seen() {
    let (folder, store) = store();
    let digest = store.put(b"sealed").unwrap();
    drop(store);
    let other = SealKey::from_bytes([8; 32]);
    let error = Store::open_sealed(folder.path(), &other).unwrap_err();
    assert!(matches!(error, StoreError::WrongKey), "{error}");
    let plain = Arc::new(Store::open(folder.path()).unwrap());
    assert!(!plain.has(&digest));
    let error = plain.receive(&digest, 6).unwrap_err();
    assert!(matches!(error, StoreError::NotSealed), "{error}");
    let also = plain.put(b"plain").unwrap();
    let store = Store::open_sealed(folder.path(), &key()).unwrap();
    assert_eq!(store.list().unwrap(), [(digest, 6)]);
    assert!(!store.has(&also));
}

#[test]
fn many_make_the_same_store_and_key_at_once() {
    let folder = TempDir::new().unwrap();
    let (path, file) = (
        folder.path().join("store"),
        folder.path().join("keys/seal.key"),
    );
    std::thread::scope(|scope| {
        for i in 0..8u8 {
            let (path, file) = (&path, &file);
            scope.spawn(move || {
                let key = SealKey::open(file).unwrap();
                let store = Store::open_sealed(path, &key).unwrap();
                store.put(&[i; 100]).unwrap();
                assert_eq!(store.put(&[9; 100]).unwrap(), Digest::of(&[9; 100]));
            });
        }
    });
    let store = Store::open_sealed(&path, &SealKey::open(&file).unwrap()).unwrap();
    assert_eq!(store.list().unwrap().len(), 9);
    assert_eq!(files(file.parent().unwrap()), [file]);
}

#[test]
fn a_key_file_is_for_its_owner_alone_and_is_never_replaced() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("seal.key");
    SealKey::open(&file).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.trim().parse::<Digest>().is_ok());

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = SealKey::open(&file).unwrap_err();
    assert!(
        matches!(error, KeyError::Exposed { mode: 0o644, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in ["", "xyz", &text[..60], &text.repeat(2)] {
        fs::write(&file, damaged).unwrap();
        let error = SealKey::open(&file).unwrap_err();
        assert!(matches!(error, KeyError::Damaged(_)), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
    }
    assert!(matches!(
        SealKey::open(folder.path()),
        Err(KeyError::Exposed { .. } | KeyError::Io { .. })
    ));
    assert_eq!(format!("{:?}", key()), "SealKey");
}

#[test]
fn the_quota_counts_what_is_on_the_disk() {
    let (folder, sealed) = store();
    let digest = sealed.put(&vec![1; 10 * CHUNK]).unwrap();
    drop(sealed);
    let on_disk: u64 = files(&folder.path().join("sealed-1"))
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    let store = Store::open_sealed(folder.path(), &key()).unwrap();
    let store = store.with_quota(on_disk + 200).unwrap();
    assert!(matches!(
        store.put(&[2; 200]),
        Err(StoreError::Quota { .. })
    ));
    let small = store.put(&[2; 50]).unwrap();
    store.remove(&small).unwrap();
    assert_eq!(store.put_file(&[2; 50][..]).unwrap(), small);
    assert!(store.remove(&digest).unwrap());
    store.put(&vec![3; 10 * CHUNK]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_range_of_a_blob_is_read_as_it_was_put(
        len in 0..6 * CHUNK,
        writes in proptest::collection::vec(1..3 * CHUNK, 1..8),
        reads in proptest::collection::vec((0..7 * CHUNK, 0..4 * CHUNK), 1..20),
    ) {
        /// Gives out as much as it is told to.
        struct Pieces<'a>(&'a [u8], std::iter::Cycle<std::slice::Iter<'a, usize>>);
        impl Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let most = *self.1.next().unwrap();
                let most = most.min(buffer.len());
                self.0.read(&mut buffer[..most])
            }
        }
        let (_folder, store) = store();
        let bytes = bytes(len as u64, len);
        let digest = store.put_file(Pieces(&bytes, writes.iter().cycle())).unwrap();
        prop_assert_eq!(digest, Digest::of(&bytes));
        let blob = store.blob(&digest).unwrap();
        for (offset, wanted) in reads {
            let mut buffer = vec![0; wanted];
            let read = blob.read_at(offset as u64, &mut buffer).unwrap();
            let end = (offset + wanted).min(len);
            let expected = bytes.get(offset..end).unwrap_or_default();
            prop_assert_eq!(&buffer[..read], expected);
        }
    }
}

/// A store as version 1 of the format wrote it: what lies on disks must stay readable.
#[test]
fn what_version_1_sealed_is_read() {
    const CHECK: &str = "67bc090b5aa0ce47598b810fde5cf79f681c1c908d0b5ca31a2bf88d9dd00f40";
    const PATH: &str = "sealed-1/16/f265669f1dbd826f1b8fdde10f51ca4aff20fdd2b79223643e6c373fba37e1";
    const BYTES: &str = "6f736b7973656131e2b334030bd02242b634854e67fd973732e1db79226da39c\
        0e2f9300ce912a39303b9bd5e89282e898b8da95a89bf74a8ef4497580f85b51\
        4796b67e90ad2a98dfd3c2dca84123b8f0bc9b22d71c5cbf1113a5a738ce233e\
        f8a10131bd9caf0c7c";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(PATH);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let byte = |at: usize| u8::from_str_radix(&BYTES[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..BYTES.len()).step_by(2).map(byte).collect();
    fs::write(&path, bytes).unwrap();
    fs::write(folder.path().join("seal-1"), CHECK).unwrap();
    let store = Store::open_sealed(folder.path(), &key()).unwrap();
    let digest = Digest::of(b"golden");
    assert_eq!(store.list().unwrap(), [(digest, 6)]);
    assert_eq!(store.get(&digest).unwrap(), b"golden");
}
