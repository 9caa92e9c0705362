//! Blobs come whole and right, or not at all.

mod foes;
mod nodes;

use std::{
    io,
    time::{Duration, Instant},
};

use foes::{BLOB, Foe};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::Stream;
use nodes::{Folder, Node, QUIC, Shelf, TCP, Taken, bytes, config};
use opensky_network::FetchError;
use opensky_protocol::Digest;

const MIB: usize = 1 << 20;
const LIMIT: u64 = 1 << 30;

/// Sends other bytes, after the right length.
async fn lie(mut stream: Stream, length: u64) -> io::Result<()> {
    let mut digest = [0; 32];
    stream.read_exact(&mut digest).await?;
    stream.write_all(&length.to_be_bytes()).await?;
    loop {
        stream.write_all(&[7; 4096]).await?;
        stream.flush().await?;
    }
}

/// A source that lies about every byte of a blob.
async fn liar(number: u8, length: u64) -> Foe {
    let mut foe = Foe::start(number).await;
    let mut streams = foe.accept(BLOB);
    tokio::spawn(async move {
        while let Some((_, stream)) = streams.next().await {
            tokio::spawn(lie(stream, length));
        }
    });
    foe
}

/// A source that takes streams and says nothing.
async fn silent(number: u8) -> Foe {
    let mut foe = Foe::start(number).await;
    let mut streams = foe.accept(BLOB);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Some((_, stream)) = streams.next().await {
            open.push(stream);
        }
    });
    foe
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_of_64_mib_comes_from_two_sources_while_a_third_lies_and_a_fourth_is_silent() {
    let blob = bytes(64 * MIB + 12_345, 1);
    let (shelf, digest) = Shelf::of(&blob);
    let (folder, _) = Folder::of(&blob);
    let first = Node::with_blobs(1, config(&[TCP], &[]), shelf).await;
    let second = Node::with_blobs(2, config(&[TCP], &[]), folder).await;
    let length = blob.len() as u64;
    let (liar, silent) = (liar(3, length).await, silent(4).await);
    let mut config = config(&[], &[&first, &second]);
    config
        .bootstrap
        .extend([liar.address.clone(), silent.address.clone()]);
    let third = Node::start(5, config).await;
    let mut sink = Taken::default();
    let sources = [liar.key, silent.key, first.key, second.key];
    let fetched = third
        .network
        .fetch(digest, &sources, &mut sink, LIMIT)
        .await;
    let fetched = fetched.unwrap();
    assert!(sink.bytes == blob, "every byte is right");
    assert_eq!(fetched.length, length);
    assert_eq!(fetched.bad, [liar.key]);
    assert_eq!(sink.written, length, "no byte is written twice");
    for good in [&first, &second] {
        let sent = good.network.status().await.unwrap().bytes_out;
        assert!(
            sent > 8 << 20,
            "both good sources took part, not {sent} bytes"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_comes_over_quic_and_from_files() {
    for length in [0, 1, 16_384, 300_000, 2 * MIB] {
        let blob = bytes(length, 2);
        let (folder, digest) = Folder::of(&blob);
        let first = Node::with_blobs(1, config(&[QUIC], &[]), folder).await;
        let second = Node::start(2, config(&[], &[&first])).await;
        let mut sink = Taken::default();
        let fetched = second
            .network
            .fetch(digest, &[first.key], &mut sink, LIMIT)
            .await;
        assert_eq!(fetched.unwrap().length, length as u64);
        assert!(sink.bytes == blob);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_goes_on_where_a_lost_connection_left_it() {
    let blob = bytes(16 * MIB, 3);
    let (shelf, digest) = Shelf::of(&blob);
    let first = Node::with_blobs(1, config(&[TCP], &[]), shelf.clone()).await;
    let second = Node::start(2, config(&[], &[&first])).await;
    let mut sink = Taken {
        fail_after: Some(8 << 20),
        ..Taken::default()
    };
    let cut = second
        .network
        .fetch(digest, &[first.key], &mut sink, LIMIT)
        .await;
    assert!(matches!(cut, Err(FetchError::Sink(_))));
    assert_eq!(sink.written, 8 << 20);
    // The source goes away with its connection, and another one goes on.
    first.network.shutdown().await;
    let gone = second
        .network
        .fetch(digest, &[first.key], &mut sink, LIMIT)
        .await;
    assert!(matches!(gone, Err(FetchError::NoSource { silent, .. }) if silent == [first.key]));
    let third = Node::with_blobs(3, config(&[TCP], &[]), shelf).await;
    let fourth = Node::start(2, config(&[], &[&third])).await;
    sink.fail_after = None;
    fourth
        .network
        .fetch(digest, &[third.key], &mut sink, LIMIT)
        .await
        .unwrap();
    assert!(sink.bytes == blob);
    let received = fourth.network.status().await.unwrap().bytes_in;
    assert!(
        received < 10 << 20,
        "only the rest was sent, not {received} bytes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn source_that_never_answers_is_given_up_and_named() {
    let silent = silent(3).await;
    let mut config = config(&[], &[]);
    config.bootstrap.push(silent.address.clone());
    config.limits.stall_time = Duration::from_millis(200);
    let node = Node::start(1, config).await;
    let digest = Digest::of(b"what nobody has");
    let fetched = node
        .network
        .fetch(digest, &[silent.key], &mut Taken::default(), LIMIT)
        .await;
    let Err(FetchError::NoSource {
        bad, silent: named, ..
    }) = fetched
    else {
        panic!("nobody has it");
    };
    assert_eq!((bad, named), (vec![], vec![silent.key]));
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_of_one_piece_comes_from_one_of_its_sources() {
    let blob = bytes(200_000, 6);
    let (shelf, digest) = Shelf::of(&blob);
    let mut sources = Vec::new();
    for number in 1..5 {
        sources.push(Node::with_blobs(number, config(&[TCP], &[]), shelf.clone()).await);
    }
    let node = Node::start(9, config(&[], &sources.iter().collect::<Vec<_>>())).await;
    let keys: Vec<_> = sources.iter().map(|source| source.key).collect();
    let mut sink = Taken::default();
    let fetched = node.network.fetch(digest, &keys, &mut sink, LIMIT).await;
    assert_eq!(fetched.unwrap().length, 200_000);
    assert!(sink.bytes == blob);
    let received = node.received().await;
    assert!(received < 300_000, "{received} bytes came for one piece");
}

#[tokio::test(flavor = "multi_thread")]
async fn source_sends_no_faster_than_it_may() {
    let blob = bytes(2 * MIB, 5);
    let (shelf, digest) = Shelf::of(&blob);
    let mut slow = config(&[TCP], &[]);
    slow.limits.blob_bytes_per_second = Some(2 << 20);
    let first = Node::with_blobs(1, slow, shelf).await;
    let second = Node::start(2, config(&[], &[&first])).await;
    let begin = Instant::now();
    let mut sink = Taken::default();
    let sources = [first.key];
    let fetched = second.network.fetch(digest, &sources, &mut sink, LIMIT);
    fetched.await.unwrap();
    assert!(sink.bytes == blob);
    assert!(begin.elapsed() > Duration::from_millis(700));
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_over_the_callers_limit_is_refused_before_the_sink_hears_of_it() {
    let blob = bytes(MIB, 4);
    let (shelf, digest) = Shelf::of(&blob);
    let first = Node::with_blobs(1, config(&[TCP], &[]), shelf).await;
    let second = Node::start(2, config(&[], &[&first])).await;
    let mut sink = Taken::default();
    let fetched = second
        .network
        .fetch(digest, &[first.key], &mut sink, 1000)
        .await;
    assert!(matches!(fetched, Err(FetchError::TooLong { length, .. }) if length == MIB as u64));
    assert!(sink.bytes.is_empty());
}
