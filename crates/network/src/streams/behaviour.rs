//! Our protocols' part in the swarm: which connections a peer has, and the peer's one share.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    task::{Context, Poll, Waker},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use tokio::sync::mpsc;

use super::{Incoming, Open, OpenError, Share, handler::Handler};
use crate::{
    config::{Limits, Protocols},
    identity,
};

/// Peers that are gone and whose streams are still served. Past this many the idle are forgotten.
const MOST_SHARES: usize = 1024;

/// Our protocols' part in the swarm.
pub struct Behaviour {
    protocols: Protocols,
    limits: Limits,
    all: Share,
    shares: HashMap<PeerId, Share>,
    /// Each peer's connections, those without a relay first.
    connections: HashMap<PeerId, Vec<(IsRelayed, ConnectionId)>>,
    incoming: mpsc::Sender<Incoming>,
    wishes: VecDeque<(PeerId, ConnectionId, Open)>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum IsRelayed {
    No,
    Yes,
}

/// A peer whose key is of another kind than nodes have.
#[derive(Debug, thiserror::Error)]
#[error("the peer's key is not ed25519")]
struct NotANode;

impl Behaviour {
    pub fn new(protocols: Protocols, limits: Limits, incoming: mpsc::Sender<Incoming>) -> Self {
        Self {
            all: Share::of_all(&limits),
            protocols,
            limits,
            shares: HashMap::new(),
            connections: HashMap::new(),
            incoming,
            wishes: VecDeque::new(),
            waker: None,
        }
    }

    /// Opens a stream to a connected peer, without a relay if there is such a connection.
    pub fn open(&mut self, peer: PeerId, open: Open) {
        let best = self.connections.get(&peer).and_then(|list| list.first());
        let Some((_, connection)) = best else {
            let _ = open.reply.send(Err(OpenError::Lost));
            return;
        };
        self.wishes.push_back((peer, *connection, open));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn handler(&mut self, peer: PeerId) -> Result<Handler, ConnectionDenied> {
        let node = identity::node_of(&peer).ok_or_else(|| ConnectionDenied::new(NotANode))?;
        if self.shares.len() >= MOST_SHARES {
            let connections = &self.connections;
            self.shares
                .retain(|peer, share| connections.contains_key(peer) || !share.is_idle());
        }
        let share = self
            .shares
            .entry(peer)
            .or_insert_with(|| self.all.for_peer(&self.limits))
            .clone();
        Ok(Handler::new(
            node,
            &self.protocols,
            share,
            self.incoming.clone(),
        ))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let address = event.endpoint.get_remote_address();
                let circuit = address.iter().any(|part| part == Protocol::P2pCircuit);
                let relayed = if circuit || event.endpoint.is_relayed() {
                    IsRelayed::Yes
                } else {
                    IsRelayed::No
                };
                let list = self.connections.entry(event.peer_id).or_default();
                list.push((relayed, event.connection_id));
                list.sort_unstable_by_key(|(relayed, _)| *relayed);
            }
            FromSwarm::ConnectionClosed(event) => {
                if let Some(list) = self.connections.get_mut(&event.peer_id) {
                    list.retain(|(_, connection)| *connection != event.connection_id);
                    if list.is_empty() {
                        self.connections.remove(&event.peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.wishes.pop_front() {
            Some((peer_id, connection, event)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(connection),
                event,
            }),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
