//! Values that have bounds: whoever writes one beyond them is told which there are.

use std::{collections::BTreeMap, net::SocketAddr, ops::RangeInclusive};

use opensky_network::{Config as Network, StartError};
use opensky_protocol::{Account, Digest, NodeKey, ledger::GenesisError};
use serde::{Deserialize, Deserializer, de::Error};

use super::{Bytes, Coins, ConfigError, LedgerChain, LedgerHere};
use crate::ledger;

/// More threads than this are no machine's.
pub(crate) const CORES: RangeInclusive<u16> = 1..=1_024;
/// Of 1,000 intents.
const DROPS: RangeInclusive<u16> = 0..=1_000;

/// A number as it is written, so that one beyond every range is told from what is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

fn within<'de, D: Deserializer<'de>>(from: D, range: RangeInclusive<u16>) -> Result<u16, D::Error> {
    let expected = format!(
        "expected a whole number from {} to {}",
        range.start(),
        range.end()
    );
    match Written::deserialize(from) {
        Ok(Written::Number(number)) => match u16::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(D::Error::custom(format!(
                "{number} is out of range: {expected}"
            ))),
        },
        Ok(Written::Text(text)) => Err(D::Error::custom(format!(
            "`{text}` is in quotes: {expected}"
        ))),
        Err(_) => Err(D::Error::custom(expected)),
    }
}

pub(super) fn cores<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    within(from, CORES).map(Some)
}

pub(super) fn drops<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    within(from, DROPS)
}

/// More than nothing: a provider that has none of it is offered work that it cannot do.
pub(super) fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    match Bytes::deserialize(from)? {
        Bytes(0) => Err(D::Error::custom(
            "0 is nothing to give: leave the key out for what is usual, or set `provide = false`",
        )),
        bytes => Ok(Some(bytes)),
    }
}

pub(super) fn loopback<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    let address: SocketAddr = text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is not an address and a port such as 127.0.0.1:7420"
        ))
    })?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(D::Error::custom(format!(
            "{address} is not on this machine: the API is for programs beside the node only"
        ))),
    }
}

/// A text that the network understands.
fn understood<E: Error>(
    text: String,
    check: fn(&str) -> Result<(), StartError>,
) -> Result<String, E> {
    check(&text).map_err(E::custom)?;
    Ok(text)
}

pub(super) fn network<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    understood(String::deserialize(from)?, Network::check_name)
}

pub(super) fn node<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    understood(String::deserialize(from)?, Network::check_node)
}

pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(from)?;
    let all = all.into_iter();
    all.map(|text| understood(text, Network::check_address))
        .collect()
}

pub(super) fn nodes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(from)?;
    let all = all.into_iter();
    all.map(|text| understood(text, Network::check_node))
        .collect()
}

pub(super) fn chain<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let chain: Result<LedgerChain, _> = String::deserialize(from)?.parse();
    chain.map(|chain| chain.url).map_err(D::Error::custom)
}

/// Whether it is a WebSocket's address: a host, perhaps a port, and whatever comes after these.
pub(super) fn is_web_socket(url: &str) -> bool {
    let rest = url.strip_prefix("ws://").or(url.strip_prefix("wss://"));
    let Some(rest) = rest.filter(|rest| rest.chars().all(|c| c.is_ascii_graphic())) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.ends_with(']') => {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        _ => !host.is_empty(),
    }
}

pub(super) fn node_key<'de, D: Deserializer<'de>>(from: D) -> Result<NodeKey, D::Error> {
    let text = String::deserialize(from)?;
    digits(&text, "a node's key").map(NodeKey)
}

pub(super) fn accounts<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<Account, u128>, D::Error> {
    let named = BTreeMap::<String, Coins>::deserialize(from)?;
    let parse = |(text, coins): (String, Coins)| {
        let account = digits(&text, "an account").map(Account)?;
        Ok((account, coins.0))
    };
    named.into_iter().map(parse).collect()
}

fn digits<E: Error>(text: &str, what: &str) -> Result<[u8; 32], E> {
    let parsed = text.parse::<Digest>();
    let digest = parsed.map_err(|_| {
        E::custom(format!(
            "`{text}` is not {what}: expected 64 hexadecimal digits"
        ))
    })?;
    Ok(digest.0)
}

/// Whether a ledger can begin like this, in the words of the configuration.
pub(super) fn genesis(text: &str, here: &LedgerHere) -> Result<(), ConfigError> {
    // Whoever keeps it does not matter for that.
    let genesis = ledger::genesis(here, Account([0; 32]));
    let (key, message) = match genesis.check() {
        Ok(()) => return Ok(()),
        Err(GenesisError::Unbonding) => (
            "claims",
            format!(
                "together with `objections` and `verdicts` it has to be less than {}",
                genesis.terms.unbonding
            ),
        ),
        Err(GenesisError::Existential) => {
            ("balances", "an account has less than `existential`".into())
        }
        Err(GenesisError::Overflow) => (
            "balances",
            "they are together more than there can be, 2^128 - 1".into(),
        ),
    };
    Err(ConfigError::Invalid {
        line: line_of(text, key),
        key: Some(key.into()),
        message,
    })
}

/// The line in which a key of the ledger's is, or else that in which its keys begin.
fn line_of(text: &str, key: &str) -> usize {
    let named = |line: &str| line.trim_start().trim_start_matches('[').starts_with(key);
    let table = format!("[ledger.here.{key}]");
    let at = text
        .lines()
        .position(|line| named(line) || line.contains(&table))
        .or_else(|| text.lines().position(|line| line.contains("ledger")));
    at.unwrap_or_default() + 1
}
