//! Bytes as JSON: thirty-two that name a blob, a program or an account, and sixteen that tell requests
//! apart.

use std::{borrow::Cow, fmt, str::FromStr};

use opensky_protocol::{Account, Digest, ParseDigestError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 32 bytes, as 64 lower-case hexadecimal digits. Reads upper-case ones too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hex(pub [u8; 32]);

impl From<Digest> for Hex {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl From<Hex> for Digest {
    fn from(hex: Hex) -> Self {
        Self(hex.0)
    }
}

impl From<Account> for Hex {
    fn from(account: Account) -> Self {
        Self(account.0)
    }
}

impl From<Hex> for Account {
    fn from(hex: Hex) -> Self {
        Self(hex.0)
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl FromStr for Hex {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Digest>().map(Self::from)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Hex {
    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "32 bytes as hexadecimal digits: a BLAKE3 digest, or an account.",
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
        })
    }
}

/// 16 bytes that whoever asks has drawn, as 32 lower-case hexadecimal digits: they tell this request from
/// all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Nonce(pub [u8; 16]);

/// A text that is no nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a nonce is 32 hexadecimal digits in lower case")]
pub struct NotANonce;

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Nonce {
    type Err = NotANonce;

    fn from_str(text: &str) -> Result<Self, NotANonce> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NotANonce);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| NotANonce)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Nonce {
    fn schema_name() -> Cow<'static, str> {
        "Nonce".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "16 random bytes as hexadecimal digits, which tell this request from all others.",
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_thirty_two_digits() {
        let text = "00112233445566778899aabbccddeeff";
        let nonce: Nonce = text.parse().expect("a nonce");
        assert_eq!((nonce.0[1], nonce.0[15]), (0x11, 0xff));
        assert_eq!(nonce.to_string(), text);
        let longer = format!("{text}0");
        let signed = format!("+{}", &text[1..]);
        for other in ["", &text[1..], &longer, &signed, &text.to_uppercase()] {
            assert_eq!(other.parse::<Nonce>(), Err(NotANonce), "{other}");
        }
    }
}
