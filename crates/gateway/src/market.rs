//! How the node is, and what others offer.

use axum::{extract::State, http::header, response::IntoResponse};
use opensky_api::{
    Amount, Block, Bookkeeping, Chain, Count, Cursor, Fuel, Ledger, Network, NodeStatus, Page,
    Provider, Reachability, Reached, Record, Refusals, Requester, Time,
};
use opensky_core::{JobState, Standing, WorkerView};
use opensky_network::Reachability as Known;
use opensky_node::{ChainStatus, Hindrance, Status, config::LedgerConfig};
use opensky_protocol::{Digest, Offer, Profile};

use crate::{
    answer::{Answer, Paged, json, no_place},
    desk::Desk,
    names, refusal, show,
};

/// `GET /v1/node`.
pub(crate) async fn status(State(desk): State<Desk>) -> Answer {
    let status = desk.node.status().await;
    let jobs = names::jobs(&desk).await?;
    let open = jobs
        .iter()
        .filter(|job| !matches!(job.state, JobState::Over(_)));
    let (count, escrow) = open.fold((0u32, 0u128), |(count, escrow), job| {
        (count + 1, escrow.saturating_add(job.locked))
    });
    let work = desk.node.work().await.ok_or_else(refusal::ended)?;
    let provides = desk.node.config().provide;
    let has = match &status.ledger_away {
        Some(_) => None,
        None => desk.node.balance().await.ok(),
    };
    Ok(json(&NodeStatus {
        node: status.node.into(),
        account: status.account.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        started: desk.started,
        network: network(&status, desk.node.config().public),
        ledger: ledger(&status, &desk.node.config().ledger),
        provider: provides.then(|| provider(&status, &work)),
        requester: Requester {
            jobs: count,
            escrow: Amount(escrow),
            held: has.as_ref().map(|state| Amount(state.purse.held)),
            at_stake: has.as_ref().map(|state| Amount(state.operator.at_stake())),
            spent: status.turnover.map(|all| Amount(all.spent)),
        },
    }))
}

fn network(status: &Status, told: bool) -> Network {
    let Some(network) = &status.network else {
        return Network {
            listens: Vec::new(),
            peers: 0,
            offers: show::count(status.offers),
            reachability: Reachability {
                reached: Reached::No,
                why: "its part in the network has ended".into(),
            },
        };
    };
    let (reached, why) = match &network.reachability {
        Known::Public if told => (
            Reached::Directly,
            "its configuration says so (`public = true`), so no peer is asked to try".into(),
        ),
        Known::Public => (Reached::Directly, "others have tried".into()),
        Known::Private { why } if network.relays.is_empty() => (Reached::No, why.clone()),
        Known::Private { why } => (
            Reached::Relayed,
            format!(
                "through {} relays; directly not: {why}",
                network.relays.len()
            ),
        ),
        Known::Unknown { why } => (Reached::Unknown, why.clone()),
    };
    let whole = |address: &String| match address.contains("/p2p/") {
        true => address.clone(),
        false => format!("{address}/p2p/{}", network.peer_id),
    };
    Network {
        listens: network.listen.iter().map(whole).collect(),
        peers: show::count(network.connected.len()),
        offers: show::count(status.offers),
        reachability: Reachability { reached, why },
    }
}

/// The ledger, as far as its state is known.
pub(crate) fn ledger(status: &Status, config: &LedgerConfig) -> Ledger {
    let about = match config {
        LedgerConfig::Here(_) => KEEPS.into(),
        LedgerConfig::At(_) => KEPT.into(),
        LedgerConfig::Chain(chain) => format!(
            "a chain keeps the books, and this node believes what it is told of it at {}",
            chain.shown_url()
        ),
    };
    Ledger {
        id: status.ledger.into(),
        kind: match config {
            LedgerConfig::Here(_) | LedgerConfig::At(_) => Bookkeeping::Embedded,
            LedgerConfig::Chain(_) => Bookkeeping::Chain,
        },
        answers: status.ledger_away.is_none(),
        about: match &status.ledger_away {
            None => about,
            Some(away) => away.to_string(),
        },
        chain: status.chain.as_ref().map(|known| chain(status, known)),
    }
}

const KEEPS: &str = "this node keeps the books, and everyone on this network trusts it";
const KEPT: &str = "one process keeps the books, and everyone on this network trusts it";

