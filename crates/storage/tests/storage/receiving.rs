//! Blobs that come in pieces: in any order, from many, over restarts, and checked at their end.
#![allow(clippy::single_range_in_vec_init)] // ranges are what is compared

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use opensky_protocol::Digest;
use opensky_storage::{Receiving, Store, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{
    again,
    samples::{bytes, key, open, store},
};

const PIECE: usize = Receiving::PIECE as usize;

fn parts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("partial-1")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Writes the piece of that number.
fn write(receiving: &Receiving, all: &[u8], number: usize) {
    let end = all.len().min((number + 1) * PIECE);
    let offset = number * PIECE;
    receiving
        .write_at(offset as u64, &all[offset..end])
        .unwrap();
}

fn range(pieces: std::ops::Range<u64>) -> std::ops::Range<u64> {
    pieces.start * Receiving::PIECE..pieces.end * Receiving::PIECE
}

#[test]
fn what_is_missing_is_told_and_a_restart_goes_on_where_it_was() {
    let (folder, store) = store();
    let all = bytes(1, 10 * PIECE + 7);
    let (digest, len) = (Digest::of(&all), all.len() as u64);
    let receiving = store.receive(&digest, len).unwrap();
    assert_eq!((receiving.digest(), receiving.len()), (&digest, len));
    assert_eq!(receiving.missing(9), [0..len]);
    write(&receiving, &all, 10);
    write(&receiving, &all, 3);
    write(&receiving, &all, 4);
    write(&receiving, &all, 0);
    let expected = [range(1..3), range(5..10)];
    assert_eq!(receiving.missing(9), expected);
    assert_eq!(receiving.missing(1), expected[..1]);
    assert!(!store.has(&digest));
    drop((receiving, store));

    let store = open(folder.path());
    assert!(!store.has(&digest));
    let receiving = store.receive(&digest, len).unwrap();
    assert_eq!(receiving.missing(9), expected);
    // Over what is there already too.
    receiving.write_at(0, &all).unwrap();
    assert_eq!(receiving.missing(9), []);
    receiving.finish().unwrap();
    assert_eq!(store.get(&digest).unwrap(), all);
    assert_eq!(store.list().unwrap(), [(digest, len)]);
    assert!(parts(folder.path()).is_empty());
}

#[test]
fn blobs_without_bytes_and_of_one_piece_are_received() {
    let (_folder, store) = store();
    for len in [0, 1, PIECE - 1, PIECE, PIECE + 1] {
        let all = bytes(2, len);
        let digest = Digest::of(&all);
        let receiving = store.receive(&digest, len as u64).unwrap();
        receiving.write_at(0, &all).unwrap();
        receiving.finish().unwrap();
        assert_eq!(store.get(&digest).unwrap(), all);
    }
}

#[test]
fn only_whole_pieces_of_the_blob_are_taken() {
    let (_folder, store) = store();
    let all = bytes(3, 3 * PIECE + 100);
    let receiving = store.receive(&Digest::of(&all), all.len() as u64).unwrap();
    let piece = Receiving::PIECE;
    for (offset, len) in [
        (1, PIECE),
        (0, PIECE - 1),
        (0, PIECE + 1),
        (3 * piece, 99),
        (3 * piece, 101),
        (4 * piece, PIECE),
        (u64::MAX - piece + 1, PIECE),
        (2 * piece, 2 * PIECE),
    ] {
        let error = receiving.write_at(offset, &vec![0; len]).unwrap_err();
        assert!(
            matches!(error, StoreError::Pieces { .. }),
            "{offset} {len}: {error}"
        );
    }
    assert_eq!(receiving.missing(9), [0..all.len() as u64]);
    receiving.write_at(2 * piece, &all[2 * PIECE..]).unwrap();
}

#[test]
fn an_unfinished_blob_is_not_named_and_can_be_gone_on_with() {
    let (_folder, store) = store();
    let all = bytes(4, 3 * PIECE);
    let digest = Digest::of(&all);
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    write(&receiving, &all, 1);
    let error = receiving.finish().unwrap_err();
    assert!(
        matches!(error, StoreError::Incomplete { pieces: 2, .. }),
        "{error}"
    );
    assert!(!store.has(&digest));
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    write(&receiving, &all, 0);
    write(&receiving, &all, 2);
    receiving.finish().unwrap();
    assert!(store.has(&digest));
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_discarded() {
    let (folder, store) = store();
    let all = bytes(5, 3 * PIECE);
    let digest = Digest::of(&all);
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    write(&receiving, &all, 0);
    write(&receiving, &all, 2);
    receiving
        .write_at(Receiving::PIECE, &vec![0; PIECE])
        .unwrap();
    let error = receiving.finish().unwrap_err();
    assert!(
        matches!(error, StoreError::Damaged { digest: d, .. } if d == digest),
        "{error}"
    );
    assert!(!store.has(&digest) && parts(folder.path()).is_empty());
}

#[test]
fn a_part_that_the_disk_damaged_is_missing_again() {
    let (folder, store) = store();
    let all = bytes(6, 4 * PIECE);
    let digest = Digest::of(&all);
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    receiving.write_at(0, &all).unwrap();
    let part = parts(folder.path()).remove(0);
    let mut bent = fs::read(&part).unwrap();
    let at = bent.len() - PIECE - 100;
    bent[at] ^= 1;
    fs::write(&part, bent).unwrap();
    let error = receiving.finish().unwrap_err();
    assert!(matches!(error, StoreError::SealBroken(_)), "{error}");
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    assert_eq!(receiving.missing(9), [range(2..3)]);
    write(&receiving, &all, 2);
    receiving.finish().unwrap();
    assert_eq!(store.get(&digest).unwrap(), all);
}

#[test]
fn a_part_of_another_length_or_without_its_head_is_begun_again() {
    let (folder, store) = store();
    let all = bytes(7, 4 * PIECE);
    let digest = Digest::of(&all);
    let receiving = store.receive(&digest, 9 * Receiving::PIECE).unwrap();
    write(&receiving, &all, 0);
    drop(receiving);
    for _ in 0..2 {
        let receiving = store.receive(&digest, all.len() as u64).unwrap();
        assert_eq!(receiving.missing(9), [0..all.len() as u64]);
        write(&receiving, &all, 0);
        drop(receiving);
        let part = parts(folder.path()).remove(0);
        fs::write(&part, "of another program, and shorter").unwrap();
    }
}

#[test]
fn a_blob_has_one_receiver_at_a_time_in_all_processes() {
    let (folder, store) = store();
    let all = bytes(8, PIECE);
    let digest = Digest::of(&all);
    let first = store.receive(&digest, all.len() as u64).unwrap();
    for other in [store.clone(), open(folder.path())] {
        let error = other.receive(&digest, all.len() as u64).unwrap_err();
        assert!(
            matches!(error, StoreError::BeingReceived(d) if d == digest),
            "{error}"
        );
    }
    first.discard().unwrap();
    let second = open(folder.path());
    let receiving = second.receive(&digest, all.len() as u64).unwrap();
    write(&receiving, &all, 0);
    receiving.finish().unwrap();
    assert!(store.has(&digest));
}

#[test]
fn the_quota_takes_the_whole_blob_at_once_and_once() {
    let folder = TempDir::new().unwrap();
    let open = |quota| {
        let store = Store::open_sealed(folder.path(), &key()).unwrap();
        Arc::new(store.with_quota(quota).unwrap())
    };
    let all = bytes(9, 4 * PIECE);
    let (digest, len) = (Digest::of(&all), all.len() as u64);
    let room = len + 4 * 16 + 83;
    let store = open(room);
    let error = store.receive(&digest, len + 1).unwrap_err();
    assert!(
        matches!(error, StoreError::Quota { used: 0, .. }),
        "{error}"
    );
    let error = store.receive(&digest, u64::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Quota { .. } | StoreError::DiskFull { .. }
        ),
        "{error}"
    );
    assert!(parts(folder.path()).is_empty());
    let receiving = store.receive(&digest, len).unwrap();
    assert!(store.put(b"x").is_err());
    write(&receiving, &all, 1);
    drop(receiving);
    // It is there, and goes on counting.
    assert!(store.put(b"x").is_err());
    let receiving = store.receive(&digest, len).unwrap();
    receiving.discard().unwrap();
    let small = store.put(b"x").unwrap();
    store.remove(&small).unwrap();
    drop(store.receive(&digest, len).unwrap());
    drop(store);

    let store = open(room);
    assert!(
        store.put(b"x").is_err(),
        "a part of another life counts too"
    );
    let receiving = store.receive(&digest, len).unwrap();
    receiving.write_at(0, &all).unwrap();
    receiving.finish().unwrap();
    assert!(store.put(b"x").is_err());
    store.remove(&digest).unwrap();
    drop(store.receive(&digest, len).unwrap());
}

#[test]
fn a_part_that_nobody_receives_is_discarded_by_its_name() {
    let (folder, store) = store();
    let all = bytes(1, 3 * PIECE);
    let (digest, len) = (Digest::of(&all), all.len() as u64);
    let before = store.used().0;
    let receiving = store.receive(&digest, len).unwrap();
    write(&receiving, &all, 1);
    assert!(!store.discard_part(&digest).unwrap(), "it is received");
    assert!(store.used().0 > before);
    drop(receiving);
    assert!(store.discard_part(&digest).unwrap());
    assert!(!store.discard_part(&digest).unwrap(), "it was there twice");
    assert_eq!(store.used().0, before);
    assert!(parts(folder.path()).is_empty());

    store.put(&all).unwrap();
    assert!(!store.discard_part(&digest).unwrap());
    assert!(store.has(&digest), "a whole blob is no part");
}

#[test]
fn many_sources_write_at_once() {
    let (_folder, store) = store();
    let all = bytes(10, 200 * PIECE + 1);
    let digest = Digest::of(&all);
    let receiving = store.receive(&digest, all.len() as u64).unwrap();
    std::thread::scope(|scope| {
        for source in 0..4 {
            let (receiving, all) = (&receiving, &all);
            // Some pieces come from two.
            let mine = (0..201).filter(move |number| number % 4 == source || number % 7 == source);
            scope.spawn(move || mine.for_each(|number| write(receiving, all, number)));
        }
    });
    receiving.finish().unwrap();
    assert_eq!(store.get(&digest).unwrap(), all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pieces_in_any_order_over_restarts_make_the_blob(
        len in 1..12 * PIECE,
        order in proptest::collection::vec((0..12usize, 1..4usize, any::<bool>()), 1..30),
    ) {
        let (folder, mut store) = store();
        let all = bytes(len as u64, len);
        let digest = Digest::of(&all);
        let mut receiving = store.receive(&digest, len as u64).unwrap();
        let mut have = vec![false; len.div_ceil(PIECE)];
        for (first, count, restart) in order {
            let (start, end) = (first * PIECE, ((first + count) * PIECE).min(len));
            if start < end {
                receiving.write_at(start as u64, &all[start..end]).unwrap();
                have[first..end.div_ceil(PIECE)].fill(true);
            }
            if restart {
                drop((receiving, store));
                store = open(folder.path());
                receiving = store.receive(&digest, len as u64).unwrap();
            }
            let missing: u64 = receiving.missing(99).iter().map(|range| (range.end - range.start).div_ceil(Receiving::PIECE)).sum();
            prop_assert_eq!(missing as usize, have.iter().filter(|have| !**have).count());
        }
        for range in receiving.missing(99) {
            receiving.write_at(range.start, &all[range.start as usize..range.end as usize]).unwrap();
        }
        receiving.finish().unwrap();
        prop_assert_eq!(store.get(&digest).unwrap(), all);
    }
}

const KILLED: usize = 100 * PIECE + 77;

/// Receives one blob, the last pieces first, until it is killed; then the next.
fn receive_for_ever(folder: &Path) -> ! {
    let store = open(folder);
    again::say_ready(folder);
    for seed in 0.. {
        let all = bytes(seed, KILLED);
        let digest = Digest::of(&all);
        if store.has(&digest) {
            continue;
        }
        let receiving = store.receive(&digest, KILLED as u64).unwrap();
        for range in receiving.missing(usize::MAX).into_iter().rev() {
            let numbers = range.start / Receiving::PIECE..range.end.div_ceil(Receiving::PIECE);
            numbers
                .rev()
                .for_each(|number| write(&receiving, &all, number as usize));
        }
        receiving.finish().unwrap();
    }
    unreachable!("the loop has no end")
}

#[test]
fn a_receiver_killed_at_any_moment_loses_nothing_and_names_nothing_unfinished() {
    const ME: &str =
        "receiving::a_receiver_killed_at_any_moment_loses_nothing_and_names_nothing_unfinished";
    if let Some(folder) = again::folder() {
        receive_for_ever(&folder);
    }
    let folder = TempDir::new().unwrap();
    let (mut resumed, mut whole) = (0, 0);
    for round in 0..25u64 {
        let after = Duration::from_micros(3_997 * round);
        again::kill(ME, folder.path(), round >= 3, after);

        let store = open(folder.path());
        for (digest, _) in store.list().unwrap() {
            assert_eq!(store.get(&digest).unwrap().len(), KILLED);
            whole += 1;
        }
        for seed in 0..500 {
            let all = bytes(seed, KILLED);
            let digest = Digest::of(&all);
            if store.has(&digest) {
                continue;
            }
            let receiving = store.receive(&digest, KILLED as u64).unwrap();
            let missing = receiving.missing(9);
            // All that came before is there: the kernel has it.
            assert!(missing.len() <= 1, "{missing:?}");
            resumed += usize::from(missing != [0..KILLED as u64]);
            break;
        }
    }
    assert!(resumed > 3, "it was never killed on the way: {resumed}");
    assert!(whole > 0, "no blob was ever finished");
}

fn fill(folder: &Path) {
    let store = open(folder);
    let all = bytes(1, 4 << 20);
    let digest = Digest::of(&all);
    let error = store
        .receive(&digest, all.len() as u64)
        .and_then(|receiving| receiving.write_at(0, &all))
        .unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    let small = store.put(b"there is room").unwrap();
    assert_eq!(store.get(&small).unwrap(), b"there is room");
}

#[test]
fn a_part_that_the_system_cuts_short_is_a_full_disk() {
    const ME: &str = "receiving::a_part_that_the_system_cuts_short_is_a_full_disk";
    if let Some(folder) = again::folder() {
        return fill(&folder);
    }
    let folder = TempDir::new().unwrap();
    again::with_short_files(ME, folder.path(), 1000);
}
