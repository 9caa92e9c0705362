//! What one run takes of a machine, counted in one way by whoever asks for it and whoever has it.

use opensky_protocol::Limits;

/// An input is in memory twice while its unit runs: as it was read, and as the program's process has
/// it. What the program makes of it counts as the program's.
const COPIES: u64 = 2;

/// Bytes that one run takes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    pub(crate) memory: u64,
    pub(crate) disk: u64,
}

impl Room {
    /// That of a run within these limits, whose inputs have so many bytes together.
    pub(crate) fn of(limits: &Limits, input_len: u64) -> Self {
        let copies = input_len.saturating_mul(COPIES);
        Self {
            memory: limits.memory.saturating_add(copies),
            disk: input_len.saturating_add(limits.output),
        }
    }
}
