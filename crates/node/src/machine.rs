//! What the machine has, where nobody says how much of it to give.

use std::{fs, num::NonZeroUsize, thread::available_parallelism};

use opensky_core::Terms;
use opensky_executor::Rules;
use opensky_protocol::Capacity;

use crate::config::Config;

/// Disk for blobs, when nothing is said.
const DISK: u64 = 32 << 30;
/// Bytes a second to others, when nothing is said.
const UPLINK: u64 = 100 << 20;
/// Memory, where the system does not say how much there is.
const MEMORY: u64 = 2 << 30;

/// Units at once.
pub(crate) fn cores(config: &Config) -> NonZeroUsize {
    let given = config.capacity.cores.map(usize::from);
    let given = given.and_then(NonZeroUsize::new);
    let all = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
    given.unwrap_or_else(all).min(MOST_CORES)
}

/// More threads than this are no machine's.
const MOST_CORES: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// Bytes of disk for blobs.
pub(crate) fn disk(config: &Config) -> u64 {
    config.capacity.disk.map_or(DISK, |bytes| bytes.0)
}

/// What the node offers, by its configuration and what was measured.
pub(crate) fn terms(config: &Config, speed: u64) -> Terms {
    let half = || total_memory().map_or(MEMORY, |bytes| bytes / 2);
    Terms {
        ask: config.price.into(),
        capacity: Capacity {
            cores: u16::try_from(cores(config).get()).unwrap_or(u16::MAX),
            memory: config.capacity.memory.map_or_else(half, |bytes| bytes.0),
            disk: disk(config),
            uplink: config.capacity.uplink.map_or(UPLINK, |bytes| bytes.0),
        },
        speed,
        profiles: Rules::ALL.iter().map(|rules| rules.profile()).collect(),
        labels: config.labels.clone(),
    }
}

/// Bytes of memory that the machine has.
fn total_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_says_how_much_memory_it_has() {
        assert!(total_memory().is_some_and(|bytes| bytes > 64 << 20));
    }
}
