//! The one shape of an error: what happened, under a code that never changes, and what to do.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// What kind of problem it is. Programs rely on the codes: they never change their meaning.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The status of a reply with this problem.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }

            /// The problem in a few words, always the same.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    /// The request is not what the document describes.
    Invalid = "invalid", 400, "the request makes no sense";
    /// The token is missing, or another one.
    Unauthorised = "unauthorised", 401, "the token is not this node's";
    /// There is too little money in the account.
    Funds = "funds", 402, "there is too little money";
    /// There is nothing of that name.
    NotFound = "not-found", 404, "there is no such thing";
    /// The path is right and the method is not.
    Method = "method", 405, "that cannot be done with this";
    /// The beginning of an id fits several.
    Ambiguous = "ambiguous", 409, "the id fits several";
    /// It is too early: what is asked for is not there yet.
    NotYet = "not-yet", 409, "it is not there yet";
    /// It is too late: the job is over, or what was asked for has been removed.
    TooLate = "too-late", 409, "it is too late for that";
    /// The body is longer than this path takes.
    TooLarge = "too-large", 413, "that is too large";
    /// The body is not of the media type that this path takes.
    MediaType = "media-type", 415, "the body is of another type";
    /// The blob does not have these bytes.
    Range = "range", 416, "there are no such bytes";
    /// The request makes sense and cannot be done as it is: nobody could run such a job.
    Refused = "refused", 422, "it cannot be done like this";
    /// Something went wrong in the node.
    Internal = "internal", 500, "the node failed";
    /// The node has too much to do; ask again.
    Busy = "busy", 503, "the node is busy";
    /// The node is about to stop.
    Draining = "draining", 503, "the node is shutting down";
    /// The ledger does not answer.
    Ledger = "ledger", 503, "the ledger does not answer";
    /// It took longer than this path waits.
    Slow = "slow", 504, "it took too long";
    /// The disk, or what the node may use of it, is full.
    Full = "full", 507, "the storage is full";
    /// A code that this version does not know: its status says more.
    Unknown = "unknown", 500, "a problem that is not known here";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let code = Self::ALL.iter().find(|code| code.name() == text);
        Ok(code.copied().unwrap_or(Self::Unknown))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|code| code.name()).collect();
        json_schema!({
            "description": "What kind of problem it is. New ones may come; none changes its meaning.",
            "type": "string",
            "examples": names,
        })
    }
}

/// A problem as RFC 9457 describes them (`application/problem+json`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `urn:opensky:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words, always the same for one code.
    pub title: String,
    /// The status of the reply.
    pub status: u16,
    /// What happened, as a sentence.
    pub detail: String,
    /// What to do about it, as a sentence; absent where there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The code.
    pub code: Code,
}

impl Problem {
    /// The media type of a reply that is one.
    pub const MEDIA: &'static str = "application/problem+json";

    /// A problem of that kind, and what happened.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:opensky:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            help: None,
            code,
        }
    }

    /// Says what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_is_this_json() {
        let problem = Problem::new(Code::NotYet, "the job runs").help("wait");
        let json = serde_json::to_string_pretty(&problem).expect("JSON");
        expect_test::expect![[r#"
            {
              "type": "urn:opensky:problem:not-yet",
              "title": "it is not there yet",
              "status": 409,
              "detail": "the job runs",
              "help": "wait",
              "code": "not-yet"
            }"#]]
        .assert_eq(&json);
    }

    #[test]
    fn codes_are_told_apart_and_new_ones_are_read() {
        for code in Code::ALL {
            let json = serde_json::to_string(code).expect("JSON");
            assert_eq!(serde_json::from_str::<Code>(&json).ok(), Some(*code));
        }
        let new = serde_json::from_str::<Code>("\"of-tomorrow\"").ok();
        assert_eq!(new, Some(Code::Unknown));
    }
}
