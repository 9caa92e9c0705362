//! How often each byte follows each other one, and how surprising that is in bits.

#[cfg(feature = "job")]
use std::collections::BTreeMap;

use opensky::Error;

/// The whole table of one input.
#[cfg(feature = "job")]
#[opensky::job]
pub fn letters(text: Vec<u8>) -> Result<String, Error> {
    if text.first() == Some(&0) {
        return Err(Error::invalid_input("text does not begin with a zero"));
    }
    let mut table: BTreeMap<(u8, u8), u32> = BTreeMap::new();
    for pair in text.windows(2) {
        *table.entry((pair[0], pair[1])).or_default() += 1;
    }
    let all = text.len() as f64;
    let lines = table
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|((one, other), count)| {
            let bits = -(f64::from(*count) / all).log2();
            format!("{one:02x}{other:02x} {count} {bits}\n")
        });
    Ok(lines.collect())
}

/// One value for each byte, brought together by it.
#[cfg(feature = "map-reduce")]
pub struct Followers;

#[cfg(feature = "map-reduce")]
#[opensky::map_reduce]
impl opensky::MapReduce for Followers {
    type Shard = Vec<u8>;
    type Key = u8;
    type Value = (u32, f64);
    type Output = String;

    fn map(shard: Vec<u8>) -> Result<Vec<(u8, (u32, f64))>, Error> {
        let follow = |pair: &[u8]| (pair[0], (1, f64::from(pair[1]).sqrt()));
        Ok(shard.windows(2).map(follow).collect())
    }

    fn combine(_: &u8, values: Vec<(u32, f64)>) -> Result<Vec<(u32, f64)>, Error> {
        let count = values.iter().map(|(count, _)| count).sum();
        let roots = values.iter().map(|(_, root)| root).sum();
        Ok(vec![(count, roots)])
    }

    fn reduce(byte: u8, values: Vec<(u32, f64)>) -> Result<String, Error> {
        let count: u32 = values.iter().map(|(count, _)| count).sum();
        let roots: f64 = values.iter().map(|(_, root)| root).sum();
        Ok(format!("{byte} {count} {}\n", roots / f64::from(count)))
    }
}
