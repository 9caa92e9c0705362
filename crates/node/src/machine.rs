//! What the machine has, where nobody says how much of it to give.

use std::{fs, num::NonZeroUsize, thread::available_parallelism};

use opensky_core::Terms;
use opensky_executor::Rules;
use opensky_protocol::Capacity;

use crate::config::{CORES, Config, LedgerConfig};

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

/// Units of jobs at once. Of several cores one is for what a chain asks of this node, if one does.
pub(crate) fn cores_of_jobs(config: &Config) -> NonZeroUsize {
    let cores = cores(config);
    match is_asked(config) {
        true => NonZeroUsize::new(cores.get() - 1).unwrap_or(cores),
        false => cores,
    }
}

/// Memory of a unit that a chain asks for: that of one core.
pub(crate) fn memory_of_request(config: &Config) -> u64 {
    memory(config) / cores(config).get() as u64
}

/// Whether a chain may ask this node for something.
fn is_asked(config: &Config) -> bool {
    config.provide && matches!(config.ledger, LedgerConfig::Chain(_))
}

/// Bytes of memory for units.
fn memory(config: &Config) -> u64 {
    let half = || total_memory().map_or(MEMORY, |bytes| bytes / 2);
    config.capacity.memory.map_or_else(half, |bytes| bytes.0)
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
    let cores = cores_of_jobs(config).get();
    let of_requests = match cores < self::cores(config).get() {
        true => memory_of_request(config),
        false => 0,
    };
    Terms {
        ask: config.price.into(),
        capacity: Capacity {
            cores: u16::try_from(cores).unwrap_or(u16::MAX),
            memory: memory(config) - of_requests,
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
    use crate::config::{Bytes, LedgerChain, LedgerHere};

    #[test]
    fn what_a_chain_may_ask_for_is_not_given_to_jobs_too() {
        let gives = |ledger: LedgerConfig, cores| {
            let mut config = Config::new("data", ledger);
            config.provide = true;
            config.capacity.cores = Some(cores);
            config.capacity.memory = Some(Bytes(8 << 30));
            let given = terms(&config, 1).capacity;
            (
                given.cores,
                given.memory >> 30,
                memory_of_request(&config) >> 30,
            )
        };
        let url = "ws://127.0.0.1:1".to_owned();
        let chain = || LedgerConfig::Chain(LedgerChain { url: url.clone() });
        let here = || LedgerConfig::Here(LedgerHere::default());
        assert_eq!(gives(here(), 4), (4, 8, 2));
        assert_eq!(gives(chain(), 4), (3, 6, 2));
        // There is nothing to divide.
        assert_eq!(gives(chain(), 1), (1, 8, 8));
    }

    #[test]
    fn machine_says_how_much_memory_it_has() {
        assert!(total_memory().is_some_and(|bytes| bytes > 64 << 20));
    }
}
