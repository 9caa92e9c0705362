//! Thirty-two bytes as JSON: what names a blob, a program or an account.

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