fn chain(status: &Status, known: &ChainStatus) -> Chain {
    let finalized = known.finalized.as_ref().ok();
    Chain {
        url: known.url.clone(),
        finalized: finalized.map(|block| Block {
            number: Count::saturating(block.number),
            hash: block.hash.into(),
            at: Time::saturating(block.at),
            runtime: block.runtime,
        }),
        waiting: show::count(known.waiting),
        fees: status.turnover.map(|all| Amount(all.fees)),
    }
}

fn provider(status: &Status, work: &WorkerView) -> Provider {
    let own = status.offer.as_ref();
    Provider {
        offer: own.map(|offer| show::offer(offer, &status.node)),
        running: show::count(status.running.max(0)),
        queued: show::count(status.queued.max(0)),
        done: Count::saturating(status.executed),
        aborted: Count::saturating(status.aborted),
        fuel: Fuel(status.fuel),
        speed: Fuel(status.speed),
        earned: status.turnover.map(|all| Amount(all.earned)),
        owed: Amount(work.earned.saturating_sub(work.claimed)),
        refused: refusals(work),
        idle: idle(&status.hindrances, work),
    }
}

/// Why no work comes. Whoever was refused has asked.
fn idle(hindrances: &[Hindrance], work: &WorkerView) -> Vec<String> {
    let told = hindrances.iter().map(|hindrance| match hindrance {
        Hindrance::NoDemand if !work.refusals.is_empty() => {
            "all that was asked of it was refused".into()
        }
        hindrance => hindrance.to_string(),
    });
    told.collect()
}

fn refusals(work: &WorkerView) -> Vec<Refusals> {
    let refusals = work.refusals.iter().map(|(why, orders)| Refusals {
        reason: why.to_string(),
        orders: Count::saturating(*orders),
    });
    refusals.collect()
}

/// What is known of an operator, each profile's standing for itself. A row is that of the profile of which
/// most is known: in the others little was asked of it.
fn record(standings: &[(Profile, Standing)]) -> Option<Record> {
    let standings = || standings.iter().map(|(_, standing)| standing);
    let known = |standing: &&Standing| standing.good + standing.soft + standing.wrong;
    let usual = standings().max_by_key(|standing| (known(standing), standing.row))?;
    let excluded = standings().map(|standing| standing.excluded).max()?;
    Some(Record {
        in_a_row: usual.row,
        wrong: standings().fold(0, |sum, standing| sum.saturating_add(standing.faults)),
        excluded: (excluded.0 > 0).then(|| show::time(excluded)),
    })
}

/// `GET /v1/offers`: the node's own among them.
pub(crate) async fn offers(State(desk): State<Desk>, page: Paged) -> Answer {
    let own = desk.node.key();
    let mut offers: Vec<Offer> = desk.node.offers();
    offers.extend(desk.node.status().await.offer);
    offers.sort_by_key(|offer| offer.node);
    offers.dedup_by_key(|offer| offer.node);
    let start = match &page.after {
        None => 0,
        Some(after) => {
            let after: Digest = after.parse().map_err(|_| no_place())?;
            offers.partition_point(|offer| offer.node.0 <= after.0)
        }
    };
    let rest = &offers[start..];
    let shown = &rest[..rest.len().min(page.entries)];
    let last = shown.last().filter(|_| rest.len() > shown.len());
    let mut items = Vec::with_capacity(shown.len());
    for offer in shown {
        items.push(opensky_api::Offer {
            record: record(&desk.node.standing(offer.operator).await),
            ..show::offer(offer, &own)
        });
    }
    Ok(json(&Page {
        items,
        next: last.and_then(|offer| Cursor::new(offer.node.to_string())),
    }))
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(desk): State<Desk>) -> Answer {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media)], desk.node.metrics()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(profile: &str, row: u32, good: u64, wrong: u64) -> (Profile, Standing) {
        let standing = Standing {
            row,
            good,
            wrong,
            faults: u32::from(wrong > 0),
            ..Standing::default()
        };
        (Profile::new(profile), standing)
    }

    #[test]
    fn row_is_that_of_the_profile_of_which_most_is_known() {
        let row = |standings: &[_]| record(standings).map(|record| record.in_a_row);
        assert_eq!(row(&[]), None);
        let usual = standing("1", 24, 20, 0);
        let once = standing("0", 1, 1, 0);
        assert_eq!(row(&[once.clone(), usual.clone()]), Some(24));
        assert_eq!(row(&[usual.clone(), once]), Some(24));
        let liar = standing("0", 0, 0, 400);
        let record = record(&[usual, liar]).expect("it is known");
        assert_eq!((record.in_a_row, record.wrong), (0, 1));
    }
}
