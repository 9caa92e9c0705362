//! Lists, a page at a time: no reply is longer than a page.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The entries, at most as many as were asked for.
    pub items: Vec<T>,
    /// Ask with this to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page after which there is nothing.
    pub fn last(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// The most entries, 1 to [`PageQuery::MAX`]; else [`PageQuery::DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on: [`Page::next`] of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

impl PageQuery {
    /// The most entries of one page.
    pub const MAX: u32 = 500;
    /// How many entries a page has where nobody says.
    pub const DEFAULT: u32 = 50;

    /// How many entries the page may have. `None` if that was asked for which no page has.
    pub fn entries(&self) -> Option<usize> {
        let limit = self.limit.unwrap_or(Self::DEFAULT);
        (1..=Self::MAX).contains(&limit).then_some(limit as usize)
    }
}

/// A place in a list. What it says is the server's affair: 1 to 128 letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Cursor(String);

const MAX_CURSOR: usize = 128;

impl Cursor {
    /// The place of that name. `None` if it has characters that a cursor cannot have, none, or more
    /// than 128.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_cursor = (1..=MAX_CURSOR).contains(&text.len()) && text.bytes().all(plain);
        is_cursor.then_some(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let cursor = Self::new(text);
        cursor.ok_or_else(|| de::Error::custom("that is no place in a list"))
    }
}

impl JsonSchema for Cursor {
    fn schema_name() -> Cow<'static, str> {
        "Cursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A place in a list, from the page before.",
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{1,128}$",
        })
    }
}
