//! What a devnet is called: the same for as long as its folder is kept.

use std::path::Path;

use opensky_node::{Config, config::LedgerConfig};

use crate::Problem;

/// What the node is told that keeps the ledger, and without one, on a chain, the requester.
const CONFIGS: [&str; 2] = ["ledger.toml", "requester.toml"];

/// What tells a devnet and its ledger from all others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// The network's.
    pub network: String,
    /// The ledger's: its id is made of it, so that no two devnets have the same.
    pub ledger: String,
}

impl Names {
    /// Those of the devnet that was in `folder`, which goes on; new ones where none was.
    pub fn of(folder: &Path) -> Result<Self, Problem> {
        let files = CONFIGS.map(|name| folder.join(name));
        let Some(file) = files.into_iter().find(|file| file.exists()) else {
            return Self::new();
        };
        let config = Config::read(&file).map_err(|error| {
            Problem::usage(format!(
                "cannot go on with the devnet in `{}`",
                folder.display()
            ))
            .because(error)
            .help(format!(
                "mend `{}`, or name another folder with --data",
                file.display()
            ))
        })?;
        match config.ledger {
            LedgerConfig::Here(here) => Ok(Self {
                network: config.network,
                ledger: here.name,
            }),
            LedgerConfig::Chain(_) => Ok(Self {
                network: config.network,
                ledger: String::new(),
            }),
            LedgerConfig::At(_) => Self::new(),
        }
    }

    fn new() -> Result<Self, Problem> {
        let mut name = [0; 4];
        getrandom::fill(&mut name)
            .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
        let name = format!("opensky-devnet-{:08x}", u32::from_le_bytes(name));
        Ok(Self {
            network: name.clone(),
            ledger: name,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn devnet_that_goes_on_is_called_as_before_and_no_two_others_are_called_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = || Names::of(folder.path()).expect("names");
        let (one, two) = (of(), of());
        assert_ne!((&one.network, &one.ledger), (&two.network, &two.ledger));
        let file = folder.path().join(CONFIGS[0]);
        let text = "data = \"/d\"\nnetwork = \"n\"\n[ledger.here]\nname = \"l\"\n";
        fs::write(&file, text).expect("written");
        let expected = Names {
            network: "n".into(),
            ledger: "l".into(),
        };
        assert_eq!(of(), expected);
        fs::write(&file, "no = configuration").expect("written");
        let problem = Names::of(folder.path()).expect_err("a problem");
        let said = crate::problem::describe(&problem.into());
        assert!(
            said.contains("ledger.toml") && said.contains("--data"),
            "{said}"
        );
    }
}
