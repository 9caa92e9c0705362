//! Nodes that cannot be reached directly are reached through relays, and know how they stand.

mod nodes;

use nodes::{Node, Shelf, TCP, Taken, bytes, config, eventually};
use opensky_network::{Config, Exposure, Reachability, StartError};

async fn relay() -> Node {
    let config = Config {
        serve_relay: true,
        ..config(&[TCP], &[])
    };
    Node::start(1, config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_only_listens_through_a_relay_is_asked_and_fetched_from() {
    let relay = relay().await;
    let circuit = format!("{}/p2p-circuit", relay.address);
    let blob = bytes(1 << 20, 1);
    let (shelf, digest) = Shelf::of(&blob);
    let mut hidden_config = config(&[&circuit], &[]);
    hidden_config.exposure = Exposure::Probed;
    let mut hidden = Node::with_blobs(2, hidden_config, shelf).await;
    hidden.echo();
    let caller = Node::start(3, config(&[TCP], &[&relay])).await;
    let reply =
        eventually(|| async { caller.network.ask(hidden.key, b"hello".to_vec()).await.ok() });
    assert_eq!(reply.await, b"hello");
    let status = hidden.network.status().await.unwrap();
    assert_eq!(status.relays, [relay.key]);
    assert!(
        status
            .external
            .iter()
            .all(|address| address.contains("/p2p-circuit"))
    );
    let mut sink = Taken::default();
    let fetched = caller
        .network
        .fetch(digest, &[hidden.key], &mut sink, 1 << 30)
        .await;
    fetched.unwrap();
    assert!(sink.bytes == blob);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_nobody_reaches_finds_that_out_and_listens_through_a_relay() {
    let relay = relay().await;
    let mut config = config(&[], &[&relay]);
    config.exposure = Exposure::Probed;
    let mut hidden = Node::start(2, config).await;
    let status = hidden.network.status().await.unwrap();
    assert!(matches!(status.reachability, Reachability::Unknown { .. }));
    hidden.echo();
    let status = eventually(|| async {
        let status = hidden.network.status().await.unwrap();
        (status.relays == [relay.key]).then_some(status)
    });
    assert!(matches!(
        status.await.reachability,
        Reachability::Private { .. }
    ));
    let caller = Node::start(3, nodes::config(&[TCP], &[&relay])).await;
    let reply =
        eventually(|| async { caller.network.ask(hidden.key, b"hello".to_vec()).await.ok() });
    assert_eq!(reply.await, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_reached_finds_that_out() {
    let first = Node::start(1, config(&[TCP], &[])).await;
    let mut config = config(&[TCP], &[&first]);
    config.exposure = Exposure::Probed;
    let second = Node::start(2, config).await;
    let status = eventually(|| async {
        let status = second.network.status().await.unwrap();
        (status.reachability == Reachability::Public).then_some(status)
    });
    assert_eq!(status.await.external.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_node_that_comes_late_is_dialled_again() {
    let first = Node::start(1, config(&[TCP], &[])).await;
    let listen = first.address.split("/p2p/").next().unwrap().to_owned();
    let address = first.address.clone();
    first.network.shutdown().await;
    let mut late = config(&[TCP], &[]);
    late.bootstrap.push(address);
    let mut second = Node::start(2, late).await;
    let first = Node::start(1, config(&[&listen], &[])).await;
    second.connected_to(first.key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_that_makes_no_sense_is_refused_with_its_reason() {
    let start = |config| opensky_network::Network::start(config, &[1; 32], shelf());
    let listen = start(config(&["127.0.0.1:4001"], &[])).await;
    assert!(matches!(listen, Err(StartError::Address { text }) if text == "127.0.0.1:4001"));
    let mut nobody = config(&[], &[]);
    nobody.bootstrap.push("/ip4/127.0.0.1/tcp/4001".into());
    assert!(matches!(
        start(nobody).await,
        Err(StartError::Nobody { text }) if text == "/ip4/127.0.0.1/tcp/4001"
    ));
    let name = start(Config::new("no/name")).await;
    assert!(matches!(name, Err(StartError::NetworkName { .. })));
    let first = Node::start(1, config(&[TCP], &[])).await;
    let taken = first.address.split("/p2p/").next().unwrap();
    let twice = start(config(&[taken], &[])).await;
    assert!(
        matches!(twice, Err(StartError::Listen { .. })),
        "{:?}",
        twice.err()
    );
}

fn shelf() -> std::sync::Arc<Shelf> {
    std::sync::Arc::default()
}
