//! How the embedded ledger carries itself: as fast and reliable as it is, or more like a chain.

use opensky_protocol::Digest;

/// How long intents wait, how many may, and how many are lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conduct {
    /// From an intent's acceptance to its end, in milliseconds. With 0 it is final when it is
    /// accepted.
    pub delay: u64,
    /// Of 1,000 intents, how many are dropped after they were accepted: rejected for no reason of
    /// their own, and without a fee.
    pub drops: u16,
    /// Which ones: an intent's fate is a function of this and of its name.
    pub seed: [u8; 32],
    /// Intents of one account that may wait.
    pub waiting_per_account: usize,
    /// Intents that may wait.
    pub waiting: usize,
    /// Bytes that these may have: they wait in memory.
    pub waiting_bytes: usize,
}

impl Default for Conduct {
    /// No delay, no drops.
    fn default() -> Self {
        Self {
            delay: 0,
            drops: 0,
            seed: [0; 32],
            waiting_per_account: 64,
            waiting: 16_384,
            waiting_bytes: 64 << 20,
        }
    }
}

impl Conduct {
    /// Whether an intent is one of those that are dropped.
    pub(crate) fn drops(&self, intent: &Digest) -> bool {
        let Digest(bytes) = Digest::derive("opensky ledger drop 1", &(self.seed, intent));
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        number % 1_000 < u32::from(self.drops)
    }
}
