//! Who gets a seat: operators are drawn by their stakes, none of them twice.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Account, Digest, Limits, PriceTerms};

/// What an operator offers to do for requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Offered {
    /// What it asks.
    pub ask: PriceTerms,
    /// Bytes of memory that a unit may have.
    pub memory: u64,
    /// Fuel that a unit may use.
    pub fuel: u64,
}

impl Offered {
    /// Whether it would run a unit within these limits for that.
    pub fn fits(&self, limits: &Limits, input_len: u64, most: u128) -> bool {
        limits.memory <= self.memory
            && limits.fuel <= self.fuel
            && self.ask.worst_case(limits, input_len) <= most
    }
}

/// What binds an operator to its secret for a round of the beacon, and tells nobody what it is.
pub fn commitment(round: u64, operator: &Account, secret: &Digest) -> Digest {
    Digest::derive("opensky beacon 1", &(round, operator, secret))
}

/// One who may be drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Who.
    pub operator: Account,
    /// What it asks.
    pub ask: PriceTerms,
    /// What it can lose: its weight in the draw.
    pub stake: u128,
}

/// Draws up to `count` of them, each with a probability in proportion to its stake among those that are left. The same
/// seed and candidates give the same ones.
pub fn draw(mut candidates: Vec<Candidate>, seed: &Digest, count: usize) -> Vec<Candidate> {
    candidates.retain(|one| one.stake > 0);
    let mut drawn = Vec::new();
    while drawn.len() < count && !candidates.is_empty() {
        let all = candidates.iter().map(|one| one.stake);
        let all = all.fold(0u128, u128::saturating_add);
        let Digest(bytes) = Digest::derive("opensky seat 1", &(seed, drawn.len() as u32));
        let mut number = [0; 16];
        number.copy_from_slice(&bytes[..16]);
        // Of 2^128 numbers there are so many more than stakes that none is noticeably likelier.
        let mut left = u128::from_le_bytes(number) % all;
        let at = candidates.iter().position(|one| {
            let is_it = left < one.stake;
            left = left.saturating_sub(one.stake);
            is_it
        });
        drawn.push(candidates.remove(at.unwrap_or_default()));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: u8, stake: u128) -> Candidate {
        Candidate {
            operator: Account([name; 32]),
            ask: PriceTerms {
                dispatch: 0,
                per_gfuel: 0,
                per_gib: 0,
            },
            stake,
        }
    }

    #[test]
    fn nobody_is_drawn_twice_and_nobody_without_a_stake() {
        let all = [
            candidate(1, 5),
            candidate(2, 0),
            candidate(3, 1),
            candidate(4, u128::MAX),
        ];
        let drawn = draw(all.to_vec(), &Digest([7; 32]), 9);
        let mut names: Vec<_> = drawn.iter().map(|one| one.operator.0[0]).collect();
        names.sort_unstable();
        assert_eq!(names, [1, 3, 4]);
    }

    #[test]
    fn stakes_are_what_counts() {
        let all = [candidate(1, 900), candidate(2, 100)];
        let first = (0..2_000u32).filter(|round| {
            let seed = Digest::derive("opensky test 1", round);
            draw(all.to_vec(), &seed, 1)[0].operator == all[0].operator
        });
        let share = first.count();
        assert!(
            (1_740..1_860).contains(&share),
            "{share} of 2,000, expected 1,800"
        );
    }
}
