//! Deployments: programs under names.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Bytes, Count, DeploymentId, Hex, IdError, Limits, NodeId, Passed, Prefix, Prices, Replicas,
    kind,
};

/// A program to be deployed under the node's name. The node has its component.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRequest {
    /// 1 to 64 of `a-z`, `0-9` and `-`, which is not first or last.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    pub name: String,
    /// The component.
    pub program: Hex,
    /// What a unit may use where a job does not say.
    #[serde(default)]
    pub limits: Limits,
    /// The rules of execution, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many operators run each unit where a job does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// The cap of each price where a job does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Prices>,
    /// One line for people, at most 200 bytes.
    #[serde(default)]
    pub about: String,
    /// Operators that have to pin the program, 1 to 16; three where it is left out, or all that are known
    /// if there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub pins: Option<u8>,
}

impl DeploymentRequest {
    /// The most operators that can be asked to pin a program.
    pub const MAX_PINS: u8 = 16;
}

/// What became of a program that was to be deployed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deployed {
    /// The deployment, and the providers that have pinned it.
    pub deployment: Deployment,
    /// Providers that were asked to and have not pinned it, and why.
    pub refused: Vec<Passed>,
    /// Whether the table of peers has the name. Where it has not, those who pinned the program know it,
    /// and others may have to ask several of them.
    pub announced: bool,
}

/// A deployment as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Its id: that of publisher and name, whatever the version.
    pub deployment: DeploymentId,
    /// Who publishes it.
    pub publisher: NodeId,
    /// Its name.
    pub name: String,
    /// The component.
    pub program: Hex,
    /// How long that is.
    pub len: Bytes,
    /// Counts up with each version.
    pub sequence: Count,
    /// What a unit may use.
    pub limits: Limits,
    /// The rules of execution.
    pub profile: String,
    /// How many operators run each unit.
    pub replicas: Replicas,
    /// The cap of each price; absent where the market's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Prices>,
    /// One line for people.
    pub about: String,
    /// Providers that have just pinned the program, or say that they have it; absent where nobody was
    /// asked. Nobody is paid for keeping it, and nobody says for how long they will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Vec<NodeId>>,
}

/// What a person types for a deployment.
///
/// A text that is the beginning of a deployment's id is one; whoever has a name that looks like that
/// says whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeploymentRef {
    /// `d-…`.
    Id(Prefix<kind::Deployment>),
    /// `name`: the node's own.
    Own(String),
    /// `p-…/name`.
    Of(Prefix<kind::Node>, String),
}

/// A text that names no deployment.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotADeployment {
    /// It could not be a name.
    #[error(
        "`{0}` names no deployment: use its id `d-…`, the name of one of your own, or `p-…/name`; \
         a name is 1 to 64 of a-z, 0-9 and -"
    )]
    Name(String),
    /// Before the slash there is no publisher.
    #[error(transparent)]
    Publisher(#[from] IdError),
}

impl fmt::Display for DeploymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Own(name) => f.write_str(name),
            Self::Of(publisher, name) => write!(f, "{publisher}/{name}"),
        }
    }
}

impl FromStr for DeploymentRef {
    type Err = NotADeployment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |name: &str| match opensky_protocol::Deployment::is_name(name) {
            true => Ok(name.to_owned()),
            false => Err(NotADeployment::Name(text.chars().take(200).collect())),
        };
        if let Some((publisher, name)) = text.split_once('/') {
            let name = named(name)?;
            return Ok(Self::Of(publisher.parse()?, name));
        }
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => named(text).map(Self::Own),
        }
    }
}

impl Serialize for DeploymentRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeploymentRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for DeploymentRef {
    fn schema_name() -> Cow<'static, str> {
        "DeploymentRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A deployment: its id or the beginning of it, the name of one of the \
                            node's own, or publisher and name.",
            "type": "string",
            "pattern": "^((p-[0-9a-hjkmnp-tv-z]{10,51}/)?[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\
                        |d-[0-9a-hjkmnp-tv-z]{10,51})$",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deployments_are_named_in_three_ways() {
        let read = |text: &str| match text.parse::<DeploymentRef>() {
            Ok(DeploymentRef::Id(id)) => format!("id {id}"),
            Ok(DeploymentRef::Own(name)) => format!("own {name}"),
            Ok(DeploymentRef::Of(publisher, name)) => format!("{name} of {publisher}"),
            Err(error) => error.to_string(),
        };
        let cases = [
            "d-0123456789",
            "d-012345678",
            "summary",
            "p-0123456789/summary",
            "Summary",
            "x/y",
            "a/b/c",
        ];
        let said = cases.map(read).join("\n");
        expect_test::expect![[r#"
            id d-0123456789
            own d-012345678
            own summary
            summary of p-0123456789
            `Summary` names no deployment: use its id `d-…`, the name of one of your own, or `p-…/name`; a name is 1 to 64 of a-z, 0-9 and -
            `x` is not the id of a provider, which begins with `p-`
            `a/b/c` names no deployment: use its id `d-…`, the name of one of your own, or `p-…/name`; a name is 1 to 64 of a-z, 0-9 and -"#]]
        .assert_eq(&said);
    }

    proptest! {
        #[test]
        fn any_text_is_a_deployment_or_is_not(text in "([dp]-)?[a-z0-9-]{0,70}(/[a-z-]{0,9})?", any in ".*") {
            for text in [text, any] {
                if let Ok(found) = text.parse::<DeploymentRef>() {
                    prop_assert_eq!(found.to_string().parse(), Ok(found.clone()));
                }
            }
        }
    }
}
