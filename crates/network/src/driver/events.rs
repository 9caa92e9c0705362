//! What the swarm reports, and what follows from it.

use super::*;
use libp2p::{autonat, identify, mdns, relay};

/// Addresses of one peer that are kept.
const ADDRESSES: usize = 8;
/// Addresses of relays that are kept.
const MOST_RELAYS: usize = 16;

impl Driver {
    pub(super) fn observe(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behave(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                num_established,
                ..
            } => {
                for open in self.reach.take(&peer_id) {
                    self.swarm.behaviour_mut().streams.open(peer_id, open);
                }
                if num_established.get() == 1 {
                    self.connected(peer_id);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => self.disconnected(peer_id),
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "a peer was not reached");
                self.dial_failed(peer);
            }
            SwarmEvent::IncomingConnectionError {
                error: ListenError::Denied { cause },
                ..
            } => tracing::debug!(%cause, "a connection was refused"),
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                if self.exposure == Exposure::Public && Circuit::new(address.clone()).is_none() {
                    self.swarm.add_external_address(address);
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                let mut circuits = self.circuits.iter_mut();
                let closed = circuits.find(|circuit| circuit.listener == Some(listener_id));
                if let Some(circuit) = closed {
                    circuit.listener = None;
                }
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId) {
        for node in self.bootstrap.iter_mut().filter(|node| node.peer == peer) {
            node.again.succeeded();
        }
        if let Some(node) = identity::node_of(&peer) {
            self.notice(Inbound::Connected(node), Inbound::Disconnected(node));
        }
    }

    fn disconnected(&mut self, peer: PeerId) {
        self.rates.forget(&peer);
        if let Some(node) = identity::node_of(&peer) {
            self.notice(Inbound::Disconnected(node), Inbound::Connected(node));
        }
    }

    /// Tells the inbox, unless it has not been told the opposite yet: then there is nothing to tell.
    fn notice(&mut self, notice: Inbound, opposite: Inbound) {
        let same = |one: &Inbound| match (one, &opposite) {
            (Inbound::Connected(one), Inbound::Connected(other))
            | (Inbound::Disconnected(one), Inbound::Disconnected(other)) => one == other,
            _ => false,
        };
        match self.notices.iter().position(same) {
            Some(at) => drop(self.notices.remove(at)),
            None => self.notices.push_back(notice),
        }
    }

    fn behave(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, info);
            }
            BehaviourEvent::Kad(event) => self.table_event(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.heard(propagation_source, message_id, message),
            BehaviourEvent::ReachClient(autonat::v2::client::Event {
                tested_addr,
                result,
                ..
            }) => match result {
                Ok(()) => self.failed_probe = None,
                Err(error) => self.failed_probe = Some(format!("{tested_addr}: {error}")),
            },
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            }) => {
                let mut circuits = self.circuits.iter_mut();
                if let Some(circuit) = circuits.find(|circuit| circuit.relay == relay_peer_id) {
                    circuit.again.succeeded();
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    let dial = DialOpts::peer_id(peer).addresses(vec![address]).build();
                    // Whoever is connected or being dialled needs no second dial.
                    let _ = self.swarm.dial(dial);
                }
            }
            _ => {}
        }
    }

    /// A peer has said what it speaks and where it listens. Peers of other networks are left.
    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        if info.protocol_version != self.protocols.identify {
            tracing::debug!(%peer, network = info.protocol_version, "not of this network");
            // An error says that it has left already.
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        // Whoever sees this node at a loopback address is on the same machine. The loopback
        // addresses of all others lead somewhere else.
        let is_near = is_loopback(&info.observed_addr);
        let usable = |address: &Multiaddr| is_near || !is_loopback(address);
        let addresses = info.listen_addrs.into_iter().filter(usable);
        let addresses: Vec<_> = addresses.take(ADDRESSES).collect();
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            self.note_relay(peer, &addresses);
        }
        if !info.protocols.contains(&self.protocols.kad) {
            return;
        }
        let kad = &mut self.swarm.behaviour_mut().kad;
        // What it said before is replaced: addresses must not add up.
        if let Some(bucket) = kad.kbucket(peer) {
            let entry = bucket
                .iter()
                .find(|entry| *entry.node.key.preimage() == peer);
            let same = entry.is_some_and(|entry| {
                let known: Vec<_> = entry.node.value.iter().cloned().collect();
                known == addresses
            });
            if same {
                return;
            }
        }
        kad.remove_peer(&peer);
        for address in addresses {
            kad.add_address(&peer, address);
        }
    }

    fn note_relay(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let direct = addresses
            .iter()
            .find(|address| Circuit::new((*address).clone()).is_none());
        let Some(address) = direct.and_then(|address| address.clone().with_p2p(peer).ok()) else {
            return;
        };
        let circuit = address.with(Protocol::P2pCircuit);
        if self.relays.len() < MOST_RELAYS && !self.relays.contains(&circuit) {
            self.relays.push(circuit);
        }
    }

    fn heard(&mut self, via: PeerId, id: gossipsub::MessageId, message: gossipsub::Message) {
        let now = Instant::now();
        match self.rates.pass(via, now) {
            rate::Passage::Free => {}
            rate::Passage::TooMany => return,
            rate::Passage::CutOff => {
                tracing::warn!(peer = %via, "cut off: too many announcements");
                self.cut_off(via, now);
                return;
            }
        }
        let author = message.source.as_ref().and_then(identity::node_of);
        let both = identity::node_of(&via).zip(author);
        let Some((from, author)) = both.filter(|_| message.data.len() <= ANNOUNCEMENT_BYTES) else {
            return self.judge(Judged {
                subject: Subject::Announcement { id, via },
                judgement: Judgement::Reject,
            });
        };
        let verdict = self.verdict(Subject::Announcement { id, via });
        let bytes = message.data;
        self.offer(Inbound::Announcement {
            via: from,
            author,
            bytes,
            verdict,
        });
    }

    fn verdict(&self, subject: Subject) -> crate::inbound::Verdict {
        crate::inbound::Verdict {
            subject,
            court: self.court.clone(),
        }
    }

    /// What nobody has room for is dropped: it is said again.
    fn offer(&self, inbound: Inbound) {
        if self.inbox.try_send(inbound).is_err() {
            tracing::debug!("dropped: the inbox is full");
        }
    }

    fn table_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest {
                request:
                    kad::InboundRequest::PutRecord {
                        source,
                        record: Some(record),
                        ..
                    },
            } => self.offered_record(source, record),
            kad::Event::InboundRequest {
                request:
                    kad::InboundRequest::AddProvider {
                        record: Some(record),
                    },
            } => {
                let store = self.swarm.behaviour_mut().kad.store_mut();
                if let Err(error) = store.add_provider(record) {
                    tracing::debug!(%error, "a provider is not kept");
                }
            }
            kad::Event::OutboundQueryProgressed {
                id, result, step, ..
            } => self.progressed(id, result, step.last),
            _ => {}
        }
    }

    fn offered_record(&mut self, source: PeerId, record: Record) {
        let key = <[u8; 32]>::try_from(record.key.as_ref());
        let (Ok(key), Some(from)) = (key, identity::node_of(&source)) else {
            return;
        };
        if record.value.len() > RECORD_BYTES {
            return;
        }
        let bytes = record.value.clone();
        let subject = Subject::Record {
            from: source,
            record,
        };
        let verdict = self.verdict(subject);
        self.offer(Inbound::Record {
            from,
            key: opensky_protocol::Digest(key),
            bytes,
            verdict,
        });
    }

    fn progressed(&mut self, query: kad::QueryId, result: kad::QueryResult, is_last: bool) {
        match result {
            kad::QueryResult::GetClosestPeers(result) => {
                let peers = match result {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                if let Some(peer) = is_last.then(|| self.table.looked_up(&query)).flatten() {
                    let found = peers.into_iter().find(|found| found.peer_id == peer);
                    self.found(peer, found.map_or_else(Vec::new, |found| found.addrs));
                }
                return;
            }
            kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders {
                providers,
                ..
            })) => {
                for node in providers.iter().filter_map(identity::node_of) {
                    self.table.add_peer(&query, node);
                }
            }
            kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) => {
                self.table.add_record(&query, found.record.value);
            }
            kad::QueryResult::Bootstrap(_) if is_last && self.is_filling(query) => {
                self.filling = None;
                self.filled = Some(Instant::now());
            }
            // What nobody else keeps is kept here, and given out again later.
            _ => {}
        }
        if is_last {
            self.table.finish(&query);
        }
    }

    fn is_filling(&self, query: kad::QueryId) -> bool {
        self.filling.is_some_and(|(filling, _)| filling == query)
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_other_addresses() {
        let is = |text: &str| is_loopback(&text.parse().unwrap());
        assert!(is("/ip4/127.0.0.1/tcp/1") && is("/ip6/::1/udp/1/quic-v1"));
        assert!(!is("/ip4/10.0.0.1/tcp/1") && !is("/p2p-circuit"));
    }
}
