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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &str, wanted: u8, most: u8, expected: &str) {
        let keys: Vec<Digest> = keys.bytes().map(|byte| Digest([byte; 32])).collect();
        let verdict = match judge(&keys, wanted, most) {
            Verdict::Agreed(key) => format!("agreed {}", char::from(key.0[0])),
            Verdict::Need(count) => format!("need {count}"),
            Verdict::Disputed => "disputed".into(),
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn equal_results_are_enough_when_they_are_as_many_as_wanted() {
        check("", 2, 7, "need 2");
        check("a", 2, 7, "need 2");
        check("aa", 2, 7, "agreed a");
        check("a", 1, 7, "agreed a");
        check("a", 0, 7, "agreed a");
        check("aa", 3, 7, "need 3");
        check("aa", 3, 2, "agreed a");
        check("aaa", 2, 7, "agreed a");
    }

    #[test]
    fn contradiction_asks_three_then_seven_then_twenty_one() {
        check("ab", 2, 21, "need 3");
        check("abc", 3, 21, "need 7");
        check("abcdefg", 7, 21, "need 21");
        check("aabbccd", 7, 21, "need 21");
        check("aaaaabbbbbcccccdddddd", 21, 21, "disputed");
    }

    #[test]
    fn majority_needs_more_than_half_and_two_voices() {
        check("aab", 3, 7, "agreed a");
        check("baa", 3, 7, "agreed a");
        check("aabb", 4, 4, "disputed");
        check("aaab", 4, 4, "agreed a");
        check("aaabbb", 3, 7, "need 7");
        check("aaabbbb", 7, 7, "agreed b");
        check("aaaabbbbbbbbbbbccccc", 21, 20, "agreed b");
        check("aaabbb", 7, 7, "need 7");
    }

    #[test]
    fn no_more_is_asked_than_can_be_had() {
        check("ab", 2, 2, "disputed");
        check("ab", 2, 3, "need 3");
        check("abc", 3, 3, "disputed");
        check("abc", 3, 5, "need 5");
        check("abcde", 5, 5, "disputed");
        check("aabcd", 5, 6, "need 6");
    }

    #[test]
    fn order_of_voices_does_not_matter() {
        let keys: Vec<Digest> = b"aabcb".iter().map(|byte| Digest([*byte; 32])).collect();
        let first = judge(&keys, 5, 7);
        for turn in 0..keys.len() {
            let mut keys = keys.clone();
            keys.rotate_left(turn);
            assert_eq!(judge(&keys, 5, 7), first);
        }
    }
}
