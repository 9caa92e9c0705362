//! How much is kept of what is said of one job, so that no provider takes what is another's.

use std::collections::BTreeMap;

use opensky_protocol::{NodeKey, Turn};

/// Bytes that are kept of one job.
const OF_JOB: usize = 16 << 20;
/// One provider gets at most one of so many parts of what the others have left of that: however many there
/// are, there is something for the next.
const PARTS: usize = 4;

/// What one says of a turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Log,
    Error,
}

/// One thing that was said: of which turn, by whom, and what it is.
pub(super) type Part = (Turn, NodeKey, Kind);

/// What is kept of one job.
#[derive(Default)]
pub(super) struct Said {
    parts: BTreeMap<Part, usize>,
    all: usize,
    of: BTreeMap<NodeKey, usize>,
}

impl Said {
    /// Counts what was kept before, whether there is room or not.
    pub fn add(&mut self, part: Part, bytes: usize) {
        if self.parts.insert(part, bytes).is_none() {
            self.all += bytes;
            *self.of.entry(part.1).or_default() += bytes;
        }
    }

    /// Counts something that is to be kept. `false` if it was said before, or there is no room.
    pub fn admit(&mut self, part: Part, bytes: usize) -> bool {
        let own = self.of.get(&part.1).copied().unwrap_or_default();
        let left = OF_JOB.saturating_sub(self.all - own);
        let fits = own + bytes <= left / PARTS && !self.parts.contains_key(&part);
        if fits {
            self.add(part, bytes);
        }
        fits
    }

    /// The logs that are kept.
    pub fn logs(&self) -> impl Iterator<Item = (Turn, NodeKey)> {
        let logs = self.parts.keys().filter(|part| part.2 == Kind::Log);
        logs.map(|(turn, provider, _)| (*turn, *provider))
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::Digest;

    use super::*;

    fn part(attempt: u32, provider: u8, kind: Kind) -> Part {
        let turn = Turn {
            job: Digest([0; 32]),
            unit: Digest([1; 32]),
            attempt,
        };
        (turn, NodeKey([provider; 32]), kind)
    }

    #[test]
    fn few_providers_do_not_use_up_what_there_is_for_all() {
        const ONE: usize = 64 << 10;
        let mut said = Said::default();
        for provider in 0..16 {
            let kept = (0..1_000).filter(|attempt| {
                let kind = [Kind::Log, Kind::Error][*attempt as usize % 2];
                said.admit(part(*attempt, provider, kind), ONE)
            });
            let kept = kept.count() * ONE;
            assert!(kept > 0, "nothing is left for provider {provider}");
            assert!(kept <= 4 << 20, "{kept} of provider {provider}");
        }
        assert!(said.all <= OF_JOB);
    }

    #[test]
    fn a_thing_is_said_once_and_what_was_kept_before_counts() {
        let mut said = Said::default();
        said.add(part(0, 1, Kind::Log), 4 << 20);
        assert!(!said.admit(part(1, 1, Kind::Log), 1));
        assert!(said.admit(part(0, 2, Kind::Log), 10));
        assert!(!said.admit(part(0, 2, Kind::Log), 10));
        assert!(said.admit(part(0, 2, Kind::Error), 10));
        assert_eq!(said.logs().count(), 2);
    }
}
