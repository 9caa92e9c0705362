//! What the machine has, where nobody says how much of it to give.

use std::{fs, num::NonZeroUsize, thread::available_parallelism};

use opensky_core::Terms;
use opensky_executor::Rules;
use opensky_protocol::Capacity;

use crate::config::{CORES, Config};

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
    given.unwrap_or_else(|| {
        processors()
            .min(usize::from(*CORES.end()))
            .try_into()
            .unwrap_or(NonZeroUsize::MIN)
    })
}

/// Processors that this process may use.
fn processors() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Says so where a provider gives more than the machine has: nothing is wrong with that, but units take
/// longer than it says.
pub(crate) fn warn(config: &Config) {
    let (given, processors) = (cores(config).get(), processors());
    if config.provide && given > processors {
        tracing::warn!(
            given,
            processors,
            "more `cores` are given than the machine has"
        );
    }
    let (given, memory) = (config.capacity.memory, total_memory());
    if let (true, Some(given), Some(memory)) = (config.provide, given, memory)
        && given.0 > memory
    {
        tracing::warn!(
            given = given.0,
            memory,
            "more `memory` is given than the machine has"
        );
    }
}

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
