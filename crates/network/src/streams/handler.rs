//! One connection's part in our protocols: refuses at once what a peer has no slot for.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use libp2p::{
    Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use opensky_protocol::NodeKey;
use tokio::sync::{mpsc, oneshot};

use super::{Held, Kind, Share};
use crate::config::Protocols;

/// A stream that a peer opened, and the slot that it takes for as long as it is served.
#[derive(Debug)]
pub struct Incoming {
    pub from: NodeKey,
    pub kind: Kind,
    pub stream: Stream,
    pub share: Share,
    pub slot: Held,
}

/// The wish for a stream. Whoever cannot fulfil it says why, or drops it.
#[derive(Debug)]
pub struct Open {
    pub kind: Kind,
    pub reply: oneshot::Sender<Result<Stream, OpenError>>,
}

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The peer cannot be reached.
    Unreachable,
    /// The peer does not speak our protocol.
    Foreign,
    /// The connection ended meanwhile.
    Lost,
    /// Too many wait already.
    Busy,
}

/// Takes streams of both protocols.
#[derive(Clone, Debug)]
pub struct Both([(Kind, StreamProtocol); 2]);

impl UpgradeInfo for Both {
    type Info = StreamProtocol;
    type InfoIter = [StreamProtocol; 2];

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().map(|(_, name)| name)
    }
}

impl InboundUpgrade<Stream> for Both {
    type Output = (Kind, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        let [control, blob] = self.0;
        let kind = if name == control.1 { control.0 } else { blob.0 };
        ready(Ok((kind, stream)))
    }
}

/// One connection's part.
pub struct Handler {
    peer: NodeKey,
    protocols: Both,
    share: Share,
    incoming: mpsc::Sender<Incoming>,
    wanted: VecDeque<Open>,
}

impl Handler {
    pub fn new(
        peer: NodeKey,
        protocols: &Protocols,
        share: Share,
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        Self {
            peer,
            protocols: Both([
                (Kind::Control, protocols.control.clone()),
                (Kind::Blob, protocols.blob.clone()),
            ]),
            share,
            incoming,
            wanted: VecDeque::new(),
        }
    }

    /// Hands a stream over to whoever serves it. Dropping it instead resets it: the peer learns at
    /// once that it was refused.
    fn admit(&mut self, kind: Kind, stream: Stream) {
        let Some(slot) = self.share.slot(kind) else {
            tracing::debug!(peer = %self.peer, ?kind, "stream refused: no slot");
            return;
        };
        let incoming = Incoming {
            from: self.peer,
            kind,
            stream,
            share: self.share.clone(),
            slot,
        };
        if self.incoming.try_send(incoming).is_err() {
            tracing::debug!(peer = %self.peer, ?kind, "stream refused: too many at once");
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Infallible;
    type InboundProtocol = Both;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Open;

    fn listen_protocol(&self) -> SubstreamProtocol<Both> {
        SubstreamProtocol::new(self.protocols.clone(), ())
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.wanted.push_back(open);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Open, Infallible>> {
        // Whoever gave up waiting needs no stream.
        while let Some(open) = self.wanted.pop_front() {
            if open.reply.is_closed() {
                continue;
            }
            let [control, blob] = &self.protocols.0;
            let (_, name) = if open.kind == control.0 {
                control
            } else {
                blob
            };
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(name.clone()), open);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Open>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (kind, stream),
                ..
            }) => self.admit(kind, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: open,
            }) => {
                // Whoever gave up meanwhile drops it.
                let _ = open.reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: open, error }) => {
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => OpenError::Foreign,
                    _ => OpenError::Lost,
                };
                let _ = open.reply.send(Err(error));
            }
            _ => {}
        }
    }
}
