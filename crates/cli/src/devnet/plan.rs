//! Which processes a devnet consists of, and what each is told.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    str::FromStr,
};

use opensky_api::Amount;
use opensky_protocol::Digest;

use super::{child::Ready, names::Names};
use crate::Problem;

/// The name of the node that keeps the books, and of its folder, where that is no chain.
pub const LEDGER: &str = "ledger";
/// The folder of the node that jobs are handed to.
pub const REQUESTER: &str = "requester";
/// The folder of a node that somebody adds.
const JOINED: &str = "joined";
/// Where the secret key of a node is, in its data folder.
const KEY: &str = "node.key";
/// More processes than this are no development network.
const MOST: usize = 64;

/// What a bad provider does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Signs another output than the right one.
    Lie,
    /// Dies as soon as it is to run something.
    Crash,
    /// Takes seconds longer than it has to.
    Slow,
    /// Takes units on and is not heard of again.
    Silent,
    /// Gives the result of one unit for all others.
    Copy,
}

impl Habit {
    const ALL: [Self; 5] = [Self::Lie, Self::Crash, Self::Slow, Self::Silent, Self::Copy];
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lie => "lie",
            Self::Crash => "crash",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Copy => "copy",
        })
    }
}

/// So many providers with a habit, as in `lie:1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadOnes {
    /// What they do.
    pub habit: Habit,
    /// How many there are.
    pub count: usize,
}

impl FromStr for BadOnes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let habit = Habit::ALL
            .into_iter()
            .find(|habit| habit.to_string() == name);
        match (habit, count.parse()) {
            (Some(habit), Ok(count @ 1..=MOST)) => Ok(Self { habit, count }),
            _ => {
                let known = Habit::ALL.map(|habit| habit.to_string()).join(", ");
                Err(format!(
                    "`{text}` is no bad node: write lie:1; there are {known}"
                ))
            }
        }
    }
}

/// A devnet to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Providers, the bad ones among them.
    pub providers: usize,
    /// The bad ones.
    pub bad: Vec<Habit>,
    /// What the nodes' keys are made of, where they are to be the same every time.
    pub seed: Option<u64>,
    /// What it and its ledger are called.
    pub names: Names,
    /// Units that each provider runs at once.
    pub cores: usize,
    /// What each honest provider has at stake.
    pub stake: Amount,
    /// Where the chain can be asked that they settle on; `Some` of nothing before it is started.
    pub chain: Option<String>,
}

/// What a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Keeps the books.
    Ledger,
    /// Runs units.
    Provider,
    /// Runs units wrongly.
    Bad(Habit),
    /// Takes jobs from the person.
    Requester,
}

impl Role {
    /// Whether it runs units.
    pub fn provides(self) -> bool {
        matches!(self, Self::Provider | Self::Bad(_))
    }
}

/// One process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name, and that of its folder.
    pub name: String,
    /// What it is.
    pub role: Role,
}

impl Plan {
    /// Checks that it makes sense.
    pub fn check(&self) -> Result<(), Problem> {
        if self.bad.len() > self.providers {
            let (bad, all) = (self.bad.len(), self.providers);
            return Err(
                Problem::usage(format!("{bad} bad nodes are more than {all} providers"))
                    .help("the bad ones are among them: give more with --providers"),
            );
        }
        match self.providers {
            1..=MOST => Ok(()),
            other => Err(Problem::usage(format!("{other} providers are no devnet"))
                .help(format!("give 1 to {MOST} with --providers"))),
        }
    }

    /// All nodes, in the order in which they are started. Everybody begins with the first one: that is who keeps the
    /// ledger, and on a chain the requester.
    pub fn members(&self) -> Vec<Member> {
        let honest = self.providers - self.bad.len();
        let roles = std::iter::repeat_n(Role::Provider, honest);
        let roles = roles.chain(self.bad.iter().map(|habit| Role::Bad(*habit)));
        let providers = roles.enumerate().map(|(at, role)| Member {
            name: match role {
                Role::Bad(habit) => format!("provider-{}-{habit}", at + 1),
                _ => format!("provider-{}", at + 1),
            },
            role,
        });
        let one = |name: &str, role| Member {
            name: name.into(),
            role,
        };
        let requester = one(REQUESTER, Role::Requester);
        if self.chain.is_some() {
            return std::iter::once(requester).chain(providers).collect();
        }
        std::iter::once(one(LEDGER, Role::Ledger))
            .chain(providers)
            .chain([requester])
            .collect()
    }

