//! Typed ids that people can type: a letter that says what it names, and the digest in base 32.
//!
//! The alphabet is Crockford's, in lower case: no `i`, `l`, `o` or `u`, so nothing looks like a digit
//! or like another letter. What was written down with them anyway is read as the digit that was meant.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::RangeInclusive, str::FromStr};

use opensky_protocol::{Digest, NodeKey};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What an id can name.
pub trait Kind {
    /// The first letter of its ids.
    const LETTER: char;
    /// What to call one in a sentence.
    const WHAT: &'static str;
}

/// The kinds of id. None has a value: they are there to keep ids apart.
pub mod kind {
    use super::Kind;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident: $letter:literal, $what:literal;)*) => {$(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
            pub enum $name {}

            impl Kind for $name {
                const LETTER: char = $letter;
                const WHAT: &'static str = $what;
            }
        )*};
    }

    kinds! {
        /// A job, as one requester ordered it.
        Job: 'j', "job";
        /// A unit.
        Unit: 'u', "unit";
        /// A receipt file, by the digest of its bytes.
        Receipt: 'r', "receipt";
        /// A deployment.
        Deployment: 'd', "deployment";
        /// A node that provides, or could.
        Node: 'p', "provider";
    }
}

/// A whole id: printed and parsed as the kind's letter, `-`, and 52 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K> {
    digest: Digest,
    kind: PhantomData<K>,
}

/// A job's id.
pub type JobId = Id<kind::Job>;
/// A unit's id.
pub type UnitId = Id<kind::Unit>;
/// A receipt's id.
pub type ReceiptId = Id<kind::Receipt>;
/// A deployment's id.
pub type DeploymentId = Id<kind::Deployment>;
/// A node's id: its public key.
pub type NodeId = Id<kind::Node>;

/// The beginning of an id, as a person types it: the letter, `-`, and 10 to 52 characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix<K> {
    /// In lower case, without letter and `-`.
    text: String,
    kind: PhantomData<K>,
}

/// Why a text is no id.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// It begins otherwise.
    #[error("`{text}` is not the id of a {what}, which begins with `{letter}-`")]
    Letter {
        /// What was read, cut to 80 characters.
        text: String,
        /// What was expected.
        what: &'static str,
        /// With what it begins.
        letter: char,
    },
    /// There is too little or too much of it.
    #[error("the id `{text}` has {len} characters after `-`; it takes {at_least} to {WHOLE}")]
    Length {
        /// What was read, cut to 80 characters.
        text: String,
        /// How many there are.
        len: usize,
        /// How many there have to be.
        at_least: usize,
    },
    /// A character that is in no id, or bits that no digest has.
    #[error("the id `{text}` cannot end or go on with `{character}`")]
    Character {
        /// What was read, cut to 80 characters.
        text: String,
        /// The first that is wrong.
        character: char,
    },
}

/// Why the beginning of an id does not lead to one thing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOne {
    /// Nothing begins so.
    #[error("there is no {what} {prefix} here")]
    Nothing {
        /// What was looked for.
        what: &'static str,
        /// As asked.
        prefix: String,
    },
    /// More than one does.
    #[error("{prefix} could be {first} or {second}: type more of it")]
    Ambiguous {
        /// As asked.
        prefix: String,
        /// One of them.
        first: String,
        /// Another one.
        second: String,
    },
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 256 bits, 5 in each character; the last one has a single bit, its highest.
const WHOLE: usize = 52;
/// 50 bits: among a million jobs, the chance that two share them is one in two thousand.
const SHORT: usize = 10;

impl<K: Kind> Id<K> {
    /// The id of what `digest` names.
    pub fn new(digest: Digest) -> Self {
        Self {
            digest,
            kind: PhantomData,
        }
    }

    /// The digest that it is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What people are shown: the letter and the first 10 characters. A [`Prefix`] can be parsed
    /// from it.
    pub fn short(&self) -> String {
        let whole = self.to_string();
        whole[..2 + SHORT].to_owned()
    }
}

impl From<NodeKey> for NodeId {
    fn from(node: NodeKey) -> Self {
        Self::new(Digest(node.0))
    }
}

impl From<NodeId> for NodeKey {
    fn from(id: NodeId) -> Self {
        Self(id.digest.0)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", K::LETTER, encode(&self.digest))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let body = body::<K>(text, WHOLE)?;
        Ok(Self::new(fill(&body, 0)))
    }
}

impl<K: Kind> Prefix<K> {
    /// The digests that begin so: a range of keys to look through.
    pub fn range(&self) -> RangeInclusive<Digest> {
        fill(&self.text, 0)..=fill(&self.text, u8::MAX)
    }

