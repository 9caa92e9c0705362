//! Counts the words of many texts at once.

use opensky::{Error, MapReduce, Pairs};

/// The program.
pub struct WordCount;

#[opensky::map_reduce]
impl MapReduce for WordCount {
    type Shard = String;
    type Key = String;
    type Value = u64;
    type Output = String;

    /// One text: each of its words, once.
    fn map(text: String) -> Result<Pairs<String, u64>, Error> {
        Ok(text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(|word| (word.to_lowercase(), 1))
            .collect())
    }

    /// Sums up within a text, before anything travels.
    fn combine(_word: &String, counts: Vec<u64>) -> Result<Vec<u64>, Error> {
        Ok(vec![counts.iter().sum()])
    }

    /// One word: its line in the output.
    fn reduce(word: String, counts: Vec<u64>) -> Result<String, Error> {
        let total: u64 = counts.iter().sum();
        Ok(format!("{total} {word}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_texts_are_summed() {
        let output = opensky::test::Unit::new().map_reduce::<WordCount>(["A cat", "a dog, a cat"]);
        assert_eq!(output.unwrap(), b"3 a\n2 cat\n1 dog\n");
    }
}
