//! What a broker knows of an operator under one profile: from results that were compared, and from
//! nothing that anyone says.

use std::collections::BTreeMap;

use opensky_protocol::{Account, Profile};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{policy::Policy, time::Time};

/// One operator's record. Weights count evidence in parts of 65,536.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking)]
pub struct Standing {
    /// Results in a row that were not found wrong.
    pub row: u32,
    /// Weight of results that others confirmed. Old evidence fades as new comes.
    pub good: u64,
    /// Weight of turns that came to nothing: silence, results that were promised and not shown.
    pub soft: u64,
    /// Weight of results that were wrong.
    pub wrong: u64,
    /// Results that were wrong, all in all.
    pub faults: u32,
    /// Until when it gets nothing.
    pub excluded: Time,
}

const ONE: u64 = 65_536;
/// What is left of old evidence after each new piece, in parts of 65,536: half of it after 700.
const FADE: u64 = 65_471;
/// A wrong result weighs as much as so many right ones.
const WRONG: u64 = 20 * ONE;

impl Standing {
    fn fade(&mut self) {
        for weight in [&mut self.good, &mut self.soft, &mut self.wrong] {
            *weight = *weight / ONE * FADE + *weight % ONE * FADE / ONE;
        }
    }

    /// A result of it was the one that was agreed on, by so many operators.
    fn agreed(&mut self, voices: usize) {
        self.row = self.row.saturating_add(1);
        if voices > 1 {
            self.fade();
            self.good += ONE;
        }
    }

    fn failed(&mut self) {
        self.fade();
        self.soft += ONE;
    }

    fn caught(&mut self, now: Time, policy: &Policy) {
        self.fade();
        self.wrong += WRONG;
        self.row = 0;
        self.faults = self.faults.saturating_add(1);
        if let Some(more) = self.faults.checked_sub(policy.faults.max(1)) {
            let times = 1u32.checked_shl(more).unwrap_or(u32::MAX);
            self.excluded = now.after(policy.exclusion.saturating_mul(times));
        }
    }

    /// How far its word is from certain, in parts of 1,024: 1 less the lower bound, two standard
    /// deviations below the mean, of a Beta distribution that starts from knowing nothing.
    pub fn risk(&self) -> u64 {
        let good = u128::from(self.good + ONE);
        let bad = u128::from(self.soft + self.wrong + ONE);
        let all = good + bad;
        let one = u128::from(ONE);
        let mean = good * one / all;
        // ab / ((a + b)^2 (a + b + 1)), with the mean and its rest in parts of 65,536.
        let variance = mean * (one - mean) * one / (all + one);
        let bound = mean.saturating_sub(2 * variance.isqrt());
        1_024 - (bound * 1_024 / one) as u64
    }

    /// How often its word alone is not enough, in parts of 65,536: always at first, then ever more
    /// seldom, but never less than the floor.
    pub fn audits(&self, policy: &Policy) -> u32 {
        if self.row < policy.probation.max(1) {
            return ONE as u32;
        }
        (ONE as u32 / self.row).max(policy.audit_floor)
    }
}

/// What became of a turn, as far as it tells something of who had it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Conduct {
    /// Its result is the agreed one, of so many operators.
    Agreed(usize),
    /// It came to nothing.
    Failed,
    /// Its result was wrong.
    Caught,
}

/// All that is known.
#[derive(Default)]
pub(crate) struct Standings(BTreeMap<Account, BTreeMap<Profile, Standing>>);

impl Standings {
    pub(crate) fn restore(&mut self, operator: Account, profile: Profile, standing: Standing) {
        self.0
            .entry(operator)
            .or_default()
            .insert(profile, standing);
    }

    pub(crate) fn of(&self, operator: &Account, profile: &Profile) -> Option<&Standing> {
        self.0.get(operator)?.get(profile)
    }

    pub(crate) fn all(&self, operator: &Account) -> Vec<(Profile, Standing)> {
        let known = self.0.get(operator).into_iter().flatten();
        known
            .map(|(profile, standing)| (profile.clone(), standing.clone()))
            .collect()
    }

    /// Until when nothing goes to it, if that is a wrong result's doing.
    pub(crate) fn excluded(&self, operator: &Account) -> Time {
        let known = self.0.get(operator).into_iter().flatten();
        let times = known.map(|(_, standing)| standing.excluded);
        times.max().unwrap_or_default()
    }

    /// Learns from a turn.
    pub(crate) fn learn(
        &mut self,
        operator: Account,
        profile: &Profile,
        conduct: Conduct,
        now: Time,
        policy: &Policy,
    ) {
        let known = self.0.entry(operator).or_default();
        if !known.contains_key(profile) {
            known.insert(profile.clone(), Standing::default());
        }
        let standing = known
            .get_mut(profile)
            .expect("it is there or was put there");
        match conduct {
            Conduct::Agreed(voices) => standing.agreed(voices),
            Conduct::Failed => standing.failed(),
            Conduct::Caught => standing.caught(now, policy),
        }
    }
}
