//! Blobs through the API.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;
use opensky_api::{ClientError, Code, Hex};
use opensky_protocol::Digest;

use crate::served::{DISK, Served};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("blobs come back whole, and in parts", || {
            there_and_back();
            Ok(())
        }),
        Trial::test(
            "a blob that is damaged is told before any of it is sent",
            || {
                damaged();
                Ok(())
            },
        ),
        Trial::test("what breaks off, or does not fit, is not stored", || {
            not_stored();
            Ok(())
        }),
    ]
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn there_and_back() {
    let served = Served::alone();
    for len in [0, 1, 16 << 10, (256 << 10) + 1, 3_000_001] {
        let bytes = noise(len);
        for known in [Some(len as u64), None] {
            let blob = served.client.put_blob(&bytes[..], known).expect("stored");
            assert_eq!(Digest::from(blob.digest), Digest::of(&bytes));
            assert_eq!(blob.len.value(), len as u64);
        }
        let digest = Hex::from(Digest::of(&bytes));
        let read = |from: u64| {
            let mut reader = served.client.blob(digest, from).expect("it is there");
            let mut got = Vec::new();
            reader.read_to_end(&mut got).expect("whole");
            assert_eq!(reader.content_len(), Some(got.len() as u64));
            got
        };
        assert!(read(0) == bytes);
        for from in [1, len / 2, len.saturating_sub(1)] {
            if from > 0 && from < len {
                assert!(read(from as u64) == bytes[from..]);
            }
        }
        let path = format!("/v1/blobs/{digest}");
        let beyond = served.ask("GET", &path, &format!("range: bytes={len}-\r\n"), b"");
        assert_eq!(beyond.problem().code, Code::Range);
        if len > 10 {
            let part = served.ask("GET", &path, "range: bytes=3-9\r\n", b"");
            assert_eq!((part.status, &part.body[..]), (206, &bytes[3..10]));
            assert!(
                part.head
                    .contains(&format!("content-range: bytes 3-9/{len}"))
            );
        }
    }
    let missing = served.client.blob(Hex([7; 32]), 0);
    assert!(
        matches!(missing, Err(ClientError::Problem(problem)) if problem.code == Code::NotFound)
    );
    served.end();
}

/// The largest file below a folder, and how large it is.
fn largest(folder: &Path) -> (u64, PathBuf) {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => largest(&path),
            false => (path.metadata().expect("it is there").len(), path),
        }
    });
    sizes.max().unwrap_or_default()
}

fn damaged() {
    let served = Served::alone();
    let bytes = noise(300_000);
    let blob = served.client.put_blob(&bytes[..], None).expect("stored");
    let digest = blob.digest.to_string();
    let file = largest(&served.folder().join("store")).1;
    let mut stored = std::fs::read(&file).expect("readable");
    stored[700] ^= 1;
    std::fs::write(&file, stored).expect("written");
    let reply = served.ask("GET", &format!("/v1/blobs/{digest}"), "", b"");
    let problem = reply.problem();
    assert_eq!(problem.code, Code::Internal);
    assert!(problem.detail.contains("is damaged"), "{problem:?}");
    served
        .client
        .put_blob(&bytes[..], None)
        .expect("it is mended");
    let whole = served.ask("GET", &format!("/v1/blobs/{digest}"), "", b"");
    assert!(whole.body == bytes);
    served.end();
}

fn not_stored() {
    let served = Served::alone();
    let bytes = noise(300_000);
    let digest = Hex::from(Digest::of(&bytes));
    let token = served.token();
    let head = format!(
        "POST /v1/blobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/octet-stream\r\ncontent-length: 600000\r\n\r\n"
    );
    let mut stream = served.connect();
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&bytes).expect("sent");
    drop(stream);
    let gone = served.client.blob(digest, 0);
    assert!(matches!(gone, Err(ClientError::Problem(problem)) if problem.code == Code::NotFound));

    for known in [None, Some(3 * DISK)] {
        let large = std::io::repeat(7).take(3 * DISK);
        let full = match served.client.put_blob(large, known) {
            Err(ClientError::Problem(problem)) => problem.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(full, Code::Full);
    }
    let head = format!(
        "POST /v1/blobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        DISK + 1
    );
    let unsaid = served.say(head.as_bytes());
    assert_eq!(unsaid.problem().code, Code::Full, "none of it has to come");
    let small = served
        .client
        .put_blob(&bytes[..], None)
        .expect("there is room again");
    assert_eq!(small.digest, digest);
    served.end();
}
