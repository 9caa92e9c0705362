//! Says what is in a text.

use opensky::Error;
use serde::Serialize;

/// What was found.
#[derive(Serialize)]
struct Summary<'a> {
    lines: usize,
    words: usize,
    longest: &'a str,
}

/// The job: a text in, one line of JSON out. What it returns are the bytes of the output; a type that
/// serde can write would become JSON by itself, without the end of the line.
#[opensky::job]
pub fn summarize(text: String) -> Result<String, Error> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(longest) = words.iter().max_by_key(|word| word.chars().count()) else {
        return Err(Error::invalid_input("there is no word in it"));
    };
    opensky::info!("{} words", words.len());
    let summary = Summary {
        lines: text.lines().count(),
        words: words.len(),
        longest,
    };
    Ok(serde_json::to_string(&summary)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        let summary = opensky::test::run(summarize, "one two\nthree\n".to_owned());
        let expected = r#"{"lines":2,"words":3,"longest":"three"}"#.to_owned() + "\n";
        assert_eq!(summary, Ok(expected));
    }

    #[test]
    fn empty_text_is_refused() {
        let summary = opensky::test::run(summarize, " \n".to_owned());
        assert!(matches!(summary, Err(Error::InvalidInput(_))));
    }
}
