//! The ten most frequent words of a text.

use std::collections::BTreeMap;

/// Lines of `count word`, the most frequent first, equals in alphabetical order. A word is a maximal
/// run of ASCII letters, in lower case; bytes that are no letters, UTF-8 or not, only separate words.
#[opensky::job]
pub fn words(text: Vec<u8>) -> Result<String, opensky::Error> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for word in text.split(|byte| !byte.is_ascii_alphabetic()) {
        if !word.is_empty() {
            let word = word.to_ascii_lowercase();
            *counts
                .entry(String::from_utf8(word).map_err(opensky::Error::failed)?)
                .or_default() += 1;
        }
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|(a, many), (b, more)| more.cmp(many).then(a.cmp(b)));
    Ok(ranked
        .iter()
        .take(10)
        .map(|(word, count)| format!("{count} {word}\n"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ranked_by_count_then_alphabet() {
        let text = "The cat saw the dog; the DOG's caf\u{e9} was shut.";
        let output = opensky::test::run(words, text.into());
        assert_eq!(
            output.as_deref(),
            Ok("3 the\n2 dog\n1 caf\n1 cat\n1 s\n1 saw\n1 shut\n1 was\n")
        );
    }

    #[test]
    fn only_ten_words_are_listed_and_no_text_has_none() {
        let text: Vec<u8> = (b'a'..=b'z').flat_map(|letter| [letter, b' ']).collect();
        let output = opensky::test::run(words, text).expect("output");
        assert_eq!(output.lines().count(), 10);
        assert_eq!(
            opensky::test::run(words, vec![0xff, b'\n']),
            Ok(String::new())
        );
    }
}
