//! A store whose writer is killed, or whose disk is full, at any moment.

use std::{fs, path::Path, time::Duration};

use opensky_protocol::Digest;
use opensky_storage::{Store, StoreError};
use tempfile::TempDir;

use crate::{again, samples::key};

/// The bytes of the `i`th blob: many chunks for some, one write for most.
fn blob(i: u32) -> Vec<u8> {
    let len = if i.is_multiple_of(7) {
        2_000_000
    } else {
        5_000
    };
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&i.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Writes blobs until it is killed, and notes each that was promised to be durable.
fn write_for_ever(folder: &Path) -> ! {
    let store = Store::open(folder).unwrap();
    again::say_ready(folder);
    for i in 0.. {
        let bytes = blob(i);
        let digest = match i % 2 {
            0 => store.put(&bytes).unwrap(),
            _ => store.put_file(&bytes[..]).unwrap(),
        };
        fs::write(folder.join("promised.new"), digest.to_string()).unwrap();
        fs::rename(folder.join("promised.new"), folder.join("promised")).unwrap();
        store.remove(&Digest::of(&blob(i.wrapping_sub(3)))).unwrap();
    }
    unreachable!("the loop has no end")
}

#[test]
fn a_writer_killed_at_any_moment_leaves_whole_blobs_and_keeps_its_promises() {
    const ME: &str =
        "crash::a_writer_killed_at_any_moment_leaves_whole_blobs_and_keeps_its_promises";
    if let Some(folder) = again::folder() {
        write_for_ever(&folder);
    }
    let folder = TempDir::new().unwrap();
    let (mut blobs, mut unfinished) = (0, 0);
    for round in 0..60u64 {
        let after = Duration::from_micros(997 * round);
        again::kill(ME, folder.path(), round >= 10, after);

        let incoming = folder.path().join("incoming-1");
        unfinished += fs::read_dir(&incoming).map_or(0, Iterator::count);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(fs::read_dir(&incoming).unwrap().count(), 0);
        for (digest, len) in store.list().unwrap() {
            assert_eq!(store.get(&digest).unwrap().len() as u64, len);
            blobs += 1;
        }
        if let Ok(promised) = fs::read_to_string(folder.path().join("promised")) {
            assert!(store.has(&promised.parse().unwrap()), "round {round}");
        }
    }
    assert!(blobs > 0, "no writer ever finished a blob");
    assert!(unfinished > 0, "no writer was ever killed while it wrote");
}

/// Each size leaves the writer to run into the limit in another write.
fn fill(folder: &Path) {
    fill_one(Store::open(folder).unwrap(), folder);
    let folder = folder.join("sealed");
    fill_one(Store::open_sealed(&folder, &key()).unwrap(), &folder);
}

fn fill_one(store: Store, folder: &Path) {
    let kept = store.put(b"kept").unwrap();
    let large = vec![1; 4 << 20];
    for error in [
        store.put(&large).unwrap_err(),
        store.put_file(&large[..]).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    }
    assert_eq!(fs::read_dir(folder.join("incoming-1")).unwrap().count(), 0);
    assert_eq!(store.get(&kept).unwrap(), b"kept");
    assert_eq!(store.list().unwrap(), [(kept, 4)]);
    let small = store.put(b"there is room again").unwrap();
    assert!(store.has(&small));
}

#[test]
fn a_write_that_the_system_cuts_short_leaves_nothing() {
    const ME: &str = "crash::a_write_that_the_system_cuts_short_leaves_nothing";
    if let Some(folder) = again::folder() {
        return fill(&folder);
    }
    let folder = TempDir::new().unwrap();
    again::with_short_files(ME, folder.path(), 1000);
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing() {
    const ME: &str = "crash::a_full_disk_is_a_clear_error_and_leaves_nothing";
    if let Some(folder) = again::folder() {
        return fill(&folder);
    }
    let folder = TempDir::new().unwrap();
    again::on_small_disk(ME, folder.path(), 1);
}

/// Puts and removes blobs, most of which the other process puts too.
fn share(folder: &Path) {
    let store = Store::open_sealed(folder, &key()).unwrap();
    for round in 0..3 {
        for i in 0..30 {
            let bytes = blob(i);
            let digest = store.put_file(&bytes[..]).unwrap();
            // The other one may have removed it just now.
            match store.get(&digest) {
                Err(StoreError::Missing(_)) if i % 5 == 0 => {}
                read => assert_eq!(read.unwrap(), bytes),
            }
            if round < 2 && i % 5 == 0 {
                store.remove(&digest).unwrap();
            }
        }
    }
}

#[test]
fn two_processes_share_a_sealed_store() {
    const ME: &str = "crash::two_processes_share_a_sealed_store";
    if let Some(folder) = again::folder() {
        return share(&folder);
    }
    let folder = TempDir::new().unwrap();
    let start = || again::command(ME, folder.path()).spawn().unwrap();
    let children = [start(), start()];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open_sealed(folder.path(), &key()).unwrap();
    for i in (0..30).filter(|i| i % 5 != 0) {
        assert_eq!(store.get(&Digest::of(&blob(i))).unwrap(), blob(i));
    }
    let left = folder.path().join("incoming-1");
    assert_eq!(fs::read_dir(left).unwrap().count(), 0);
}