    /// Whether the id begins so.
    pub fn matches(&self, id: &Id<K>) -> bool {
        self.range().contains(&id.digest)
    }

    /// The one candidate that begins so. Takes them in any order, and once or more often.
    ///
    /// # Errors
    /// [`NotOne`], with two of them where there are several.
    pub fn pick(&self, candidates: impl IntoIterator<Item = Digest>) -> Result<Id<K>, NotOne> {
        let range = self.range();
        let mut found: Option<Id<K>> = None;
        for digest in candidates.into_iter().filter(|one| range.contains(one)) {
            let id = Id::new(digest);
            match found {
                Some(first) if first.digest != digest => return Err(self.ambiguous(&first, &id)),
                _ => found = Some(id),
            }
        }
        found.ok_or_else(|| NotOne::Nothing {
            what: K::WHAT,
            prefix: self.to_string(),
        })
    }

    /// Both, with as many characters as it takes to tell them apart.
    fn ambiguous(&self, first: &Id<K>, second: &Id<K>) -> NotOne {
        let (first, second) = (first.to_string(), second.to_string());
        let both = first.bytes().zip(second.bytes());
        let same = both.take_while(|(one, other)| one == other).count();
        NotOne::Ambiguous {
            prefix: self.to_string(),
            first: first[..=same].to_owned(),
            second: second[..=same].to_owned(),
        }
    }
}

impl<K: Kind> From<Id<K>> for Prefix<K> {
    fn from(id: Id<K>) -> Self {
        Self {
            text: encode(&id.digest),
            kind: PhantomData,
        }
    }
}

impl<K: Kind> fmt::Display for Prefix<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", K::LETTER, self.text)
    }
}

impl<K: Kind> FromStr for Prefix<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = body::<K>(text, SHORT)?;
        Ok(Self {
            text,
            kind: PhantomData,
        })
    }
}

/// What follows the letter, checked and in lower case.
fn body<K: Kind>(text: &str, at_least: usize) -> Result<String, IdError> {
    let shown = || text.chars().take(80).collect::<String>();
    let (letter, body) = text.split_once('-').unwrap_or((text, ""));
    let mut own = [0; 4];
    if !letter.eq_ignore_ascii_case(K::LETTER.encode_utf8(&mut own)) {
        return Err(IdError::Letter {
            text: shown(),
            what: K::WHAT,
            letter: K::LETTER,
        });
    }
    let len = body.chars().count();
    if !(at_least..=WHOLE).contains(&len) {
        return Err(IdError::Length {
            text: shown(),
            len,
            at_least,
        });
    }
    let wrong = |character| IdError::Character {
        text: shown(),
        character,
    };
    let body: Result<String, _> = body
        .chars()
        .map(|character| value(character).map(letter_of).ok_or(wrong(character)))
        .collect();
    let body = body?;
    match body.chars().nth(WHOLE - 1) {
        Some(last) if !matches!(last, '0' | 'g') => Err(wrong(last)),
        _ => Ok(body),
    }
}

fn letter_of(value: u8) -> char {
    char::from(ALPHABET[usize::from(value)])
}

fn value(character: char) -> Option<u8> {
    let plain = match character.to_ascii_lowercase() {
        'i' | 'l' => '1',
        'o' => '0',
        other => other,
    };
    let at = ALPHABET.iter().position(|one| char::from(*one) == plain)?;
    u8::try_from(at).ok()
}

fn encode(digest: &Digest) -> String {
    let bit = |at: usize| match digest.0.get(at / 8) {
        Some(byte) => byte >> (7 - at % 8) & 1,
        None => 0,
    };
    let character = |at: usize| letter_of((0..5).fold(0, |value, i| value << 1 | bit(5 * at + i)));
    (0..WHOLE).map(character).collect()
}

/// The digest that begins with the bits of `text`, which is checked, and goes on with those of `rest`.
fn fill(text: &str, rest: u8) -> Digest {
    let mut bytes = [rest; 32];
    let values = text.chars().filter_map(value);
    let bits = values.flat_map(|value| (0..5).rev().map(move |i| value >> i & 1));
    for (at, bit) in bits.enumerate().take(256) {
        let mask = 0x80 >> (at % 8);
        match bit {
            0 => bytes[at / 8] &= !mask,
            _ => bytes[at / 8] |= mask,
        }
    }
    Digest(bytes)
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<K: Kind> JsonSchema for Id<K> {
    fn schema_name() -> Cow<'static, str> {
        let mut name = K::WHAT.to_owned();
        name[..1].make_ascii_uppercase();
        format!("{name}Id").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": format!("Names a {}.", K::WHAT),
            "type": "string",
            "pattern": format!("^{}-[0-9a-hjkmnp-tv-z]{{51}}[0g]$", K::LETTER),
        })
    }
}

