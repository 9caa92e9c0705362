//! Peers that streams wait for: dialled at the addresses that are known, then looked up and dialled
//! again, then given up.

use std::collections::HashMap;

use libp2p::PeerId;

use crate::streams::{Open, OpenError};

/// Streams that may wait for connections. Those of one peer are bounded by its lane.
const MOST_WAITING: usize = 4096;

/// Peers that streams wait for.
#[derive(Debug, Default)]
pub struct Reach {
    peers: HashMap<PeerId, Wanted>,
    waiting: usize,
}

#[derive(Debug)]
struct Wanted {
    stage: Stage,
    waiting: Vec<Open>,
}

/// What is being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Addresses that were known already.
    Known,
    /// The table is asked for addresses.
    LookUp,
    /// Addresses from the table.
    Found,
}

impl Reach {
    /// A stream waits for `peer`. `Some` if the peer is to be dialled.
    pub fn wait(&mut self, peer: PeerId, open: Open) -> Option<Stage> {
        if self.waiting >= MOST_WAITING {
            let _ = open.reply.send(Err(OpenError::Busy));
            return None;
        }
        self.waiting += 1;
        if let Some(wanted) = self.peers.get_mut(&peer) {
            wanted.waiting.push(open);
            return None;
        }
        let stage = Stage::Known;
        let waiting = vec![open];
        self.peers.insert(peer, Wanted { stage, waiting });
        Some(stage)
    }

    /// What is being tried to reach `peer`, if anything.
    pub fn stage(&self, peer: &PeerId) -> Option<Stage> {
        self.peers.get(peer).map(|wanted| wanted.stage)
    }

    pub fn advance(&mut self, peer: &PeerId, stage: Stage) {
        if let Some(wanted) = self.peers.get_mut(peer) {
            wanted.stage = stage;
        }
    }

    /// All that wait for `peer`, which is connected or given up.
    pub fn take(&mut self, peer: &PeerId) -> Vec<Open> {
        let wanted = self.peers.remove(peer);
        let waiting = wanted.map_or_else(Vec::new, |wanted| wanted.waiting);
        self.waiting -= waiting.len();
        waiting
    }

    /// Nothing more can be tried.
    pub fn give_up(&mut self, peer: &PeerId) {
        for open in self.take(peer) {
            // Whoever gave up waiting does not mind.
            let _ = open.reply.send(Err(OpenError::Unreachable));
        }
    }
}
