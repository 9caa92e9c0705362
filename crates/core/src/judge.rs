//! Judges what a unit's providers say: pure, and blind to who they are.

use std::collections::BTreeMap;

use opensky_protocol::Digest;

/// What is to be done about a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// This is the result.
    Agreed(Digest),
    /// Not known yet: so many results have to be there, those shown among them.
    Need(u8),
    /// Enough have spoken, and no result has a majority.
    Disputed,
}

/// Results that are asked for after a first, second and third disagreement.
const LADDER: [u8; 3] = [3, 7, 21];

/// Judges the compare keys that were shown, each of another operator. `wanted` results were asked
/// for, and `most` can be had at all.
///
/// Without a contradiction `wanted` equal results are enough, or `most` if that is less. Where two
/// differ, a result needs more than half of all and two voices at least; else more are asked, up to
/// `most`.
pub fn judge(keys: &[Digest], wanted: u8, most: u8) -> Verdict {
    let mut voices: BTreeMap<Digest, usize> = BTreeMap::new();
    for key in keys {
        *voices.entry(*key).or_default() += 1;
    }
    let wanted = wanted.max(1);
    let Some((best, count)) = voices.iter().max_by_key(|(_, count)| **count) else {
        return Verdict::Need(wanted);
    };
    let shown = keys.len();
    if voices.len() == 1 {
        return match shown >= usize::from(wanted.min(most.max(1))) {
            true => Verdict::Agreed(*best),
            false => Verdict::Need(wanted),
        };
    }
    let step = LADDER[0].max(wanted).min(most);
    if shown < usize::from(step) {
        return Verdict::Need(step);
    }
    if *count >= 2 && 2 * count > shown {
        return Verdict::Agreed(*best);
    }
    match LADDER.into_iter().find(|step| usize::from(*step) > shown) {
        Some(next) if usize::from(most) > shown => Verdict::Need(next.min(most)),
        _ => Verdict::Disputed,
    }
}
