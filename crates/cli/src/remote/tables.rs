//! Lists and accounts, as tables for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opensky_api::{
    Amount, Deployment, Entry, EntryKind, JobSummary, Ledger, NodeStatus, Offer, Prices, Provider,
    Reached, Replicas, Time, Wallet,
};

use super::{board::fuel_text, ending};
use crate::{
    foreign,
    term::{self, BAD, DIM, GOOD, NOTE, PLAIN, WARN},
};

/// Rows under a heading, each column as wide as its widest cell; the last is not filled up.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let wide = |text: &str| {
        anstream::adapter::strip_str(text)
            .to_string()
            .chars()
            .count()
    };
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| wide(cell)).max().unwrap_or(0);
        widest.max(heading[column].chars().count())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut line = String::from(" ");
        for (column, cell) in cells.iter().enumerate() {
            let fill = match column + 1 == cells.len() {
                true => 0,
                false => widths[column].saturating_sub(wide(cell)),
            };
            line.push_str(&format!(" {cell}{} ", " ".repeat(fill)));
        }
        format!("{}\n", line.trim_end())
    };
    let titles: Vec<String> = heading
        .iter()
        .map(|title| format!("{DIM}{title}{PLAIN}"))
        .collect();
    std::iter::once(line(&titles))
        .chain(rows.iter().map(|row| line(row)))
        .collect()
}

