//! What a node is told at its start: one TOML file, read once, in which no key is passed over.

mod checked;
mod quantity;
mod unknown;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use opensky_protocol::{Account, NodeKey, PriceTerms, ledger::Terms};
use serde::Deserialize;

pub(crate) use checked::CORES;
pub use quantity::{Bytes, Coins};

/// How a node takes part. Every key has a default but `data` and the ledger's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder of everything that the node keeps: its key, rows, blobs and compiled programs.
    pub data: PathBuf,
    /// The network's name. Nodes of different names do not talk.
    #[serde(default = "default_network", deserialize_with = "checked::network")]
    pub network: String,
    /// Multiaddresses to listen on. Default: any free TCP port and QUIC port of all interfaces.
    #[serde(default = "default_listen", deserialize_with = "checked::addresses")]
    pub listen: Vec<String>,
    /// Nodes to begin with, as multiaddresses that end in `/p2p/` and the peer's id. Default: none.
    #[serde(default, deserialize_with = "checked::nodes")]
    pub bootstrap: Vec<String>,
    /// Whether every address that it listens on can be reached: for servers, and for networks of one
    /// machine. Default: no, peers try it.
    #[serde(default)]
    pub public: bool,
    /// Whether to look for peers on the local network. Default: no.
    #[serde(default)]
    pub mdns: bool,
    /// Whether to carry bytes between peers that cannot reach each other. Default: no.
    #[serde(default)]
    pub relay: bool,
    /// Whether to run units for others. Default: yes.
    #[serde(default = "yes")]
    pub provide: bool,
    /// What a provider asks.
    #[serde(default)]
    pub price: Price,
    /// What a provider gives.
    #[serde(default)]
    pub capacity: Given,
    /// What the node says of itself, such as `region = "eu"`. At most 16; nobody checks them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Where escrow and stake live.
    pub ledger: LedgerConfig,
    /// The local HTTP API.
    #[serde(default)]
    pub api: Api,
}

/// What a provider asks, in the ledger's smallest coin.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Price {
    /// For taking a unit at all. Default: 1,000.
    pub dispatch: Coins,
    /// For 10^9 fuel. Default: 1,000,000.
    pub per_gfuel: Coins,
    /// For a GiB of input or output. Default: 1,000,000.
    pub per_gib: Coins,
    /// What a requester that has not paid yet may owe. It is all that a new one can cost; one that has
    /// paid may owe as much more as it has paid. A unit that can cost more is not run, and the offer says
    /// so. Default: the price of 1,000 units and of 1,000 x 10^9 fuel, which is about a quarter of an hour of
    /// one core.
    pub max_unpaid: Option<Coins>,
}

impl Price {
    /// What a requester that has not paid yet may owe.
    pub(crate) fn max_unpaid(&self) -> u128 {
        let all = self.dispatch.0.saturating_add(self.per_gfuel.0);
        self.max_unpaid
            .map_or(all.saturating_mul(1_000), |coins| coins.0)
    }
}

impl Default for Price {
    fn default() -> Self {
        Self {
            dispatch: Coins(1_000),
            per_gfuel: Coins(1_000_000),
            per_gib: Coins(1_000_000),
            max_unpaid: None,
        }
    }
}

impl From<Price> for PriceTerms {
    fn from(price: Price) -> Self {
        Self {
            dispatch: price.dispatch.0,
            per_gfuel: price.per_gfuel.0,
            per_gib: price.per_gib.0,
        }
    }
}

/// What a provider gives to strangers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Given {
    /// Units at once, 1 to 1,024. Where a chain may ask for some, one of several cores is for these. Default: one for each
    /// processor.
    #[serde(deserialize_with = "checked::cores")]
    pub cores: Option<u16>,
    /// Memory of all of them together. Default: half of the machine's.
    #[serde(deserialize_with = "checked::some")]
    pub memory: Option<Bytes>,
    /// Disk for blobs. Default: 32 GiB.
    #[serde(deserialize_with = "checked::some")]
    pub disk: Option<Bytes>,
    /// Bytes a second to others, as the offer says. Default: 100 MiB.
    pub uplink: Option<Bytes>,
}

/// Where escrow and stake live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum LedgerConfig {
    /// This process keeps the books, for itself and for whoever asks: a trusted bookkeeper, for one
    /// machine and for development networks.
    Here(LedgerHere),
    /// Another node keeps them.
    At(LedgerAt),
    /// They are on a chain.
    Chain(LedgerChain),
}

