//! Peers that speak libp2p and keep to none of our rules.
// Each test binary uses a part of this.
#![allow(dead_code)]

use std::time::Duration;

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder, identity::Keypair, noise,
    swarm::SwarmEvent, tcp, yamux,
};
use libp2p_stream::{Control, IncomingStreams};
use opensky_protocol::NodeKey;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::nodes::{Node, TCP, key, seed};

pub const CONTROL: StreamProtocol = StreamProtocol::new("/opensky/test/control/1");
pub const BLOB: StreamProtocol = StreamProtocol::new("/opensky/test/blob/1");

/// A peer whose streams are in a test's hands.
pub struct Foe {
    pub key: NodeKey,
    pub address: String,
    pub control: Control,
    dial: mpsc::Sender<(Multiaddr, oneshot::Sender<PeerId>)>,
    task: JoinHandle<()>,
}

impl Foe {
    pub async fn start(number: u8) -> Self {
        let keys = Keypair::ed25519_from_bytes(seed(number)).expect("any bytes are a key");
        let swarm = SwarmBuilder::with_existing_identity(keys)
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .expect("TCP works")
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .expect("it cannot fail")
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(600))
            });
        let mut swarm = swarm.build();
        let address = TCP.parse::<Multiaddr>().expect("an address");
        swarm.listen_on(address).expect("a free port");
        let control = swarm.behaviour().new_control();
        let peer = *swarm.local_peer_id();
        let (tell, address) = oneshot::channel();
        let (dial, mut dials) = mpsc::channel::<(Multiaddr, oneshot::Sender<PeerId>)>(1);
        let task = tokio::spawn(async move {
            let (mut tell, mut waiting) = (Some(tell), None);
            loop {
                tokio::select! {
                    Some((address, connected)) = dials.recv() => {
                        swarm.dial(address).expect("it can be dialled");
                        waiting = Some(connected);
                    }
                    event = swarm.select_next_some() => match event {
                        SwarmEvent::NewListenAddr { address, .. } => {
                            let _ = tell.take().map(|tell| tell.send(address));
                        }
                        SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                            let _ = waiting.take().map(|tell| tell.send(peer_id));
                        }
                        _ => {}
                    },
                }
            }
        });
        let address = address.await.expect("it listens");
        Self {
            key: key(number),
            address: format!("{address}/p2p/{peer}"),
            control,
            dial,
            task,
        }
    }

    pub async fn connect(&self, victim: &Node) -> PeerId {
        let (tell, connected) = oneshot::channel();
        let address = victim.address.parse().expect("an address");
        self.dial.send((address, tell)).await.expect("the foe runs");
        connected.await.expect("the victim takes the connection")
    }

    pub async fn open(&mut self, victim: PeerId, protocol: StreamProtocol) -> Option<Stream> {
        self.control.open_stream(victim, protocol).await.ok()
    }

    pub fn accept(&mut self, protocol: StreamProtocol) -> IncomingStreams {
        self.control
            .accept(protocol)
            .expect("nobody else takes them")
    }
}

impl Drop for Foe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
