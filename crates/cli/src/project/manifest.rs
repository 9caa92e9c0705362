//! What a project's Cargo.toml says of its deployment: `[package.metadata.opensky]`.

use opensky_api::{Amount, Bytes, Fuel, Limits, Prices, Replicas};
use serde::Deserialize;
use serde_json::Value;

use super::About;
use crate::{Problem, value};

/// The longest line about a deployment.
const MAX_ABOUT: usize = 200;

/// The table. Numbers may be written as numbers, or as on the command line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The deployment's name.
    pub name: Option<String>,
    about: Option<String>,
    fuel: Option<Value>,
    memory: Option<Value>,
    output: Option<Value>,
    log: Option<Value>,
    profile: Option<Value>,
    replicas: Option<Value>,
    price: Option<Price>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Price {
    #[serde(default = "free")]
    dispatch: String,
    per_gfuel: String,
    #[serde(default = "free")]
    per_gib: String,
}

fn free() -> String {
    "0".into()
}

impl Manifest {
    /// Reads the table of a project. One that has none says nothing.
    pub fn read(about: &About) -> Result<Self, Problem> {
        match about.metadata.get("opensky") {
            None => Ok(Self::default()),
            Some(table) => Self::deserialize(table).map_err(|error| wrong(&error.to_string())),
        }
    }

    /// What a unit may use.
    pub fn limits(&self) -> Result<Limits, Problem> {
        let bytes = |key: &str, text: &Option<Value>| {
            let number = read(key, text, value::bytes)?;
            let bytes = number.map(Bytes::try_from).transpose();
            bytes.map_err(|error| wrong(&format!("`{key}`: {error}")))
        };
        Ok(Limits {
            fuel: read("fuel", &self.fuel, value::count)?.map(Fuel),
            memory: bytes("memory", &self.memory)?,
            output: bytes("output", &self.output)?,
            log: bytes("log", &self.log)?,
        })
    }

    /// The rules of execution.
    pub fn profile(&self) -> Result<Option<String>, Problem> {
        let rules = read("profile", &self.profile, value::profile)?;
        Ok(rules.map(|rules| rules.profile().id().to_owned()))
    }

    /// How many operators run each unit.
    pub fn replicas(&self) -> Result<Option<Replicas>, Problem> {
        read("replicas", &self.replicas, value::replicas)
    }

    /// The cap of each price. What is not said costs nothing at most.
    pub fn price(&self) -> Result<Option<Prices>, Problem> {
        let amount = |key: &str, text: &str| {
            let amount = text.parse::<Amount>();
            amount.map_err(|error| wrong(&format!("`price.{key}`: {error}")))
        };
        let Some(price) = &self.price else {
            return Ok(None);
        };
        Ok(Some(Prices {
            dispatch: amount("dispatch", &price.dispatch)?,
            per_gfuel: amount("per-gfuel", &price.per_gfuel)?,
            per_gib: amount("per-gib", &price.per_gib)?,
        }))
    }

    /// A line for people: the table's, else the first of the package's description.
    pub fn about(&self, about: &About) -> String {
        let line = self.about.as_deref().or(about.description.as_deref());
        let line = line
            .and_then(|text| text.lines().next())
            .unwrap_or_default();
        let end = line.floor_char_boundary(MAX_ABOUT);
        line[..end].to_owned()
    }
}

/// A number or a text, read as on the command line.
fn read<T>(
    key: &str,
    value: &Option<Value>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Problem> {
    let text = match value {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(wrong(&format!("`{key}` is neither a number nor a text"))),
    };
    let read = parse(&text).map_err(|error| wrong(&format!("`{key}`: {error}")))?;
    Ok(Some(read))
}

fn wrong(what: &str) -> Problem {
    Problem::usage("`[package.metadata.opensky]` makes no sense")
        .because(what.to_owned())
        .help("mend it in Cargo.toml; its keys are in: opensky deploy --help")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(table: Value) -> Result<Manifest, Problem> {
        Manifest::read(&About {
            metadata: json!({ "opensky": table }),
            ..About::default()
        })
    }

    #[test]
    fn everything_can_be_said() {
        let said = manifest(json!({
            "name": "n", "about": "greets\nand more", "fuel": "2G", "memory": "64MiB",
            "output": 1000, "log": "1KiB", "profile": 1, "replicas": "auto",
            "price": { "per-gfuel": "2 mSKY" },
        }))
        .expect("a manifest");
        let limits = said.limits().expect("limits");
        assert_eq!(limits.fuel, Some(Fuel(2_000_000_000)));
        assert_eq!(limits.memory.map(Bytes::value), Some(64 << 20));
        assert_eq!(limits.output.map(Bytes::value), Some(1000));
        assert_eq!(said.profile().expect("a profile").as_deref(), Some("1"));
        assert_eq!(said.replicas().expect("a number"), Some(Replicas::Auto));
        let price = said.price().expect("prices").expect("a price");
        assert_eq!(
            (price.per_gfuel, price.dispatch),
            (Amount(2_000_000_000), Amount(0))
        );
        assert_eq!(said.about(&About::default()), "greets");
    }

    #[test]
    fn project_that_says_nothing_has_the_packages_words() {
        let about = About {
            description: Some("é".repeat(150)),
            ..About::default()
        };
        let said = Manifest::read(&about).expect("nothing to read");
        assert_eq!(said, Manifest::default());
        assert_eq!(said.limits().expect("limits"), Limits::default());
        assert_eq!(said.about(&about).len(), 200);
    }

    #[test]
    fn what_makes_no_sense_names_the_key() {
        let words = |table: Value| {
            let read = manifest(table).and_then(|said| {
                said.limits()?;
                said.replicas()?;
                said.profile()?;
                said.price()
            });
            crate::problem::describe(&read.expect_err("an error").into())
        };
        for (table, word) in [
            (json!({ "fule": 1 }), "fule"),
            (json!({ "fuel": "much" }), "`fuel`"),
            (json!({ "memory": -1 }), "`memory`"),
            (json!({ "output": [1] }), "`output`"),
            (json!({ "replicas": 0 }), "`replicas`"),
            (json!({ "profile": 9 }), "`profile`"),
            (
                json!({ "price": { "per-gfuel": "2" } }),
                "`price.per-gfuel`",
            ),
            (json!({ "price": {} }), "per-gfuel"),
        ] {
            let said = words(table);
            assert!(said.contains(word), "{said}");
        }
    }
}
