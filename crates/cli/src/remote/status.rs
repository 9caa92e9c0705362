//! How a node is: whether it is reached, what it offers, and what it has done.

use opensky_api::{Amount, NodeStatus, Provider, Reached, Time};

use super::{account::ledger, board::fuel_text, moment::from_now, tables::prices};
use crate::{
    foreign,
    term::{self, BAD, GOOD, NOTE, PLAIN, WARN},
};

/// How a node is.
pub fn node(node: &NodeStatus, now: Time) -> String {
    let mut rows = vec![
        ("node", format!("{NOTE}{}{PLAIN}", node.node)),
        ("account", node.account.to_string()),
        (
            "version",
            format!("{}, started {}", node.version, from_now(node.started, now)),
        ),
        ("reachable", reachable(node)),
        (
            "connected",
            format!(
                "{}, {} known",
                term::count(node.network.peers.into(), "node"),
                term::count(node.network.offers.into(), "offer")
            ),
        ),
        ("listens", node.network.listens.join("\n               ")),
        ("ledger", ledger(&node.ledger)),
    ];
    match &node.provider {
        None => rows.push(("provides", "nothing: it is a requester only".into())),
        Some(provider) => rows.extend(provides(provider)),
    }
    let requests = &node.requester;
    let jobs = term::count(requests.jobs.into(), "job");
    let spent = requests.spent.map_or(String::new(), |spent| {
        format!(", {} spent", spent.rounded())
    });
    rows.push((
        "requests",
        format!(
            "{jobs} under way, {} set aside{spent}",
            requests.escrow.rounded()
        ),
    ));
    term::columns(rows)
}

fn reachable(node: &NodeStatus) -> String {
    let found = &node.network.reachability;
    let reached = match found.reached {
        Reached::Directly => format!("{GOOD}yes{PLAIN}"),
        Reached::Relayed => format!("{GOOD}yes{PLAIN}, through another node"),
        Reached::No => format!("{BAD}no{PLAIN}"),
        Reached::Unknown => format!("{WARN}not known{PLAIN}"),
    };
    format!("{reached}: {}", foreign::name(&found.why))
}

fn provides(provider: &Provider) -> Vec<(&'static str, String)> {
    let offer = match &provider.offer {
        None => format!("{WARN}nothing at the moment{PLAIN}"),
        Some(offer) => format!(
            "{} units at once, {} cores, {} memory, {:.0} Mfuel/s, asks {}",
            offer.free,
            offer.capacity.cores,
            term::size(offer.capacity.memory.value()),
            offer.speed.0 as f64 / 1e6,
            prices(&offer.ask),
        ),
    };
    let mut rows = vec![
        ("offers", offer),
        (
            "work",
            format!(
                "{} done for {} fuel, {} failed here, {} running, {} waiting",
                provider.done.value(),
                fuel_text(provider.fuel),
                provider.aborted.value(),
                provider.running,
                provider.queued
            ),
        ),
        (
            "earned",
            format!(
                "{}, and {} promised",
                amount(provider.earned),
                provider.owed.rounded()
            ),
        ),
    ];
    rows.extend(provider.refused.iter().map(|refused| {
        let orders = term::count(refused.orders.value(), "order");
        (
            "refused",
            format!("{orders}: {}", foreign::name(&refused.reason)),
        )
    }));
    rows.extend(
        provider
            .idle
            .iter()
            .map(|why| ("no work", foreign::name(why))),
    );
    rows
}

fn amount(amount: Option<Amount>) -> String {
    amount.map_or_else(|| "not known".into(), |amount| amount.rounded())
}
