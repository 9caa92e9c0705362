//! How a node is: whether it is reached, what it offers, and what it has done.

use opensky_api::{Amount, NodeStatus, Provider, Reached, Requester, Time};

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
    let staked = node.requester.at_stake.filter(|sum| *sum != Amount(0));
    rows.extend(staked.map(|sum| ("at stake", sum.rounded())));
    rows.push(("requests", requests(&node.requester)));
    term::columns(rows)
}

fn requests(requests: &Requester) -> String {
    let jobs = term::count(requests.jobs.into(), "job");
    let staked = requests.at_stake.unwrap_or(Amount(0));
    let for_jobs = |held: Amount| Amount(held.0.saturating_sub(staked.0));
    let set_aside = match requests.held.map(for_jobs) {
        Some(held) if held != requests.escrow && requests.escrow == Amount(0) => {
            format!("{} set aside for jobs that have ended", held.rounded())
        }
        Some(held) if held != requests.escrow => format!(
            "{} set aside, {} of it for jobs that have ended",
            held.rounded(),
            Amount(held.0.saturating_sub(requests.escrow.0)).rounded()
        ),
        _ => format!("{} set aside", requests.escrow.rounded()),
    };
    let spent = requests.spent.map_or(String::new(), |spent| {
        format!(", {} spent", spent.rounded())
    });
    format!("{jobs} under way, {set_aside}{spent}")
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
            "{} at once, {}, {} memory, {:.0} Mfuel/s, asks {}",
            term::count(offer.free.into(), "unit"),
            term::count(offer.capacity.cores.into(), "core"),
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

#[cfg(test)]
mod tests {
    use opensky_api::Time;

    use super::*;
    use crate::remote::samples;

    /// A provider of one core that has jobs of its own, of which some have ended.
    fn status(held: u128) -> NodeStatus {
        let id = samples::node(1);
        let digits = "0".repeat(64);
        let offer = serde_json::json!({
            "provider": id, "operator": digits, "profiles": ["1"], "free": 1, "speed": "1000000000",
            "credit": "1001000000", "capacity": { "cores": 1, "memory": 1 << 30, "disk": 0, "uplink": 0 },
            "ask": { "dispatch": "0", "per_gfuel": "0", "per_gib": "0" },
            "labels": {}, "expires": 0, "own": true,
        });
        let status = serde_json::json!({
            "node": id, "account": digits, "version": "1", "started": 0,
            "network": { "listens": [], "peers": 1, "offers": 1,
                "reachability": { "reached": "directly", "why": "so" } },
            "ledger": { "id": digits, "kind": "embedded", "answers": true, "about": "so" },
            "provider": { "offer": offer, "running": 0, "queued": 0, "done": 1, "aborted": 0,
                "fuel": "5", "speed": "5", "owed": "0", "refused": [], "idle": [] },
            "requester": { "jobs": 1, "escrow": "2000", "held": held.to_string() },
        });
        serde_json::from_value(status).expect("a status")
    }

    #[test]
    fn what_is_set_aside_is_what_the_wallet_says() {
        let shown = |held| samples::plain(&node(&status(held), Time::saturating(0)));
        let only = "1 job under way, 2 nSKY set aside\n";
        assert!(shown(2_000).contains(only), "{}", shown(2_000));
        let more = "1 job under way, 5 nSKY set aside, 3 nSKY of it for jobs that have ended\n";
        assert!(shown(5_000).contains(more), "{}", shown(5_000));
    }

    #[test]
    fn stake_is_not_taken_for_money_of_jobs() {
        let shown = |escrow, held, staked| {
            let mut status = status(held);
            status.requester.escrow = Amount(escrow);
            status.requester.at_stake = Some(Amount(staked));
            samples::plain(&node(&status, Time::saturating(0)))
        };
        let only = shown(0, 5_000, 5_000);
        assert!(only.contains("at stake   5 nSKY\n"), "{only}");
        assert!(only.contains("under way, 0 SKY set aside\n"), "{only}");
        let more = shown(0, 7_000, 5_000);
        let line = "under way, 2 nSKY set aside for jobs that have ended\n";
        assert!(more.contains(line), "{more}");
    }

    #[test]
    fn one_of_anything_is_told_as_one() {
        let text = samples::plain(&node(&status(0), Time::saturating(0)));
        assert!(
            text.contains("1 unit at once, 1 core, 1.00 GiB memory"),
            "{text}"
        );
    }
}