impl<K: Kind> JsonSchema for Prefix<K> {
    fn schema_name() -> Cow<'static, str> {
        let mut name = K::WHAT.to_owned();
        name[..1].make_ascii_uppercase();
        format!("{name}Prefix").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": format!(
                "The id of a {}, or its first characters: at least 10 after `-`.", K::WHAT
            ),
            "type": "string",
            "pattern": format!("^{}-[0-9a-hjkmnp-tv-z]{{10,51}}[0g]?$", K::LETTER),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_have_these_texts() {
        let cases = [
            (
                Digest([0; 32]),
                "j-0000000000000000000000000000000000000000000000000000",
            ),
            (
                Digest([0xff; 32]),
                "j-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzg",
            ),
            (
                Digest::of(b"opensky"),
                "j-ye50mtnhcsxbncd3522mhkqs2hysfgh57ysq5wxm423q3h0vhyyg",
            ),
        ];
        for (digest, text) in cases {
            let id = JobId::new(digest);
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse::<JobId>(), Ok(id));
        }
    }

    #[test]
    fn texts_that_are_no_ids_say_why() {
        let prefix = |text: &str| match text.parse::<Prefix<kind::Job>>() {
            Ok(prefix) => prefix.to_string(),
            Err(error) => error.to_string(),
        };
        let cases = [
            "u-0123456789",
            "",
            "j-",
            "j-012345678",
            "J-O1234I6789",
            "j-01234567_9",
            "j-0000000000000000000000000000000000000000000000000001",
            "j-00000000000000000000000000000000000000000000000000000",
        ];
        let said = cases.map(prefix).join("\n");
        expect_test::expect![[r#"
            `u-0123456789` is not the id of a job, which begins with `j-`
            `` is not the id of a job, which begins with `j-`
            the id `j-` has 0 characters after `-`; it takes 10 to 52
            the id `j-012345678` has 9 characters after `-`; it takes 10 to 52
            j-0123416789
            the id `j-01234567_9` cannot end or go on with `_`
            the id `j-0000000000000000000000000000000000000000000000000001` cannot end or go on with `1`
            the id `j-00000000000000000000000000000000000000000000000000000` has 53 characters after `-`; it takes 10 to 52"#]]
        .assert_eq(&said);
    }

    #[test]
    fn ambiguous_beginnings_name_what_tells_them_apart() {
        let mut other = [0; 32];
        other[8] = 0x10;
        let both = [Digest([0; 32]), Digest(other)];
        let prefix: Prefix<kind::Job> = JobId::new(both[0]).short().parse().expect("short id");
        let said = prefix.pick(both).expect_err("two of them").to_string();
        assert_eq!(
            said,
            "j-0000000000 could be j-00000000000000 or j-00000000000004: type more of it"
        );
        assert_eq!(prefix.pick([both[1], both[1]]), Ok(JobId::new(both[1])));
        assert!(matches!(prefix.pick([]), Err(NotOne::Nothing { .. })));
    }

    proptest! {
        #[test]
        fn every_beginning_finds_its_digest(bytes: [u8; 32], other: [u8; 32], len in SHORT..=WHOLE) {
            let (digest, other) = (Digest(bytes), Digest(other));
            let text = UnitId::new(digest).to_string();
            prop_assert_eq!(text.parse::<UnitId>(), Ok(UnitId::new(digest)));
            let prefix: Prefix<kind::Unit> = text[..2 + len].parse().expect("a part of an id");
            prop_assert_eq!(prefix.to_string(), &text[..2 + len]);
            let same = UnitId::new(other).to_string()[..2 + len] == text[..2 + len];
            prop_assert_eq!(prefix.range().contains(&other), same);
            prop_assert_eq!(prefix.pick([digest]), Ok(UnitId::new(digest)));
        }

        #[test]
        fn ids_sort_as_their_texts(one: [u8; 32], other: [u8; 32]) {
            let (one, other) = (JobId::new(Digest(one)), JobId::new(Digest(other)));
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        }

        #[test]
        fn any_text_is_an_id_or_is_not(text in ".{0,70}", tail in "[0-9a-zA-Z]{0,60}") {
            for text in [text, format!("j-{tail}")] {
                if let Ok(prefix) = text.parse::<Prefix<kind::Job>>() {
                    prop_assert_eq!(prefix.to_string().parse(), Ok(prefix.clone()));
                    prop_assert!(prefix.range().start() <= prefix.range().end());
                }
                if let Ok(id) = text.parse::<JobId>() {
                    prop_assert_eq!(id.to_string().parse(), Ok(id));
                }
            }
        }
    }
}
