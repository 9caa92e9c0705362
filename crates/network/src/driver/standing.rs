//! How this node stands in the network, as far as its swarm knows.

use super::*;

impl Driver {
    pub(super) fn reachability(&self) -> Reachability {
        let is_direct = |address: &Multiaddr| Circuit::new(address.clone()).is_none();
        if self.swarm.external_addresses().any(is_direct) {
            return Reachability::Public;
        }
        if let Some(why) = self.failed_probe.clone() {
            return Reachability::Private { why };
        }
        let why = match self.swarm.connected_peers().count() {
            0 => "no peer is connected that could try",
            _ => "no connected peer has tried yet",
        };
        Reachability::Unknown { why: why.into() }
    }

    pub(super) fn status(&mut self) -> Status {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let known = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        let text = |address: &Multiaddr| address.to_string();
        let relays = self
            .circuits
            .iter()
            .filter(|circuit| circuit.listener.is_some());
        let listening = |relay: &PeerId| {
            let is_it = |address: &Multiaddr| {
                Circuit::new(address.clone()).is_some_and(|circuit| circuit.relay == *relay)
            };
            self.swarm.external_addresses().any(is_it)
        };
        Status {
            node: self.me,
            peer_id: self.swarm.local_peer_id().to_string(),
            listen: self.swarm.listeners().map(text).collect(),
            external: self.swarm.external_addresses().map(text).collect(),
            reachability: self.reachability(),
            connected: self
                .swarm
                .connected_peers()
                .filter_map(identity::node_of)
                .collect(),
            known,
            relays: relays
                .map(|circuit| circuit.relay)
                .filter(listening)
                .filter_map(|relay| identity::node_of(&relay))
                .collect(),
            bytes_in: self.traffic.received.load(Ordering::Relaxed),
            bytes_out: self.traffic.sent.load(Ordering::Relaxed),
        }
    }
}
