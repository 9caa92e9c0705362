//! What jobs came to: how much was wrong, what it cost, and when adversaries were caught.

use std::collections::BTreeMap;

use opensky_core::{Ending, JobState, Outgoing, UnitView};
use opensky_protocol::Digest;

use crate::{character::Character, world::World};

/// One job that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobTally {
    /// How it ended, in one word; `done` if it gave a result.
    pub ending: &'static str,
    /// Its units that have a result.
    pub units: u64,
    /// Those whose result is wrong.
    pub wrong: u64,
    /// What was paid.
    pub paid: u128,
    /// What was paid for wrong results, also for those that were corrected later.
    pub paid_wrong: u128,
    /// How often its units were run.
    pub executions: u64,
}

/// All that is counted for figures.
#[derive(Default, Debug)]
pub struct Tally {
    /// Jobs of honest requesters, in the order in which they ended.
    pub jobs: Vec<JobTally>,
    /// How many jobs of each requester are over.
    pub ended: BTreeMap<usize, u64>,
    /// Who was excluded by a requester, and after how many units.
    pub caught: BTreeMap<usize, u32>,
    /// How often units of each job were run, while it is not over.
    pub(crate) runs: BTreeMap<Digest, u64>,
}

impl World {
    /// A requester has said that a job is over.
    pub(crate) fn note_ending(&mut self, place: usize, job: Digest) {
        let requester = &self.nodes[place];
        let Some(view) = requester.participant.job(&job) else {
            return;
        };
        *self.tally.ended.entry(place).or_default() += 1;
        if requester.character == Character::Honest {
            let mut tally = JobTally {
                ending: word(&view.state),
                units: 0,
                wrong: 0,
                paid: view.spent,
                paid_wrong: 0,
                executions: self.tally.runs.remove(&job).unwrap_or_default(),
            };
            for unit in requester.participant.units(&job) {
                self.count(&mut tally, &unit);
            }
            self.tally.jobs.push(tally);
        }
        self.laws.ended(job, view.state);
    }

    fn count(&self, tally: &mut JobTally, unit: &UnitView) {
        let Some((key, _)) = unit.agreed else {
            return;
        };
        let is_wrong = self.gossip.truth.get(&unit.unit) != Some(&key);
        tally.units += 1;
        tally.wrong += u64::from(is_wrong);
        for seat in &unit.seats {
            let was_corrected = seat.state.starts_with("was believed");
            if is_wrong != was_corrected {
                tally.paid_wrong += seat.earned;
            }
        }
    }

    /// A requester refuses to pay: that may be the end of an identity.
    pub(crate) fn note_refusal(&mut self, from: usize, to: usize, message: &Outgoing) {
        let Outgoing::Settle { refused, .. } = message else {
            return;
        };
        if refused.is_empty() || self.nodes[from].character != Character::Honest {
            return;
        }
        let provider = &self.nodes[to];
        let (operator, runs) = (provider.who.operator, provider.runs);
        let is_sybil = provider.character == Character::Sybil;
        let known = self.nodes[from].participant.standing(&operator);
        if known.iter().any(|(_, known)| known.excluded > self.now) {
            let is_first = !self.tally.caught.contains_key(&to);
            self.tally.caught.entry(to).or_insert(runs);
            if is_sybil && is_first && self.flood > 0 {
                self.flood -= 1;
                let (terms, money) = (self.nodes[to].terms.clone(), 1 << 40);
                self.leave(to, 100, None);
                self.join(Character::Sybil, terms, money);
            }
        }
    }
}

fn word(state: &JobState) -> &'static str {
    let JobState::Over(ending) = state else {
        return "not_over";
    };
    match ending {
        Ending::Done => "done",
        Ending::Failed { .. } => "failed",
        Ending::Disputed { .. } => "disputed",
        Ending::Unrunnable { .. } => "unrunnable",
        Ending::Stuck { .. } => "stuck",
        Ending::Unfunded(_) => "unfunded",
        Ending::Cancelled => "cancelled",
        Ending::Tainted { .. } => "tainted",
        Ending::Unmended { .. } => "unmended",
        Ending::Deadline => "deadline",
        Ending::Budget => "budget",
    }
}

/// After how many units half of them are caught, by the product-limit estimate of Kaplan and Meier:
/// whoever was given fewer units, and was not caught with these, counts as long as it was there. Each
/// is after how many units, and whether it was caught then. `None` if more than half were not.
pub(crate) fn median_until_caught(mut all: Vec<(u32, bool)>) -> Option<u32> {
    // Who is caught with a unit comes before who leaves after it.
    all.sort_unstable_by_key(|(units, is_caught)| (*units, !is_caught));
    let mut free = 1.0;
    let mut left = all.len() as f64;
    for (units, is_caught) in all {
        if is_caught {
            free *= 1.0 - 1.0 / left;
        }
        left -= 1.0;
        if free <= 0.5 {
            return Some(units);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_hardly_asked_does_not_count_as_never_caught() {
        let caught = |units: &[u32]| units.iter().map(|units| (*units, true)).collect::<Vec<_>>();
        assert_eq!(median_until_caught(caught(&[4, 1, 3, 2])), Some(2));
        let mut all = caught(&[10, 20, 30]);
        all.extend([(1, false); 7]);
        assert_eq!(median_until_caught(all), Some(20));
        let mut all = caught(&[10, 20, 30]);
        all.extend([(100, false); 7]);
        assert_eq!(median_until_caught(all), None);
    }
}
