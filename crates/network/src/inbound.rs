//! What comes in from the network, and the answers that it waits for.

use libp2p::{PeerId, gossipsub::MessageId, kad::Record};
use opensky_protocol::{Digest, NodeKey};
use tokio::sync::{mpsc, oneshot};

/// The stream of what comes in. Bounded: while nobody takes from it, peers are told to wait, and
/// announcements are dropped.
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<Inbound>);

/// Something that came in.
#[derive(Debug)]
pub enum Inbound {
    /// A request that waits for its reply.
    Request {
        /// Who asks.
        from: NodeKey,
        /// The request.
        bytes: Vec<u8>,
        /// Where the reply goes.
        reply: Reply,
    },
    /// An announcement. Other peers hear of it once it is accepted.
    Announcement {
        /// Who passed it on first, which is a peer that is connected.
        via: NodeKey,
        /// Who signed it, which need not be who passed it on.
        author: NodeKey,
        /// The announcement.
        bytes: Vec<u8>,
        /// What this node thinks of it.
        verdict: Verdict,
    },
    /// A record that a peer wants kept here. It is kept, and served to others, once it is accepted.
    Record {
        /// Who sent it, which need not be who made it.
        from: NodeKey,
        /// Under which key.
        key: Digest,
        /// The record.
        bytes: Vec<u8>,
        /// What this node thinks of it.
        verdict: Verdict,
    },
    /// A first connection with this peer is there.
    Connected(NodeKey),
    /// The last connection with this peer is gone.
    Disconnected(NodeKey),
}

impl Inbox {
    pub(crate) fn new(receiver: mpsc::Receiver<Inbound>) -> Self {
        Self(receiver)
    }

    /// The next thing that came in; `None` once the network is shut down. May be dropped at any
    /// time without losing anything.
    pub async fn next(&mut self) -> Option<Inbound> {
        self.0.recv().await
    }
}

/// The place for one reply. Dropping it tells the peer that there is none.
#[derive(Debug)]
pub struct Reply(pub(crate) oneshot::Sender<Vec<u8>>);

impl Reply {
    /// Sends the reply, which is at most as long as a message may be: a longer one is dropped.
    pub fn send(self, bytes: Vec<u8>) {
        // The peer may have hung up; then nobody waits for it.
        let _ = self.0.send(bytes);
    }
}

/// The place for one judgement. Dropping it ignores what it is about.
#[derive(Debug)]
pub struct Verdict {
    pub(crate) subject: Subject,
    pub(crate) court: mpsc::Sender<Judged>,
}

/// What a verdict is about.
#[derive(Debug)]
pub(crate) enum Subject {
    Announcement {
        id: MessageId,
        via: PeerId,
    },
    Record {
        from: PeerId,
        record: Record,
    },
    /// A peer that broke a rule that every node knows.
    Peer(NodeKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Accept,
    Reject,
}

#[derive(Debug)]
pub(crate) struct Judged {
    pub subject: Subject,
    pub judgement: Judgement,
}

impl Verdict {
    /// It is good: pass it on, or keep it.
    pub fn accept(self) {
        self.give(Judgement::Accept);
    }

    /// It is of no use here, and nobody's fault.
    pub fn ignore(self) {}

    /// It is bad, and whoever passed it on could have known: that peer's score falls.
    pub fn reject(self) {
        self.give(Judgement::Reject);
    }

    /// A judgement that finds the court full is lost: announcements and records are made again.
    fn give(self, judgement: Judgement) {
        let _ = self.court.try_send(Judged {
            subject: self.subject,
            judgement,
        });
    }
}
