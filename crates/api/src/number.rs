//! Numbers as JSON: what every reader of JSON can hold is a number, what may be larger is a string.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 2^53 - 1: a larger whole number is not one for everyone who reads JSON.
const MAX: u64 = (1 << 53) - 1;

/// A number that is too large to be one in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is larger than {MAX}")]
pub struct TooLarge(u64);

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident, $about:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(u64);

        impl $name {
            /// The largest there is: 2^53 - 1.
            pub const MAX: Self = Self(MAX);

            /// The number, or [`Self::MAX`] if it is larger: for what is told, where nobody has so
            /// much.
            pub const fn saturating(number: u64) -> Self {
                match number {
                    0..=MAX => Self(number),
                    _ => Self::MAX,
                }
            }

            /// The number.
            pub const fn value(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = TooLarge;

            fn try_from(number: u64) -> Result<Self, Self::Error> {
                match number {
                    0..=MAX => Ok(Self(number)),
                    _ => Err(TooLarge(number)),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = u64::deserialize(deserializer)?;
                number.try_into().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $about,
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX,
                })
            }
        }
    )*};
}

numbers! {
    /// A length, or an amount of memory or disk, in bytes.
    Bytes, "A number of bytes.";
    /// A moment, in Unix milliseconds.
    Time, "A moment, in milliseconds since the first of January 1970, UTC.";
    /// A length of time, in milliseconds.
    Span, "A length of time in milliseconds.";
    /// How often something happened, or a place in an order.
    Count, "A number of things.";
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self::saturating(u64::try_from(span.as_millis()).unwrap_or(MAX))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

/// Fuel, or fuel per second. A decimal string in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Fuel(pub u64);

impl fmt::Display for Fuel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Fuel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Fuel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let fuel = decimal(&text).and_then(|fuel| u64::try_from(fuel).ok());
        let fuel = fuel.ok_or_else(|| de::Error::custom("fuel is a decimal string below 2^64"))?;
        Ok(Self(fuel))
    }
}

impl JsonSchema for Fuel {
    fn schema_name() -> Cow<'static, str> {
        "Fuel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Fuel, as a decimal string below 2^64.",
            "type": "string",
            "pattern": "^(0|[1-9][0-9]{0,19})$",
        })
    }
}

/// The number that decimal digits are: no sign, no space, no zero before other digits.
pub(crate) fn decimal(text: &str) -> Option<u128> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    if is_plain && is_short {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_json_does() {
        let read = |text: &str| serde_json::from_str::<Bytes>(text).ok().map(Bytes::value);
        assert_eq!(read("9007199254740991"), Some(MAX));
        for bad in ["9007199254740992", "-1", "1.0", "1e3", "\"1\"", "null"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(Bytes::saturating(u64::MAX), Bytes::MAX);
    }

    #[test]
    fn fuel_is_a_string_of_digits() {
        let read = |text: &str| serde_json::from_str::<Fuel>(text).ok();
        assert_eq!(read("\"18446744073709551615\""), Some(Fuel(u64::MAX)));
        let bad = [
            "\"18446744073709551616\"",
            "1",
            "\"\"",
            "\"01\"",
            "\"+1\"",
            "\" 1\"",
        ];
        for bad in bad {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