/// The moment now, as the API counts.
pub fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time::saturating(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment from now: `3 min ago`, `in 2 h`.
pub fn from_now(moment: Time, now: Time) -> String {
    let (moment, now) = (moment.value(), now.value());
    let apart = span(Duration::from_millis(moment.abs_diff(now)));
    match moment > now {
        true => format!("in {apart}"),
        false => format!("{apart} ago"),
    }
}

/// A moment that is further than anybody plans is for good.
fn span_to(moment: Time, now: Time) -> String {
    const YEARS: u64 = 10 * 365 * 86_400_000;
    if moment.value() > now.value().saturating_add(YEARS) {
        return "good".into();
    }
    span(Duration::from_millis(moment.value().abs_diff(now.value())))
}

fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Jobs, the newest first.
pub fn jobs(jobs: &[JobSummary], now: Time) -> String {
    let row = |job: &JobSummary| {
        vec![
            format!("{NOTE}{}{PLAIN}", job.job.short()),
            format!("{:.12}", job.program.to_string()),
            ending::state(job),
            format!("{}/{}", job.units_done, job.units),
            job.price.rounded(),
            job.verified
                .map_or_else(|| "-".into(), |agreed| agreed.to_string()),
            from_now(job.submitted, now),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    table(
        &[
            "job",
            "program",
            "state",
            "units",
            "price",
            "verified",
            "submitted",
        ],
        &rows,
    )
}

/// Offers, the cheapest first.
pub fn offers(offers: &[Offer], now: Time) -> String {
    let mut offers: Vec<&Offer> = offers.iter().collect();
    offers.sort_by_key(|offer| (offer.ask.per_gfuel, offer.provider));
    let row = |offer: &&Offer| {
        let own = if offer.own { " (this node)" } else { "" };
        let labels = offer
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        vec![
            format!("{NOTE}{}{PLAIN}{own}", offer.provider.short()),
            offer.free.to_string(),
            offer.capacity.cores.to_string(),
            term::size(offer.capacity.memory.value()),
            format!("{:.0} Mfuel/s", offer.speed.0 as f64 / 1e6),
            offer.ask.per_gfuel.rounded(),
            offer.ask.dispatch.rounded(),
            record(offer, now),
            from_now(offer.expires, now),
            foreign::name(&labels.collect::<Vec<_>>().join(",")),
        ]
    };
    let rows: Vec<_> = offers.iter().map(row).collect();
    let heading = [
        "provider", "free", "cores", "memory", "speed", "Gfuel", "dispatch", "record", "ends",
        "labels",
    ];
    table(&heading, &rows)
}

/// What became of an operator's work for this node.
fn record(offer: &Offer, now: Time) -> String {
    let Some(record) = offer.record else {
        return format!("{DIM}new{PLAIN}");
    };
    let mut said = format!("{} right in a row", record.in_a_row);
    if record.wrong > 0 {
        said.push_str(&format!(", {BAD}{} wrong{PLAIN}", record.wrong));
    }
    if let Some(until) = record.excluded.filter(|until| *until > now) {
        said.push_str(&format!(
            ", {WARN}nothing more for {}{PLAIN}",
            span_to(until, now)
        ));
    }
    said
}

/// What an account has.
pub fn wallet(wallet: &Wallet, now: Time) -> String {
    let play = match wallet.play_money {
        true => format!(" {DIM}(play money: this ledger gives it to whoever asks){PLAIN}"),
        false => String::new(),
    };
    let back = wallet.next_return.map(|next| {
        let (amount, next) = (wallet.returning, from_now(next, now));
        let what = format!("{amount} of jobs that have ended");
        let why = format!("{DIM}the next {next}: until then providers can claim{PLAIN}");
        ("  comes back", format!("{what}, {why}"))
    });
    let rows = [
        ("account", wallet.account.to_string()),
        ("free", format!("{}{play}", wallet.free)),
        ("set aside", wallet.held.to_string()),
        ("  bonded", wallet.bonded.to_string()),
    ];
    let ledger = ("ledger", ledger(&wallet.ledger));
    term::columns(rows.into_iter().chain(back).chain([ledger]))
}

fn ledger(ledger: &Ledger) -> String {
    let answers = match ledger.answers {
        true => format!("{GOOD}answers{PLAIN}"),
        false => format!("{BAD}does not answer{PLAIN}"),
    };
    format!("{answers}: {}", foreign::name(&ledger.about))
}

/// An account's history, the newest first.
pub fn history(entries: &[Entry], now: Time) -> String {
    let row = |entry: &Entry| {
        let about = [
            entry.job.map(|job| job.short()),
            entry
                .with
                .map(|account| format!("{:.12}", account.to_string())),
            (entry.fee != Amount(0)).then(|| format!("fee {}", entry.fee.rounded())),
            entry.note.as_deref().map(foreign::name),
        ];
        vec![
            from_now(entry.at, now),
            kind(entry.kind).to_owned(),
            entry.amount.to_string(),
            about.into_iter().flatten().collect::<Vec<_>>().join("  "),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["when", "what", "amount", "about"], &rows)
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Given => "given",
        EntryKind::Sent => "sent",
        EntryKind::Received => "received",
        EntryKind::Escrowed => "set aside",
        EntryKind::Refunded => "came back",
        EntryKind::Paid => "paid",
        EntryKind::Earned => "earned",
        EntryKind::Bonded => "bonded",
        EntryKind::Unbonding => "leaves the bond",
        EntryKind::Withdrawn => "left the bond",
        EntryKind::Staked => "staked",
        EntryKind::Released => "stake came back",
        EntryKind::Slashed => "slashed",
        EntryKind::Rewarded => "rewarded",
        EntryKind::Noted => "noted",
        EntryKind::Rejected => "rejected",
    }
}

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

/// Prices in a line.
pub fn prices(prices: &Prices) -> String {
    format!(
        "{} a Gfuel, {} a unit, {} a GiB",
        prices.per_gfuel.rounded(),
        prices.dispatch.rounded(),
        prices.per_gib.rounded()
    )
}

/// How many operators run each unit.
pub fn replicas(replicas: Replicas) -> String {
    match replicas {
        Replicas::Auto => "auto: as many as what is known of them calls for".into(),
        Replicas::Exactly(number) => number.to_string(),
    }
}

/// A deployment.
pub fn deployment(deployment: &Deployment, now: Time) -> String {
    let pinned: Vec<_> = deployment.pinned.iter().map(|node| node.short()).collect();
    let until = deployment.pinned_until;
    let until = until.map_or(String::new(), |until| {
        format!(", paid until {}", from_now(until, now))
    });
    let fuel = deployment.limits.fuel.unwrap_or_default();
    let memory = deployment.limits.memory.map_or(0, |bytes| bytes.value());
    term::columns([
        (
            "deployment",
            format!("{NOTE}{}{PLAIN}", deployment.deployment.short()),
        ),
        (
            "name",
            format!("{}/{}", deployment.publisher.short(), deployment.name),
        ),
        (
            "program",
            format!(
                "{} {DIM}{}{PLAIN}",
                term::size(deployment.len.value()),
                deployment.program
            ),
        ),
        ("version", deployment.sequence.value().to_string()),
        (
            "limits",
            format!("{} fuel, {} memory", fuel_text(fuel), term::size(memory)),
        ),
        ("replicas", replicas(deployment.replicas)),
        (
            "price cap",
            deployment
                .price
                .as_ref()
                .map_or_else(|| "the market's".into(), prices),
        ),
        ("pinned by", format!("{}{until}", pinned.join(" "))),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opensky_api::{Bytes, Capacity, Fuel, Hex, JobState, Record};

    use super::*;
    use crate::remote::samples;

    #[test]
    fn moments_are_told_from_now() {
        let now = Time::saturating(1_000_000_000);
        let at = |millis: u64| from_now(Time::saturating(millis), now);
        assert_eq!(at(1_000_000_000), "0 s ago");
        assert_eq!(at(999_940_000), "60 s ago");
        assert_eq!(at(1_000_600_000), "in 10 min");
        assert_eq!(at(1_010_800_000), "in 3 h");
        assert_eq!(at(0), "11 days ago");
    }

    #[test]
    fn jobs_are_a_table() {
        let now = Time::saturating(1_060_000);
        let text = jobs(&[samples::job(JobState::Running)], now);
        expect_test::expect![[r#"
            |   job           program       state    units  price     verified  submitted
            |   j-040g208104  020202020202  running  1/2    1.5 µSKY  -         60 s ago
        "#]]
        .assert_eq(&samples::screen(&text));
    }

    fn offer(provider: u8, per_gfuel: u128, record: Option<Record>) -> Offer {
        let bytes = Bytes::saturating(4 << 30);
        Offer {
            provider: samples::node(provider),
            operator: Hex([provider; 32]),
            own: false,
            ask: Prices {
                dispatch: Amount(1_000),
                per_gfuel: Amount(per_gfuel),
                per_gib: Amount(1_000_000),
            },
            capacity: Capacity {
                cores: 2,
                memory: bytes,
                disk: bytes,
                uplink: bytes,
            },
            free: 1,
            speed: Fuel(1_234_000_000),
            profiles: vec!["1".into()],
            labels: BTreeMap::from([("region".into(), "eu\u{1b}[2J".into())]),
            expires: Time::saturating(60_000),
            latency: None,
            record,
        }
    }

    #[test]
    fn offers_are_sorted_by_price_and_cannot_steer_the_terminal() {
        let liar = Record {
            in_a_row: 0,
            wrong: 2,
            excluded: Some(Time::saturating(50_000)),
        };
        let text = offers(
            &[offer(1, 2_000_000, Some(liar)), offer(2, 1_000_000, None)],
            Time::saturating(0),
        );
        expect_test::expect![[r#"
            |   provider      free  cores  memory    speed         Gfuel   dispatch  record                                            ends     labels
            |   p-081040g208  1     2      4.00 GiB  1234 Mfuel/s  1 µSKY  1 nSKY    new                                               in 60 s  region=eu\u{1b}[2J
            |   p-040g208104  1     2      4.00 GiB  1234 Mfuel/s  2 µSKY  1 nSKY    0 right in a row, 2 wrong, nothing more for 50 s  in 60 s  region=eu\u{1b}[2J
        "#]]
        .assert_eq(&samples::screen(&text));
    }

    #[test]
    fn money_of_ended_jobs_is_told_with_the_time_when_it_comes_back() {
        let mut account = Wallet {
            account: Hex([1; 32]),
            ledger: Ledger {
                id: Hex([2; 32]),
                kind: opensky_api::Bookkeeping::Embedded,
                answers: true,
                about: "kept here".into(),
            },
            free: Amount(5),
            held: Amount(4),
            bonded: Amount(1),
            returning: Amount(3),
            next_return: Some(Time::saturating(540_000)),
            play_money: false,
        };
        let text = wallet(&account, Time::saturating(0));
        let line = "  comes back  3 pSKY of jobs that have ended, the next in 9 min: until then providers can claim";
        assert!(samples::plain(&text).contains(line), "{text}");
        account.next_return = None;
        let text = wallet(&account, Time::saturating(0));
        assert!(!text.contains("comes back"), "{text}");
    }

    #[test]
    fn empty_table_is_its_heading() {
        assert_eq!(samples::plain(&table(&["a", "b"], &[])), "  a  b\n");
    }
}