    /// What a process is told, in TOML. The first one listens where it is already, if that is known.
    pub fn config(&self, member: &Member, data: &Path, first: Option<&Ready>) -> String {
        let provides = member.role.provides();
        let is_first = match self.chain {
            None => member.role == Role::Ledger,
            Some(_) => member.role == Role::Requester,
        };
        let listen = match first {
            Some(here) if is_first => here.address.split("/p2p/").next().unwrap_or_default(),
            _ => "/ip4/127.0.0.1/tcp/0",
        };
        let begin = match first {
            Some(first) if !is_first && self.chain.is_some() => quoted(&first.address),
            _ => String::new(),
        };
        let books = match (&self.chain, first) {
            (Some(url), _) => format!("[ledger.chain]\nurl = {}\n", quoted(url)),
            (None, _) if is_first => {
                format!("[ledger.here]\nname = {}\n", quoted(&self.names.ledger))
            }
            (None, None) => String::new(),
            (None, Some(first)) => format!(
                "[ledger.at]\nnode = {}\naddress = {}\n",
                quoted(&first.key),
                quoted(&first.address)
            ),
        };
        format!(
            "data = {}\nnetwork = {}\nlisten = [{}]\nbootstrap = [{begin}]\npublic = true\n\
             provide = {provides}\n\n[capacity]\ncores = {}\ndisk = \"4GiB\"\n\n\
             {books}\n[api]\nlisten = \"127.0.0.1:0\"\n",
            quoted(&data.to_string_lossy()),
            quoted(&self.names.network),
            quoted(listen),
            self.cores,
        )
    }

    /// What a node is told that somebody adds: it provides, and keeps its things with those of the devnet
    /// in `folder`. They are worth something for as long as the ledger is there, and no longer.
    pub fn join(&self, ledger: &Ready, folder: &Path) -> String {
        let member = Member {
            name: JOINED.into(),
            role: Role::Provider,
        };
        self.config(&member, &folder.join(JOINED), Some(ledger))
    }

    /// Gives a process its key, if keys are to be the same every time. One that it has it keeps.
    pub fn write_key(&self, member: &Member, data: &Path) -> io::Result<()> {
        let file = data.join(KEY);
        let Some(seed) = self.seed.filter(|_| !file.exists()) else {
            return Ok(());
        };
        let secret = Digest::derive("opensky devnet 1", &(seed, &member.name));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        writeln!(options.open(file)?, "{secret}")
    }
}

/// A text in TOML. JSON's texts are TOML's, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use opensky_node::{Config, config::LedgerConfig};

    use super::*;

    fn plan(providers: usize, bad: &[Habit]) -> Plan {
        Plan {
            providers,
            bad: bad.to_vec(),
            seed: Some(7),
            names: Names {
                network: "opensky-devnet-1".into(),
                ledger: "opensky-devnet-1".into(),
            },
            cores: 1,
            stake: Amount(0),
            chain: None,
        }
    }

    #[test]
    fn bad_ones_are_counted_by_habit() {
        let read = |text: &str| text.parse::<BadOnes>().map(|ones| (ones.habit, ones.count));
        assert_eq!(read("lie:2"), Ok((Habit::Lie, 2)));
        assert_eq!(read("silent"), Ok((Habit::Silent, 1)));
        for text in [
            "", "lie:", "lie:0", "lie:65", "lie:-1", "honest:1", "lie:1:1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ledger_is_first_requester_last_and_bad_ones_are_providers() {
        let names: Vec<_> = plan(3, &[Habit::Lie]).members();
        let names: Vec<_> = names.iter().map(|member| member.name.as_str()).collect();
        let expected = [
            "ledger",
            "provider-1",
            "provider-2",
            "provider-3-lie",
            "requester",
        ];
        assert_eq!(names, expected);
        assert!(plan(1, &[Habit::Lie, Habit::Slow]).check().is_err());
        assert!(plan(0, &[]).check().is_err());
        assert!(plan(65, &[]).check().is_err());
        assert!(plan(1, &[Habit::Copy]).check().is_ok());
    }

    #[test]
    fn every_configuration_is_understood_by_a_node() {
        let plan = plan(3, &[Habit::Lie]);
        let ready = Ready {
            key: "ec".to_owned() + &"ff".repeat(30) + "7f",
            address:
                "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWAmRuKZYAriXwtQjFoeBnedav5gzP6ykfd7LiMna6xn8G"
                    .into(),
        };
        for member in plan.members() {
            let ledger = (member.role != Role::Ledger).then_some(&ready);
            let text = plan.config(&member, Path::new("/a \"b\"\\c"), ledger);
            let config = Config::parse(&text).expect("a configuration");
            assert_eq!(config.data, Path::new("/a \"b\"\\c"));
            let keeps = match &config.ledger {
                LedgerConfig::Here(here) => here.name == plan.names.ledger,
                LedgerConfig::At(_) | LedgerConfig::Chain(_) => false,
            };
            assert_eq!(keeps, member.role == Role::Ledger);
            assert_eq!(config.provide, member.role.provides());
            assert_eq!(config.api.listen.port(), 0);
        }
        let joined = Config::parse(&plan.join(&ready, Path::new("/net"))).expect("a configuration");
        assert_eq!(joined.data, Path::new("/net/joined"));
    }

    #[test]
    fn keys_of_one_seed_are_the_same_and_differ_among_nodes() {
        let key = |name: &str, seed| {
            let folder = tempfile::tempdir().expect("a folder");
            let member = Member {
                name: name.into(),
                role: Role::Provider,
            };
            let plan = Plan {
                seed,
                ..plan(1, &[])
            };
            plan.write_key(&member, folder.path()).expect("written");
            fs::read_to_string(folder.path().join(KEY)).ok()
        };
        let one = key("provider-1", Some(1));
        assert_eq!(one, key("provider-1", Some(1)));
        assert_ne!(one, key("provider-2", Some(1)));
        assert_ne!(one, key("provider-1", Some(2)));
        assert_eq!(key("provider-1", None), None);
    }
}
