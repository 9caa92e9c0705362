//! Questions to the distributed table that are on their way, and what came back so far.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use libp2p::{PeerId, kad::QueryId};
use opensky_protocol::NodeKey;
use tokio::sync::oneshot;

use crate::{command::Found, error::FindError};

/// Questions of this node at once, and look-ups of peers that streams wait for. What makes it look for peers
/// is often what others say: that must not keep it from asking.
const MOST_FINDS: usize = 128;
const MOST_LOOK_UPS: usize = 128;
/// What is collected of one answer: the caller needs some, and liars may send many.
const MOST_PEERS: usize = 64;
const MOST_RECORDS: usize = 16;
/// The table ends a question after its own limit; what is still here then was lost.
const LOST: Duration = Duration::from_secs(60);

/// Questions that are on their way.
#[derive(Default)]
pub struct Table {
    finds: HashMap<QueryId, Find>,
    look_ups: HashMap<QueryId, PeerId>,
}

struct Find {
    reply: oneshot::Sender<Result<Found, FindError>>,
    found: Found,
    since: Instant,
}

impl Table {
    /// Whether one more question may be asked.
    pub fn takes_find(&self) -> bool {
        self.finds.len() < MOST_FINDS
    }

    /// Whether one more peer may be looked up.
    pub fn takes_look_up(&self) -> bool {
        self.look_ups.len() < MOST_LOOK_UPS
    }

    pub fn look_up(&mut self, query: QueryId, peer: PeerId) {
        self.look_ups.insert(query, peer);
    }

    /// The peer that was looked up with `query`, which is over.
    pub fn looked_up(&mut self, query: &QueryId) -> Option<PeerId> {
        self.look_ups.remove(query)
    }

    pub fn find(&mut self, query: QueryId, reply: oneshot::Sender<Result<Found, FindError>>) {
        let find = Find {
            reply,
            found: Found::default(),
            since: Instant::now(),
        };
        self.finds.insert(query, find);
    }

    pub fn add_peer(&mut self, query: &QueryId, peer: NodeKey) {
        if let Some(find) = self.finds.get_mut(query) {
            let peers = &mut find.found.peers;
            if peers.len() < MOST_PEERS && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
    }

    pub fn add_record(&mut self, query: &QueryId, record: Vec<u8>) {
        if let Some(find) = self.finds.get_mut(query) {
            let records = &mut find.found.records;
            if records.len() < MOST_RECORDS && !records.contains(&record) {
                records.push(record);
            }
        }
    }

    /// The question is answered with what came back.
    pub fn finish(&mut self, query: &QueryId) {
        if let Some(find) = self.finds.remove(query) {
            // Whoever gave up waiting does not mind.
            let _ = find.reply.send(Ok(find.found));
        }
    }

    pub fn fail(&mut self, query: &QueryId, error: FindError) {
        if let Some(find) = self.finds.remove(query) {
            let _ = find.reply.send(Err(error));
        }
    }

    /// Ends what the table has forgotten.
    pub fn expire(&mut self, now: Instant) {
        let lost = self
            .finds
            .iter()
            .filter(|(_, find)| now.duration_since(find.since) >= LOST);
        let lost: Vec<QueryId> = lost.map(|(query, _)| *query).collect();
        for query in lost {
            self.fail(&query, FindError::Timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::kad::{self, store::MemoryStore};

    use super::*;

    #[test]
    fn peers_that_are_looked_up_keep_no_question_waiting() {
        let me = PeerId::random();
        let mut kad = kad::Behaviour::new(me, MemoryStore::new(me));
        let mut table = Table::default();
        for looked_up in 0..MOST_LOOK_UPS {
            assert!(table.takes_look_up(), "{looked_up}");
            let peer = PeerId::random();
            table.look_up(kad.get_closest_peers(peer), peer);
        }
        assert!(!table.takes_look_up() && table.takes_find());
        for _ in 0..MOST_FINDS {
            let (reply, _) = oneshot::channel();
            table.find(kad.get_closest_peers(me), reply);
        }
        assert!(!table.takes_find());
    }
}
