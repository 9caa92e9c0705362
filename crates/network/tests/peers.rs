//! Nodes ask, announce and find each other, over each transport.

mod nodes;

use nodes::{Node, QUIC, TCP, config, eventually, key};
use opensky_network::{AnnounceError, AskError, Inbound, Network};

async fn pair(transport: &str) -> (Node, Node) {
    let mut first = Node::start(1, config(&[transport], &[])).await;
    first.echo();
    let second = Node::start(2, config(&[transport], &[&first])).await;
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_answered_over_tcp_and_over_quic() {
    for transport in [TCP, QUIC] {
        let (first, second) = pair(transport).await;
        for length in [0, 1, 100_000, 4 << 20] {
            let request = nodes::bytes(length, 1);
            let reply = second.network.ask(first.key, request.clone()).await;
            assert!(reply == Ok(request), "{transport} {length}");
        }
        let status = second.network.status().await.unwrap();
        assert!(status.bytes_out > 4 << 20 && status.bytes_in > 4 << 20);
        assert_eq!(status.connected, [first.key]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_are_all_answered() {
    let (first, second) = pair(TCP).await;
    let asks = (0..500u32).map(|number| {
        let (network, to) = (second.network.clone(), first.key);
        tokio::spawn(async move {
            let request = number.to_be_bytes().to_vec();
            assert_eq!(network.ask(to, request.clone()).await, Ok(request));
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_only_a_third_one_knows_is_found_and_asked() {
    let first = Node::start(1, config(&[TCP], &[])).await;
    let mut second = Node::start(2, config(&[TCP], &[&first])).await;
    let mut third = Node::start(3, config(&[TCP], &[&first])).await;
    second.connected_to(first.key).await;
    third.connected_to(first.key).await;
    second.echo();
    let reply =
        eventually(|| async { third.network.ask(second.key, b"hello".to_vec()).await.ok() });
    assert_eq!(reply.await, b"hello");
}

/// A stream to a peer that is not connected must not be forgotten because another one is wanted.
#[tokio::test(flavor = "multi_thread")]
async fn many_peers_that_are_not_connected_are_all_asked_at_once() {
    let first = Node::start(1, config(&[TCP], &[])).await;
    let mut others = Vec::new();
    for number in 2..12 {
        let mut node = Node::start(number, config(&[TCP], &[&first])).await;
        node.connected_to(first.key).await;
        node.echo();
        others.push(node);
    }
    let known = || async {
        let status = first.network.status().await?;
        (status.known == others.len()).then_some(())
    };
    eventually(known).await;
    let caller = Node::start(20, config(&[], &[&first])).await;
    let asks = others
        .iter()
        .flat_map(|node| (0..20u8).map(|number| caller.network.ask(node.key, vec![number; 100])));
    let replies = futures::future::join_all(asks).await;
    assert_eq!(replies.len(), 200);
    for reply in replies {
        reply.expect("each is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_nobody_knows_is_unreachable() {
    let (_first, second) = pair(TCP).await;
    let peer = key(99);
    let reply = second.network.ask(peer, Vec::new()).await;
    assert_eq!(reply, Err(AskError::Unreachable { peer }));
    let own = second.network.ask(second.key, Vec::new()).await;
    assert_eq!(own, Err(AskError::Unreachable { peer: second.key }));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_is_dropped_and_one_that_is_too_long_get_no_reply() {
    let mut first = Node::start(1, config(&[TCP], &[])).await;
    let second = Node::start(2, config(&[TCP], &[&first])).await;
    let ask = second.network.ask(first.key, b"?".to_vec());
    let drop_it = first.wait(|inbound| matches!(inbound, Inbound::Request { .. }).then_some(()));
    let (reply, ()) = tokio::join!(ask, drop_it);
    assert_eq!(reply, Err(AskError::NoReply { peer: first.key }));
    let long = second.network.ask(first.key, vec![0; (4 << 20) + 1]).await;
    assert!(matches!(long, Err(AskError::TooLong { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn announcement_reaches_everybody_over_others_and_is_signed_by_its_author() {
    let mut first = Node::start(1, config(&[TCP], &[])).await;
    let mut second = Node::start(2, config(&[TCP], &[&first])).await;
    let mut third = Node::start(3, config(&[TCP], &[&first])).await;
    second.connected_to(first.key).await;
    third.connected_to(first.key).await;
    first.echo();
    third.echo();
    let author = third.key;
    let announcer = third.network.clone();
    let heard = second.wait(|inbound| match inbound {
        Inbound::Announcement { author, bytes, .. } => Some((author, bytes)),
        _ => None,
    });
    // The second hears it from the first, which must know first that the second listens.
    let announce = async {
        for number in 0u32.. {
            let bytes = [&b"offer "[..], &number.to_be_bytes()].concat();
            let announced = announcer.announce(bytes).await;
            assert!(matches!(announced, Ok(()) | Err(AnnounceError::Alone)));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let (found, bytes) = tokio::select! {
        heard = heard => heard,
        () = announce => unreachable!("it does not end"),
    };
    assert_eq!(found, author);
    assert!(bytes.starts_with(b"offer "));
    let long = third.network.announce(vec![0; 1025]).await;
    assert!(matches!(long, Err(AnnounceError::TooLong { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_different_networks_do_not_talk() {
    let mut first = Node::start(1, config(&[TCP], &[])).await;
    first.echo();
    let mut other = config(&[TCP], &[&first]);
    other.network = "other".into();
    let second = Node::start(2, other).await;
    let reply = second.network.ask(first.key, b"?".to_vec()).await;
    assert!(reply.is_err(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_providers_are_found_by_others() {
    let mut first = Node::start(1, config(&[TCP], &[])).await;
    let mut second = Node::start(2, config(&[TCP], &[&first])).await;
    let mut third = Node::start(3, config(&[TCP], &[&first])).await;
    second.connected_to(first.key).await;
    third.connected_to(first.key).await;
    for node in [&mut first, &mut second, &mut third] {
        node.echo();
    }
    let digest = opensky_protocol::Digest::of(b"program");
    let found = eventually(|| async {
        second.network.provide(digest).await.unwrap();
        let providers = third.network.providers(digest).await.unwrap();
        providers.contains(&second.key).then_some(())
    });
    found.await;
    let found = eventually(|| async {
        let record = b"deployment 1".to_vec();
        second.network.put_record(digest, record).await.unwrap();
        let records = third.network.records(digest).await.unwrap();
        (records == [b"deployment 1".to_vec()]).then_some(())
    });
    found.await;
}

#[tokio::test]
async fn shutdown_leaves_no_task_and_no_answer() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for transport in [TCP, QUIC] {
        let (first, second) = pair(transport).await;
        second.network.ask(first.key, b"?".to_vec()).await.unwrap();
        let handle: Network = second.network.clone();
        second.network.shutdown().await;
        let reply = handle.ask(first.key, Vec::new()).await;
        assert_eq!(reply, Err(AskError::Down));
        assert_eq!(handle.status().await, None);
        first.network.shutdown().await;
        drop((handle, first.inbox, second.inbox));
        eventually(|| async { (metrics.num_alive_tasks() <= before).then_some(()) }).await;
    }
}
