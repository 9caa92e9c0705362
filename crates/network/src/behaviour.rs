//! What the swarm is made of, in the order in which it is polled.

use std::{collections::HashSet, io, num::NonZeroU32, num::NonZeroUsize, time::Duration};

use libp2p::{
    StreamProtocol, allow_block_list as block_list, autonat, connection_limits, dcutr, gossipsub,
    identify,
    identity::Keypair,
    kad, mdns, memory_connection_limits, ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use tokio::sync::mpsc;

use crate::{
    config::{Config, Limits, Protocols},
    error::StartError,
    records::Records,
    streams::{self, Incoming},
};

/// The longest announcement: a digest, a price, a signature, and room.
pub const ANNOUNCEMENT_BYTES: usize = 1 << 10;
/// The longest message of gossip: some dozens of announcements, or the control messages of a
/// heartbeat.
const GOSSIP_BYTES: usize = 64 << 10;
/// Announcements that wait for one slow peer.
const GOSSIP_QUEUE: usize = 256;
/// A packet of the table: a record and what is around it.
const KAD_PACKET: usize = 16 << 10;
/// A look-up takes a few rounds of a few hundred milliseconds; whatever takes longer is stuck.
const KAD_QUERY: Duration = Duration::from_secs(20);
const KAD_STREAM: Duration = Duration::from_secs(5);
/// A circuit through a relay of ours: long and large enough for control, and for a blob where holes
/// cannot be punched.
const CIRCUIT_TIME: Duration = Duration::from_secs(60 * 60);
const CIRCUIT_BYTES: u64 = 256 << 20;

/// What the swarm is made of.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub blocked: block_list::Behaviour<block_list::BlockedPeers>,
    pub connection_limits: connection_limits::Behaviour,
    pub memory_limits: memory_connection_limits::Behaviour,
    pub streams: streams::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub relay_client: relay::client::Behaviour,
    pub relay_server: Toggle<relay::Behaviour>,
    pub hole_punching: dcutr::Behaviour,
    pub reach_client: autonat::v2::client::Behaviour,
    pub reach_server: autonat::v2::server::Behaviour,
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    pub kad: kad::Behaviour<Records>,
    pub gossip: Gossip,
}

/// Gossip about the one topic of this network.
pub type Gossip =
    gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::WhitelistSubscriptionFilter>;

impl Behaviour {
    pub fn new(
        config: &Config,
        protocols: &Protocols,
        keys: &Keypair,
        relay_client: relay::client::Behaviour,
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, StartError> {
        let limits = &config.limits;
        let me = keys.public().to_peer_id();
        let relay_server = config
            .serve_relay
            .then(|| relay::Behaviour::new(me, relay_config()));
        let mdns = config.mdns.then(|| {
            mdns::tokio::Behaviour::new(mdns::Config::default(), me).map_err(|source| {
                StartError::Stack {
                    part: "look-up on the local network",
                    source,
                }
            })
        });
        Ok(Self {
            blocked: block_list::Behaviour::default(),
            connection_limits: connection_limits::Behaviour::new(connections(limits)),
            memory_limits: memory_connection_limits::Behaviour::with_max_bytes(
                limits.process_bytes,
            ),
            streams: streams::Behaviour::new(protocols.clone(), limits.clone(), incoming),
            identify: identify::Behaviour::new(identify_config(protocols, keys)),
            ping: ping::Behaviour::default(),
            relay_client,
            relay_server: relay_server.into(),
            hole_punching: dcutr::Behaviour::new(me),
            reach_client: autonat::v2::client::Behaviour::default(),
            reach_server: autonat::v2::server::Behaviour::default(),
            mdns: mdns.transpose()?.into(),
            kad: kad::Behaviour::with_config(
                me,
                Records::new(me, limits),
                kad_config(protocols.kad.clone()),
            ),
            gossip: gossip(protocols, keys).map_err(|source| StartError::Stack {
                part: "gossip",
                source,
            })?,
        })
    }
}

fn connections(limits: &Limits) -> connection_limits::ConnectionLimits {
    let most = limits.connections;
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some((most / 4).max(8)))
        .with_max_pending_outgoing(Some((most / 2).max(8)))
        // Strangers leave room for those whom this node wants to talk to.
        .with_max_established_incoming(Some((most / 4 * 3).max(1)))
        .with_max_established(Some(most))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
}

fn identify_config(protocols: &Protocols, keys: &Keypair) -> identify::Config {
    identify::Config::new(protocols.identify.clone(), keys.public())
        .with_agent_version(concat!("opensky/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(true)
        // Addresses of peers are kept in the table, which is bounded.
        .with_cache_size(0)
}

fn relay_config() -> relay::Config {
    let config = relay::Config {
        max_circuit_duration: CIRCUIT_TIME,
        max_circuit_bytes: CIRCUIT_BYTES,
        ..relay::Config::default()
    };
    config
        .reservation_rate_per_peer(
            NonZeroU32::new(30).expect("not zero"),
            Duration::from_secs(120),
        )
        .circuit_src_per_peer(
            NonZeroU32::new(30).expect("not zero"),
            Duration::from_secs(60),
        )
}

fn kad_config(protocol: StreamProtocol) -> kad::Config {
    let mut config = kad::Config::new(protocol);
    config
        .set_max_packet_size(KAD_PACKET)
        .set_query_timeout(KAD_QUERY)
        .set_substreams_timeout(KAD_STREAM)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        // Addresses come from identify alone: what a peer listens on, not where it dialled from.
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_kbucket_size(NonZeroUsize::new(20).expect("not zero"))
        // The driver starts it, watches it, and starts it again if it is stuck.
        .set_periodic_bootstrap_interval(None)
        .set_caching(kad::Caching::Disabled);
    config
}

/// The topic's own type, so that nothing else is subscribed to.
pub fn topic(protocols: &Protocols) -> gossipsub::IdentTopic {
    gossipsub::IdentTopic::new(protocols.topic.clone())
}

fn gossip(protocols: &Protocols, keys: &Keypair) -> io::Result<Gossip> {
    let topic = topic(protocols);
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(protocols.gossip_prefix.clone())
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(GOSSIP_BYTES)
        .flood_publish(false)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .build()
        .map_err(io::Error::other)?;
    let filter = gossipsub::WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let signed = gossipsub::MessageAuthenticity::Signed(keys.clone());
    let mut gossip =
        Gossip::new_with_subscription_filter(signed, config, filter).map_err(io::Error::other)?;
    gossip
        .with_peer_score(scores(&topic), gossipsub::PeerScoreThresholds::default())
        .map_err(io::Error::other)?;
    gossip.subscribe(&topic).map_err(io::Error::other)?;
    Ok(gossip)
}

/// Bad announcements cost; silence does not, as nobody has to announce anything. Peers that share an
/// address, as all do on one machine, are not punished for it: an identity costs nothing either way.
fn scores(topic: &gossipsub::IdentTopic) -> gossipsub::PeerScoreParams {
    let topic_scores = gossipsub::TopicScoreParams {
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -2.0,
        invalid_message_deliveries_decay: 0.9,
        ..gossipsub::TopicScoreParams::default()
    };
    let mut scores = gossipsub::PeerScoreParams {
        ip_colocation_factor_weight: 0.0,
        ..gossipsub::PeerScoreParams::default()
    };
    scores.topics.insert(topic.hash(), topic_scores);
    scores
}
