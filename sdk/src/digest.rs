//! The name of a blob: its BLAKE3-256 digest.
use std::{fmt, str::FromStr};

/// A BLAKE3-256 digest. Prints as 64 lower-case hexadecimal digits and parses from the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDigestError;

impl Digest {
    /// The digest made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order in which they are printed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the form in which digests cross to the host: four little-endian words, so no allocation.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn from_words((a, b, c, d): (u64, u64, u64, u64)) -> Self {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip([a, b, c, d]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Self(bytes)
    }

    pub(crate) fn to_words(self) -> (u64, u64, u64, u64) {
        let word = |i: usize| {
            let chunk = &self.0[8 * i..8 * i + 8];
            u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"))
        };
        (word(0), word(1), word(2), word(3))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return Err(ParseDigestError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex_value(digit: u8) -> Result<u8, ParseDigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseDigestError),
    }
}

impl fmt::Display for ParseDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is 64 hexadecimal digits")
    }
}

impl std::error::Error for ParseDigestError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> Digest {
        Digest(std::array::from_fn(|i| i as u8))
    }

    #[test]
    fn text_and_words_give_the_digest_back() {
        let digest = counting();
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(Digest::from_words(digest.to_words()), digest);
        assert!(digest.to_string().starts_with("000102"));
    }

    #[test]
    fn text_that_is_no_digest_is_refused() {
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError), "{text}");
        }
    }
}
