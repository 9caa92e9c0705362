//! What is said of a key that there is not, and of a value that its key does not take.

use super::ConfigError;

/// How serde begins what it says of such a key. The names it knows follow, each in backquotes.
const UNKNOWN: [&str; 2] = ["unknown field", "unknown variant"];

/// An error of the parser, as people want to read it.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = error.message();
    if !UNKNOWN.iter().any(|words| message.starts_with(words)) {
        // What is missing is missing in a whole table.
        let key = (!message.starts_with("missing")).then(|| key_of(text, at));
        let key = key.flatten();
        let message = in_words(message);
        return ConfigError::Invalid { line, key, message };
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let key = quoted.next().unwrap_or_default().to_owned();
    let nearest = nearest(&key, quoted);
    ConfigError::UnknownKey { line, key, nearest }
}

/// What the parser calls a number, as people do.
fn in_words(message: &str) -> String {
    message
        .replace("expected u64", "expected a whole number, 0 or more")
        .replace("expected u16", "expected a whole number, 0 or more")
}

/// The key of the value that is there: on its line, or on one before if the value is a list.
fn key_of(text: &str, at: usize) -> Option<String> {
    let before = text.get(..at)?;
    let assigned = before.lines().rev().find_map(|line| line.split_once('='));
    // A table that begins in between has no value yet.
    let (key, _) = assigned?;
    let key = key.trim().trim_matches('"');
    let is_key = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!key.is_empty() && key.chars().all(is_key)).then(|| key.to_owned())
}

/// The name that takes the fewest changes to be the key, if they are fewer than its letters.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let (changes, name) = known.map(|name| (distance(key, name), name)).min()?;
    (changes < name.len().max(2) - 1).then(|| name.to_owned())
}

/// Letters to add, remove or replace, to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, found) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *found);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_changes() {
        let cases = [
            ("", "abc", 3),
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("kitten", "sitting", 3),
        ];
        for (one, other, expected) in cases {
            assert_eq!(distance(one, other), expected);
            assert_eq!(distance(other, one), expected);
        }
    }
}
