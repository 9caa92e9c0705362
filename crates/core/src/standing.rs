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
    /// Results that were wrong, all in all, but for one that was forgiven.
    pub faults: u32,
    /// Until when it gets nothing.
    pub excluded: Time,
}

const ONE: u64 = 65_536;
/// What is left of old evidence after each new piece, in parts of 65,536: half of it after 700.
const FADE: u64 = 65_471;
/// A wrong result weighs as much as so many right ones.
const WRONG: u64 = 20 * ONE;
/// How much further from certain than a newcomer's the word of somebody is whose last result was wrong, in
/// parts of 1,024: else it would stand beside newcomers again at once.
const CAUGHT: u64 = 1_024;

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
        if self.row >= policy.forgiven && self.faults < policy.faults {
            self.faults = 0;
        }
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
        // At most 65,536 squared: it fits.
        let deviation = (variance as u64).isqrt();
        let bound = (mean as u64).saturating_sub(2 * deviation);
        1_024 - bound * 1_024 / ONE
    }

    /// How far it is set back for a wrong result, in parts of 1,024: until it has done again what makes a
    /// newcomer known.
    fn setback(&self, policy: &Policy) -> u64 {
        match self.faults > 0 && self.row < policy.probation {
            true => CAUGHT,
            false => 0,
        }
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
pub(crate) struct Standings(BTreeMap<Account, BTreeMap<Profile, Known>>);

/// A record, and what follows from it: that is asked for much more often than it changes.
#[derive(Default)]
struct Known {
    standing: Standing,
    risk: u64,
}

impl Standings {
    pub(crate) fn restore(
        &mut self,
        operator: Account,
        profile: Profile,
        standing: Standing,
        policy: &Policy,
    ) {
        let risk = standing.risk() + standing.setback(policy);
        let known = Known { standing, risk };
        self.0.entry(operator).or_default().insert(profile, known);
    }

    pub(crate) fn of(&self, operator: &Account, profile: &Profile) -> Option<&Standing> {
        Some(&self.0.get(operator)?.get(profile)?.standing)
    }

    /// How far an operator's word is from certain, in parts of 1,024; more than that if its last result was
    /// wrong.
    pub(crate) fn risk(&self, operator: &Account, profile: &Profile) -> u64 {
        let known = self.0.get(operator).and_then(|known| known.get(profile));
        known.map_or(1_024, |known| known.risk)
    }

    /// Whether a result of that operator was ever the one that was agreed on.
    pub(crate) fn has_worked(&self, operator: &Account) -> bool {
        let known = self.0.get(operator).into_iter().flatten();
        let mut known = known.map(|(_, known)| &known.standing);
        known.any(|standing| standing.row > 0 || standing.good > 0)
    }

    pub(crate) fn all(&self, operator: &Account) -> Vec<(Profile, Standing)> {
        let known = self.0.get(operator).into_iter().flatten();
        known
            .map(|(profile, known)| (profile.clone(), known.standing.clone()))
            .collect()
    }

    /// Until when nothing goes to it, if that is a wrong result's doing.
    pub(crate) fn excluded(&self, operator: &Account) -> Time {
        let known = self.0.get(operator).into_iter().flatten();
        let times = known.map(|(_, known)| known.standing.excluded);
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
            known.insert(profile.clone(), Known::default());
        }
        let known = known
            .get_mut(profile)
            .expect("it is there or was put there");
        let standing = &mut known.standing;
        match conduct {
            Conduct::Agreed(voices) => standing.agreed(voices),
            Conduct::Failed => standing.failed(),
            Conduct::Caught => standing.caught(now, policy),
        }
        known.risk = standing.risk() + standing.setback(policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(conduct: Conduct, times: u32) -> Standing {
        let (operator, profile) = (Account([1; 32]), Profile::new("1"));
        let mut standings = Standings::default();
        for _ in 0..times {
            standings.learn(operator, &profile, conduct, Time(0), &Policy::default());
        }
        standings.of(&operator, &profile).cloned().unwrap()
    }

    #[test]
    fn audits_are_certain_at_first_and_never_end() {
        let policy = Policy::default();
        let often = |times| after(Conduct::Agreed(2), times).audits(&policy);
        assert_eq!(often(9), 65_536);
        assert_eq!(often(10), 6_553);
        assert_eq!(often(16), 4_096);
        assert_eq!(often(1_000), policy.audit_floor);
    }

    #[test]
    fn wrong_result_is_forgiven_after_many_right_ones_until_it_was_one_too_many() {
        let (operator, profile) = (Account([1; 32]), Profile::new("1"));
        let (policy, mut standings) = (Policy::default(), Standings::default());
        let mut learn = |conduct, times: u32| {
            for _ in 0..times {
                standings.learn(operator, &profile, conduct, Time(0), &policy);
            }
            standings.excluded(&operator) > Time(0)
        };
        assert!(!learn(Conduct::Caught, 1));
        learn(Conduct::Agreed(2), policy.forgiven);
        assert!(!learn(Conduct::Caught, 1), "the first is forgiven");
        learn(Conduct::Agreed(2), policy.forgiven - 1);
        assert!(learn(Conduct::Caught, 1), "the second is not, yet");
        learn(Conduct::Agreed(2), policy.forgiven);
        learn(Conduct::Caught, 1);
        let known = standings.of(&operator, &profile).unwrap();
        assert_eq!(known.faults, 3, "who was shut out is not forgiven again");
    }

    #[test]
    fn risk_is_full_at_first_and_falls_with_what_others_confirm() {
        assert_eq!(Standing::default().risk(), 1_024);
        let risks: Vec<u64> = [1, 10, 100, 1_000]
            .map(|times| after(Conduct::Agreed(2), times).risk())
            .into();
        assert!(risks.is_sorted_by(|a, b| a > b), "{risks:?}");
        assert!(risks[3] < 20, "{risks:?}");
        assert_eq!(
            after(Conduct::Agreed(1), 1_000).risk(),
            1_024,
            "nobody confirmed it"
        );
    }

    #[test]
    fn silence_is_no_lie_and_a_second_lie_excludes() {
        let policy = Policy::default();
        let silent = after(Conduct::Failed, 1_000);
        assert_eq!((silent.faults, silent.excluded), (0, Time(0)));
        assert_eq!(after(Conduct::Caught, 1).excluded, Time(0));
        let twice = Time(0).after(policy.exclusion);
        assert_eq!(after(Conduct::Caught, 2).excluded, twice);
        assert_eq!(after(Conduct::Caught, 3).excluded, Time(2 * twice.0));
    }

    #[test]
    fn who_has_worked_is_who_was_agreed_with() {
        let (profile, policy) = (Profile::new("1"), Policy::default());
        let mut standings = Standings::default();
        let mut learn = |number, conduct| {
            let operator = Account([number; 32]);
            standings.learn(operator, &profile, conduct, Time(0), &policy);
            standings.has_worked(&operator)
        };
        assert!(learn(1, Conduct::Agreed(1)) && learn(2, Conduct::Agreed(2)));
        assert!(!learn(3, Conduct::Failed) && !learn(4, Conduct::Caught));
        assert!(learn(2, Conduct::Caught), "it has, all the same");
        assert!(!standings.has_worked(&Account([5; 32])));
    }

    #[test]
    fn whoever_was_caught_comes_after_newcomers_until_it_has_done_what_they_have_to() {
        let (operator, profile) = (Account([1; 32]), Profile::new("1"));
        let (policy, mut standings) = (Policy::default(), Standings::default());
        let newcomer = standings.risk(&operator, &profile);
        let mut risk = |conduct, times: u32| {
            for _ in 0..times {
                standings.learn(operator, &profile, conduct, Time(0), &policy);
            }
            standings.risk(&operator, &profile)
        };
        assert!(risk(Conduct::Caught, 1) > newcomer);
        assert!(risk(Conduct::Agreed(2), policy.probation - 1) > newcomer);
        assert!(risk(Conduct::Agreed(2), 1) <= newcomer);
    }

    #[test]
    fn one_fault_takes_trust_away_and_it_can_be_won_back() {
        let (operator, profile) = (Account([1; 32]), Profile::new("1"));
        let mut standings = Standings::default();
        let mut learn = |conduct, times| {
            for _ in 0..times {
                standings.learn(operator, &profile, conduct, Time(0), &Policy::default());
            }
            let known = standings.of(&operator, &profile).cloned();
            known.map(|known| (known.row, known.risk())).unwrap()
        };
        let (_, before) = learn(Conduct::Agreed(2), 200);
        let (row, caught) = learn(Conduct::Caught, 1);
        assert_eq!(row, 0);
        assert!(caught > before + 50, "{before} {caught}");
        let (_, after) = learn(Conduct::Agreed(2), 1_000);
        assert!(after < caught, "{caught} {after}");
    }
}