/// An embedded ledger. What a genesis says counts only when the ledger is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LedgerHere {
    /// Tells ledgers of equal terms apart. Default: `development`.
    pub name: String,
    /// What the faucet gives at once; 0 is no faucet. Default: as much as 10^18.
    pub faucet: Coins,
    /// What one intent costs. Default: nothing.
    pub fee: Coins,
    /// The least that an account has. Default: nothing.
    pub existential: Coins,
    /// Milliseconds from a job's end in which providers can claim. Default: ten minutes.
    pub claims: u64,
    /// Milliseconds after that in which claims by evidence can be objected to. Default: five minutes.
    pub objections: u64,
    /// Milliseconds after that in which a dispute waits for its verdict. Default: five minutes.
    pub verdicts: u64,
    /// Who has money from the start, and how much. Default: nobody.
    #[serde(deserialize_with = "checked::accounts")]
    pub balances: BTreeMap<Account, u128>,
    /// Milliseconds from an intent's acceptance to its end. Default: 0.
    pub delay: u64,
    /// Of 1,000 intents, how many are dropped, to see what others make of that. Default: 0.
    #[serde(deserialize_with = "checked::drops")]
    pub drops: u16,
}

impl Default for LedgerHere {
    fn default() -> Self {
        Self {
            name: "development".into(),
            faucet: Coins(1_000_000_000_000_000_000),
            fee: Coins(0),
            existential: Coins(0),
            claims: Terms::DEVELOPMENT.claims,
            objections: Terms::DEVELOPMENT.objections,
            verdicts: Terms::DEVELOPMENT.verdicts,
            balances: BTreeMap::new(),
            delay: 0,
            drops: 0,
        }
    }
}

/// A ledger that another node keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LedgerAt {
    /// That node's key, as 64 hexadecimal digits.
    #[serde(deserialize_with = "checked::node_key")]
    pub node: NodeKey,
    /// A multiaddress of it, which ends in `/p2p/` and its peer's id. It is one to begin with, too.
    #[serde(deserialize_with = "checked::node")]
    pub address: String,
}

/// A chain that this node settles on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LedgerChain {
    /// The JSON-RPC server of one of the chain's nodes, `ws://` or `wss://`. What it says is believed: use one that
    /// you trust.
    #[serde(deserialize_with = "checked::chain")]
    pub url: String,
}

impl LedgerChain {
    /// Where it is, for people: without passwords and keys.
    pub fn shown_url(&self) -> String {
        opensky_ledger::shown_url(&self.url)
    }
}

/// A text that is not where a chain can be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the address of a chain such as ws://127.0.0.1:9944")]
pub struct NotAChain(String);

impl FromStr for LedgerChain {
    type Err = NotAChain;

    fn from_str(text: &str) -> Result<Self, NotAChain> {
        match checked::is_web_socket(text) {
            true => Ok(Self { url: text.into() }),
            false => Err(NotAChain(text.chars().take(200).collect())),
        }
    }
}

/// The local HTTP API.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Api {
    /// Where it listens, on this machine alone. Default: `127.0.0.1:7420`; port 0 is any that is free.
    #[serde(deserialize_with = "checked::loopback")]
    pub listen: SocketAddr,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7420)),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such key.
    #[error("line {line}: there is no key `{key}`{}", did_you_mean(nearest))]
    UnknownKey {
        /// Where it is.
        line: usize,
        /// As it is written.
        key: String,
        /// The known key that looks most like it, if one does.
        nearest: Option<String>,
    },
    /// The text is not TOML, or a value is not what its key takes.
    #[error("line {line}: {}{message}", quoted(key))]
    Invalid {
        /// Where it is.
        line: usize,
        /// Whose value it is, if that can be told.
        key: Option<String>,
        /// What is wrong.
        message: String,
    },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    let hint = nearest.as_ref();
    hint.map_or(String::new(), |key| format!(": did you mean `{key}`?"))
}

fn quoted(key: &Option<String>) -> String {
    let key = key.as_ref();
    key.map_or(String::new(), |key| format!("`{key}`: "))
}

