//! Amounts as people write them: `14GiB`, `1_000_000`.

use std::{
    num::{IntErrorKind, ParseIntError},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de::Error as _};

/// So many bytes: a number, or text like `512MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// So much of a ledger's smallest coin: a number, or text, because TOML's numbers end at 2^63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coins(pub u128);

/// The text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// It is something else.
    #[error("`{text}` is not {what}")]
    Not {
        /// As it is written.
        text: String,
        /// What was expected.
        what: &'static str,
    },
    /// It is more than there can be.
    #[error("`{text}` is more than {most}")]
    Much {
        /// As it is written.
        text: String,
        /// The most.
        most: &'static str,
    },
}

const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Up to here a size is whole in floating point, too.
const MOST_BYTES: f64 = (1u64 << 53) as f64;

impl FromStr for Bytes {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseQuantityError::Not {
            text: text.into(),
            what: "a size such as 512MiB (or B, KiB, GiB, TiB)",
        };
        let suffix = |(unit, factor): &(&str, u64)| Some((text.strip_suffix(unit)?, *factor));
        let (number, factor) = UNITS.iter().find_map(suffix).unwrap_or((text, 1));
        let number: f64 = number.trim().parse().map_err(|_| error())?;
        let bytes = number * factor as f64;
        match bytes {
            0.0..=MOST_BYTES => Ok(Self(bytes as u64)),
            _ if bytes.is_finite() && bytes > 0.0 => Err(ParseQuantityError::Much {
                text: text.into(),
                most: "8 PiB",
            }),
            _ => Err(error()),
        }
    }
}

impl FromStr for Coins {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace('_', "");
        let wrong = |error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => ParseQuantityError::Much {
                text: text.into(),
                most: "2^128 - 1 coins",
            },
            _ => ParseQuantityError::Not {
                text: text.into(),
                what: "an amount of coins",
            },
        };
        digits.parse().map(Self).map_err(wrong)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from) {
            Ok(Written::Number(bytes)) if bytes as f64 <= MOST_BYTES => Ok(Self(bytes)),
            Ok(Written::Text(text)) => text.parse().map_err(D::Error::custom),
            _ => Err(D::Error::custom(
                "expected a size such as \"512MiB\", of 8 PiB at most",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Coins {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from) {
            Ok(Written::Number(coins)) => Ok(Self(coins.into())),
            Ok(Written::Text(text)) => text.parse().map_err(D::Error::custom),
            Err(_) => Err(D::Error::custom(format!(
                "expected an amount of coins, 0 or more; what is over {} has to be in quotes",
                i64::MAX
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let bytes = |text: &str| text.parse::<Bytes>().ok().map(|bytes| bytes.0);
        assert_eq!(bytes("0"), Some(0));
        assert_eq!(bytes("1.5KiB"), Some(1536));
        assert_eq!(bytes("7 B"), Some(7));
        for wrong in ["", "GiB", "-1", "1GB", "1e30", "NaN", "inf"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
