//! Says what is in a text.

use serde::{Deserialize, Serialize};

/// What was found.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub lines: usize,
    pub words: usize,
    pub longest: String,
}

/// The job: a text in, one line of JSON out.
#[opensky::job]
pub fn summarize(text: String) -> Result<Summary, opensky::Error> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(longest) = words.iter().max_by_key(|word| word.chars().count()) else {
        return Err(opensky::Error::invalid_input("there is no word in it"));
    };
    opensky::info!("{} words", words.len());
    Ok(Summary {
        lines: text.lines().count(),
        words: words.len(),
        longest: longest.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        let summary = opensky::test::run(summarize, "one two\nthree\n".to_owned());
        let expected = Summary {
            lines: 2,
            words: 3,
            longest: "three".to_owned(),
        };
        assert_eq!(summary, Ok(expected));
    }

    #[test]
    fn empty_text_is_refused() {
        let summary = opensky::test::run(summarize, " \n".to_owned());
        assert!(matches!(summary, Err(opensky::Error::InvalidInput(_))));
    }
}
