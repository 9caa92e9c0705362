//! Cuts the inputs of a map-reduce job into shards.

use std::num::NonZeroUsize;

use opensky_protocol::MAX_SHARDS;

use crate::Problem;

/// How each input is cut. No shard holds parts of two inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It is one shard.
    Whole,
    /// Into so many lines each, with their ends.
    Lines(NonZeroUsize),
    /// Into so many bytes each, wherever lines end.
    Bytes(NonZeroUsize),
}

impl Cut {
    /// As the flags say, of which at most one is given.
    pub fn new(lines: Option<NonZeroUsize>, bytes: Option<u64>) -> Result<Self, Problem> {
        let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        match (lines, bytes.map(NonZeroUsize::new)) {
            (Some(lines), _) => Ok(Self::Lines(lines)),
            (None, None) => Ok(Self::Whole),
            (None, Some(Some(bytes))) => Ok(Self::Bytes(bytes)),
            (None, Some(None)) => {
                Err(Problem::usage("a shard cannot have 0 bytes").help("write --shard-bytes 1MiB"))
            }
        }
    }

    /// The shards of one input.
    pub fn shards(self, input: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = Some(input);
        std::iter::from_fn(move || {
            let left = rest.take()?;
            let len = match self {
                Self::Whole => return Some(left),
                _ if left.is_empty() => return None,
                Self::Lines(lines) => end_of(left, lines.get()),
                Self::Bytes(bytes) => left.len().min(bytes.get()),
            };
            let (shard, left) = left.split_at(len);
            rest = Some(left);
            Some(shard)
        })
    }
}

/// Where so many lines end.
fn end_of(bytes: &[u8], lines: usize) -> usize {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.nth(lines - 1).map_or(bytes.len(), |(at, _)| at + 1)
}

/// Refuses one more shard after so many, where that is too many.
pub fn check_room(count: usize) -> Result<(), Problem> {
    match count < MAX_SHARDS {
        true => Ok(()),
        false => Err(
            Problem::usage(format!("there are more than {MAX_SHARDS} shards"))
                .help("make larger ones: --shard-lines or --shard-bytes"),
        ),
    }
}

/// Refuses a job without any shard.
pub fn check_some(count: usize) -> Result<(), Problem> {
    match count {
        0 => Err(Problem::usage("the inputs are empty: there is no shard").help("check the files")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(input: &[u8], cut: Cut) -> Vec<&[u8]> {
        cut.shards(input).collect()
    }

    #[test]
    fn cutting_loses_and_adds_nothing() {
        let input = b"a\nbb\n\nccc";
        for size in (1..6).filter_map(NonZeroUsize::new) {
            assert_eq!(cut(input, Cut::Lines(size)).concat(), input);
            let bytes = cut(input, Cut::Bytes(size));
            assert_eq!(bytes.concat(), input);
            assert!(bytes.iter().all(|shard| shard.len() <= size.get()));
        }
        let two = NonZeroUsize::new(2).expect("it is not zero");
        let lines: [&[u8]; 2] = [b"a\nbb\n", b"\nccc"];
        assert_eq!(cut(input, Cut::Lines(two)), lines);
        assert_eq!(cut(input, Cut::Whole), [input]);
    }

    #[test]
    fn empty_input_is_a_shard_only_as_a_whole() {
        assert_eq!(cut(b"", Cut::Whole), [b""]);
        assert_eq!(cut(b"", Cut::Lines(NonZeroUsize::MIN)), [b""; 0]);
        assert_eq!(cut(b"", Cut::Bytes(NonZeroUsize::MIN)), [b""; 0]);
    }

    #[test]
    fn too_few_and_too_many_are_refused() {
        assert!(Cut::new(None, Some(0)).is_err());
        assert!(check_some(0).is_err() && check_some(1).is_ok());
        assert!(check_room(MAX_SHARDS).is_err() && check_room(MAX_SHARDS - 1).is_ok());
    }
}
