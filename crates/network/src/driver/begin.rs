//! The nodes to begin with, and the relays to listen through: tried again for as long as they are not
//! there, less and less often.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// When to try again.
#[derive(Debug)]
pub struct Again {
    due: Instant,
    pause: Duration,
}

impl Again {
    pub fn at_once() -> Self {
        Self {
            due: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Whether it is time; then the next time is later.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + self.pause;
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        }
        is_due
    }

    /// It worked: should it fail again, the first pause is short again.
    pub fn succeeded(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}

/// A node to begin with.
#[derive(Debug)]
pub struct Bootstrap {
    pub peer: PeerId,
    pub address: Multiaddr,
    pub again: Again,
}

impl Bootstrap {
    /// `None` if the address does not say whose it is.
    pub fn new(address: Multiaddr) -> Option<Self> {
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            return None;
        };
        Some(Self {
            peer,
            address,
            again: Again::at_once(),
        })
    }
}

/// A relay to listen through.
#[derive(Debug)]
pub struct Circuit {
    pub relay: PeerId,
    pub address: Multiaddr,
    pub listener: Option<ListenerId>,
    pub again: Again,
}

impl Circuit {
    /// `None` if the address is no circuit, or does not say through whom.
    pub fn new(address: Multiaddr) -> Option<Self> {
        let before = address
            .iter()
            .take_while(|part| *part != Protocol::P2pCircuit);
        let is_circuit = address.iter().any(|part| part == Protocol::P2pCircuit);
        let Some(Protocol::P2p(relay)) = before.last().filter(|_| is_circuit) else {
            return None;
        };
        Some(Self {
            relay,
            address,
            listener: None,
            again: Again::at_once(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_start_again() {
        let mut again = Again::at_once();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert!(again.is_due(now));
            let next = again.due;
            pauses.push((next - now).as_secs());
            assert!(!again.is_due(next - Duration::from_millis(1)));
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        again.succeeded();
        assert!(again.is_due(now));
        assert_eq!((again.due - now).as_secs(), 1);
    }

    #[test]
    fn circuit_names_its_relay() {
        let relay = PeerId::random();
        let text = format!("/ip4/127.0.0.1/tcp/1/p2p/{relay}/p2p-circuit");
        let circuit = Circuit::new(text.parse().unwrap()).unwrap();
        assert_eq!(circuit.relay, relay);
        assert!(Circuit::new("/ip4/127.0.0.1/tcp/1".parse().unwrap()).is_none());
        assert!(Circuit::new("/p2p-circuit".parse().unwrap()).is_none());
    }
}
