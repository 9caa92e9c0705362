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
    time::timeout,
};

use crate::nodes::{TCP, key, seed};

pub const CONTROL: StreamProtocol = StreamProtocol::new("/opensky/test/control/1");
pub const BLOB: StreamProtocol = StreamProtocol::new("/opensky/test/blob/1");

/// A peer whose streams are in a test's hands.
pub struct Foe {
    pub key: NodeKey,
    pub address: String,
    pub control: Control,
    victim: Option<Multiaddr>,
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
            .with_quic()
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
                        waiting = swarm.dial(address).is_ok().then_some(connected);
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
            victim: None,
            dial,
            task,
        }
    }

    /// Connects to a node.
    pub async fn dial(&mut self, address: &str) -> PeerId {
        let (tell, connected) = oneshot::channel();
        self.victim = Some(address.parse().expect("an address"));
        let address = address.parse().expect("an address");
        self.dial.send((address, tell)).await.expect("the foe runs");
        connected.await.expect("the victim takes the connection")
    }

    /// Connects again, if the victim has hung up. One that is cut off stays so.
    pub async fn redial(&mut self, victim: PeerId) {
        let mut control = self.control.clone();
        let ping = control.open_stream(victim, StreamProtocol::new("/ipfs/ping/1.0.0"));
        if timeout(Duration::from_millis(500), ping)
            .await
            .is_ok_and(|open| open.is_ok())
        {
            return;
        }
        if let Some(address) = self.victim.clone() {
            let (tell, connected) = oneshot::channel();
            let _ = self.dial.send((address, tell)).await;
            let _ = timeout(Duration::from_millis(500), connected).await;
        }
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