impl Config {
    /// A node with its things in `data`, that settles on `ledger`, and all else by default.
    pub fn new(data: impl Into<PathBuf>, ledger: LedgerConfig) -> Self {
        Self {
            data: data.into(),
            network: default_network(),
            listen: default_listen(),
            bootstrap: Vec::new(),
            public: false,
            mdns: false,
            relay: false,
            provide: true,
            price: Price::default(),
            capacity: Given::default(),
            labels: BTreeMap::new(),
            ledger,
            api: Api::default(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError::Read`], and those of [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] or [`ConfigError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| unknown::explain(text, &error))?;
        if let LedgerConfig::Here(here) = &config.ledger {
            checked::genesis(text, here)?;
        }
        Ok(config)
    }
}

fn default_network() -> String {
    "opensky-development".into()
}

fn default_listen() -> Vec<String> {
    ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"]
        .map(String::from)
        .into()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "data = \"/d\"\n[ledger.here]\n";

    #[test]
    fn chain_is_where_a_web_socket_is() {
        let is_chain = |url: &str| url.parse::<LedgerChain>().is_ok();
        for url in [
            "ws://127.0.0.1:9944",
            "wss://rpc.example",
            "wss://rpc.example/opensky?key=1",
            "ws://[::1]:9944",
            "ws://[::1]",
        ] {
            assert!(is_chain(url), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:9944",
            "http://127.0.0.1:9944",
            "ws://",
            "ws://:9944",
            "ws://a:",
            "ws://a:0",
            "ws://a:70000",
            "ws://a b:1",
            "ws:///path",
        ] {
            assert!(!is_chain(url), "{url}");
        }
    }

    #[test]
    fn password_and_key_of_a_chain_are_not_shown() {
        for (url, shown) in [
            ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
            ("ws://127.0.0.1:9944/", "ws://127.0.0.1:9944"),
            ("wss://me:a@b@rpc.example:1", "wss://rpc.example:1"),
            ("wss://rpc.example/v1/key?k=1", "wss://rpc.example/…"),
            ("wss://rpc.example?k=a@b", "wss://rpc.example/…"),
            ("ws://[::1]:9944#me@x", "ws://[::1]:9944/…"),
        ] {
            let chain: LedgerChain = url.parse().unwrap();
            assert_eq!(chain.shown_url(), shown, "{url}");
        }
    }

    #[test]
    fn least_that_is_said_gives_a_whole_configuration() {
        let config = Config::parse(LEAST).unwrap();
        assert!(config.provide && !config.mdns && !config.relay);
        assert_eq!(config.price, Price::default());
        assert_eq!(config.price.max_unpaid(), 1_001_000_000);
        assert_eq!(config.api.listen.to_string(), "127.0.0.1:7420");
        assert!(matches!(config.ledger, LedgerConfig::Here(here) if here.name == "development"));
    }

    #[test]
    fn everything_can_be_said() {
        let text = r#"
            data = "/d"
            network = "n"
            listen = ["/ip4/127.0.0.1/tcp/0"]
            bootstrap = ["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWAmRuKZYAriXwtQjFoeBnedav5gzP6ykfd7LiMna6xn8G"]
            public = true
            mdns = true
            relay = true
            provide = false
            labels = { region = "eu" }
            [price]
            dispatch = 5
            per-gfuel = "340282366920938463463374607431768211455"
            per-gib = "1_000"
            max-unpaid = 7_000
            [capacity]
            cores = 3
            memory = "14GiB"
            disk = 1000
            uplink = "1.5 MiB"
            [ledger.at]
            node = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
            address = "/ip4/127.0.0.1/tcp/2/p2p/12D3KooWAmRuKZYAriXwtQjFoeBnedav5gzP6ykfd7LiMna6xn8G"
            [api]
            listen = "127.0.0.1:0"
        "#;
        let config = Config::parse(text).unwrap();
        assert_eq!(config.price.per_gfuel, Coins(u128::MAX));
        assert_eq!(config.price.per_gib, Coins(1_000));
        assert_eq!(config.price.max_unpaid(), 7_000);
        assert_eq!(config.capacity.memory, Some(Bytes(14 << 30)));
        assert_eq!(config.capacity.uplink, Some(Bytes(3 << 19)));
        assert!(matches!(config.ledger, LedgerConfig::At(at) if at.node.0[0] == 0xec));
    }

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let error = Config::parse(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn unknown_key_is_an_error_that_names_the_nearest() {
        check_error(
            "data = \"/d\"\nlisen = []\n[ledger.here]\n",
            "line 2: there is no key `lisen`: did you mean `listen`?",
        );
        check_error(
            &format!("{LEAST}[capacity]\nmemry = 1\n"),
            "line 4: there is no key `memry`: did you mean `memory`?",
        );
        check_error(
            "data = \"/d\"\n[ledger.there]\n",
            "line 2: there is no key `there`: did you mean `here`?",
        );
        check_error(
            &format!("{LEAST}zzzzzzzz = 1\n"),
            "line 3: there is no key `zzzzzzzz`",
        );
    }

    #[test]
    fn wrong_value_is_an_error_that_names_the_line() {
        let first_line = |text: &str| {
            let error = Config::parse(text).unwrap_err().to_string();
            error.split(':').next().map(str::to_owned)
        };
        assert_eq!(first_line("data = 1\n").as_deref(), Some("line 1"));
        let price = format!("{LEAST}[price]\ndispatch = -1\n");
        assert_eq!(first_line(&price).as_deref(), Some("line 4"));
        let memory = format!("{LEAST}[capacity]\n\nmemory = \"much\"\n");
        assert_eq!(first_line(&memory).as_deref(), Some("line 5"));
        assert!(Config::parse("data = \"/d\"\n").is_err());
    }

    #[test]
    fn value_out_of_bounds_is_refused_with_its_key_and_its_bounds() {
        let here = |more: &str| format!("{LEAST}{more}\n");
        let given = |more: &str| format!("{LEAST}[capacity]\n{more}\n");
        let first = |more: &str| format!("{more}\n{LEAST}");
        let cores = "expected a whole number from 1 to 1024";
        let nothing =
            "0 is nothing to give: leave the key out for what is usual, or set `provide = false`";
        let size = "expected a size such as \"512MiB\", of 8 PiB at most";
        let local = "is not on this machine: the API is for programs beside the node only";
        let cases = [
            (given("cores = 0"), format!("line 4: `cores`: 0 is out of range: {cores}")),
            (given("cores = 1025"), format!("line 4: `cores`: 1025 is out of range: {cores}")),
            (given("cores = 70000"), format!("line 4: `cores`: 70000 is out of range: {cores}")),
            (given("cores = -1"), format!("line 4: `cores`: -1 is out of range: {cores}")),
            (given("cores = \"4\""), format!("line 4: `cores`: `4` is in quotes: {cores}")),
            (given("memory = 0"), format!("line 4: `memory`: {nothing}")),
            (given("disk = \"0 GiB\""), format!("line 4: `disk`: {nothing}")),
            (given("memory = 99999999999999999999"), format!("line 4: `memory`: {size}")),
            (
                given("disk = \"9000 TiB\""),
                "line 4: `disk`: `9000 TiB` is more than 8 PiB".into(),
            ),
            (here("drops = 1001"), "line 3: `drops`: 1001 is out of range: expected a whole number from 0 to 1000".into()),
            (here("fee = 99999999999999999999"), "line 3: `fee`: expected an amount of coins, 0 or more; what is over 9223372036854775807 has to be in quotes".into()),
            (here("claims = -1"), "line 3: `claims`: invalid value: integer `-1`, expected a whole number, 0 or more".into()),
            (here("claims = 3_600_000"), "line 3: `claims`: together with `objections` and `verdicts` it has to be less than 3600000".into()),
            (
                here("existential = 9\nbalances = { ab = 1 }"),
                "line 4: `balances`: `ab` is not an account: expected 64 hexadecimal digits".into(),
            ),
            (
                here(&format!("existential = 9\n[ledger.here.balances]\n{} = 1", "ab".repeat(32))),
                "line 4: `balances`: an account has less than `existential`".into(),
            ),
            (
                "data = \"/d\"\n[ledger.chain]\nurl = \"http://127.0.0.1:9944\"\n".into(),
                "line 3: `url`: `http://127.0.0.1:9944` is not the address of a chain such as ws://127.0.0.1:9944".into(),
            ),
            (here("[api]\nlisten = \"0.0.0.0:1\""), format!("line 4: `listen`: 0.0.0.0:1 {local}")),
            (here("[api]\nlisten = \"127.0.0.1\""), "line 4: `listen`: `127.0.0.1` is not an address and a port such as 127.0.0.1:7420".into()),
            (
                first("listen = [\n  \"/ip4/127.0.0.1/tcp/0\",\n  \"/ip4/1.2.3/tcp/0\",\n]"),
                "line 1: `listen`: `/ip4/1.2.3/tcp/0` is not an address such as /ip4/127.0.0.1/tcp/4001".into(),
            ),
            (first("network = \"a b\""), "line 1: `network`: `a b` is not a network's name: 1 to 64 letters, digits, `-`, `.`, `_`".into()),
        ];
        for (text, expected) in cases {
            check_error(&text, &expected);
        }
        let nobody = Config::parse(&first("bootstrap = [\"/ip4/127.0.0.1/tcp/1\"]"));
        let nobody = nobody.unwrap_err().to_string();
        assert!(
            nobody.starts_with(
                "line 1: `bootstrap`: `/ip4/127.0.0.1/tcp/1` does not say whose it is"
            ),
            "{nobody}"
        );
    }
}
