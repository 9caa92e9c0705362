//! What goes wrong on the wire, in machines and at the ledger.

use std::ops::RangeInclusive;

/// How often and how much. Frequencies are in parts of 1,000, times in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weather {
    /// From one node to another.
    pub latency: RangeInclusive<u64>,
    /// Messages that are lost.
    pub loss: u64,
    /// Messages that come twice.
    pub twice: u64,
    /// Writes of rows that are the last thing that the process does, or not even that.
    pub crash: u64,
    /// From a call to the ledger until it is final.
    pub finality: u64,
    /// Calls that the ledger drops: whoever called says it again.
    pub drops: u64,
    /// Whether what is wanted after an event is carried out before the next one comes. Otherwise all
    /// that happens at one millisecond is handled first, as a node does that waits for its disk.
    pub is_eager: bool,
    /// Whether nodes keep no rows: nobody who goes comes back.
    pub is_diskless: bool,
}

impl Weather {
    /// Nothing goes wrong.
    pub const CALM: Self = Self {
        latency: 1..=30,
        loss: 0,
        twice: 0,
        crash: 0,
        finality: 50,
        drops: 0,
        is_eager: true,
        is_diskless: false,
    };
}
