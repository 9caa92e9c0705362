//! Cuts the inputs of a map-reduce job into shards.

use std::num::NonZeroUsize;

use opensky_protocol::MAX_SHARDS;

use crate::Problem;

/// One shard for each input, or shards of so many lines or bytes of the inputs one after the other.
/// A line longer than a shard's bytes is cut; no shard holds parts of two inputs.
pub fn cut(
    inputs: Vec<Vec<u8>>,
    lines: Option<NonZeroUsize>,
    bytes: Option<u64>,
) -> Result<Vec<Vec<u8>>, Problem> {
    if inputs.is_empty() {
        return Err(Problem::usage("a map-reduce program needs an input")
            .help("give --input FILE, once for each shard, or cut one with --shard-lines N"));
    }
    let shards = match (lines, bytes) {
        (Some(lines), _) => inputs
            .iter()
            .flat_map(|input| by_lines(input, lines.get()))
            .collect(),
        (None, Some(0)) => {
            return Err(
                Problem::usage("a shard cannot have 0 bytes").help("write --shard-bytes 1MiB")
            );
        }
        (None, Some(bytes)) => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            inputs
                .iter()
                .flat_map(|input| input.chunks(bytes).map(<[u8]>::to_vec))
                .collect()
        }
        (None, None) => inputs,
    };
    match shards.len() {
        0 => Err(Problem::usage("the inputs are empty: there is no shard").help("check the files")),
        count if count > MAX_SHARDS => Err(Problem::usage(format!(
            "{count} shards are more than {MAX_SHARDS}"
        ))
        .help("make larger ones: --shard-lines or --shard-bytes")),
        _ => Ok(shards),
    }
}

/// Lines keep their ends.
fn by_lines(input: &[u8], lines: usize) -> Vec<Vec<u8>> {
    let all: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    all.chunks(lines).map(<[&[u8]]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_loses_and_adds_nothing() {
        let input = b"a\nbb\n\nccc".to_vec();
        for size in 1..6 {
            let lines = cut(vec![input.clone()], NonZeroUsize::new(size), None).expect("shards");
            assert_eq!(lines.concat(), input);
            let bytes = cut(vec![input.clone()], None, Some(size as u64)).expect("shards");
            assert_eq!(bytes.concat(), input);
            assert!(bytes.iter().all(|shard| shard.len() <= size));
        }
        assert_eq!(
            cut(vec![input], NonZeroUsize::new(2), None)
                .expect("shards")
                .len(),
            2
        );
    }

    #[test]
    fn nothing_to_cut_is_refused() {
        assert!(cut(vec![], None, None).is_err());
        assert!(cut(vec![vec![]], None, Some(5)).is_err());
        assert!(cut(vec![vec![1]], None, Some(0)).is_err());
    }
}
