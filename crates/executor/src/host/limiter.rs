//! Decides about memory and table growth: the same answer on every host, and none that is the
//! host's weakness.

use opensky_protocol::Abort;
use wasmtime::{Error, ResourceLimiter};

use crate::host::Stop;

/// Counts what a unit's memories and tables take.
pub(crate) struct Limiter {
    limit: usize,
    table_elements: usize,
    used: usize,
    /// The most memory that was in use at once, in bytes.
    pub peak: usize,
    /// What the last growth would have been too much of. A guest sees that a `memory.grow` of its own
    /// failed; where an instance was to begin with so much, the engine only says that it does not.
    pub refused: Option<&'static str>,
    /// The last growth was allowed, so that its failure is the host's.
    allowed: bool,
}

impl Limiter {
    pub fn new(memory: u64, table_elements: usize) -> Self {
        let limit = usize::try_from(memory).unwrap_or(usize::MAX);
        Self {
            limit,
            table_elements,
            used: 0,
            peak: 0,
            refused: None,
            allowed: false,
        }
    }

    /// For a fresh instance: nothing is in use, the peak stays.
    pub fn renew(&mut self) {
        self.used = 0;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        let total = self.used.saturating_add(desired - current);
        self.allowed = total <= self.limit && maximum.is_none_or(|maximum| desired <= maximum);
        self.refused = (!self.allowed).then_some("memory");
        if self.allowed {
            self.used = total;
            self.peak = self.peak.max(total);
        }
        Ok(self.allowed)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        if std::mem::take(&mut self.allowed) {
            return Err(Stop::Abort(Abort::HostMemory).into());
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        let allowed = desired <= self.table_elements && maximum.is_none_or(|max| desired <= max);
        self.refused = (!allowed).then_some("table elements");
        Ok(allowed)
    }
}
