//! Jobs, offers and deployments, as tables for people.

use opensky_api::{Count, Deployed, JobSummary, Offer, Prices, Replicas, Time};

use super::{
    board::fuel_text,
    ending,
    moment::{from_now, span_to},
};
use crate::{
    foreign,
    term::{self, BAD, DIM, NOTE, PLAIN, WARN},
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

/// Jobs, the newest first.
pub fn jobs(jobs: &[JobSummary], now: Time) -> String {
    let program = |job: &JobSummary| {
        let name = job.name.as_deref().map(foreign::name);
        let name = name.unwrap_or_else(|| format!("{:.12}", job.program.to_string()));
        match job.encrypted {
            true => format!("{name} {DIM}encrypted{PLAIN}"),
            false => name,
        }
    };
    let row = |job: &JobSummary| {
        vec![
            format!("{NOTE}{}{PLAIN}", job.job.short()),
            program(job),
            ending::state(job),
            format!("{}/{}", job.units_done, job.units),
            job.price.rounded(),
            verified(job),
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

/// How many agree on the unit that fewest agree on, of how many.
fn verified(job: &JobSummary) -> String {
    match (job.verified, job.verified_of) {
        (None, _) => "-".into(),
        (Some(agreed), of) => format!("{agreed}/{}", of.unwrap_or(agreed)),
    }
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
    let table = table(&heading, &rows);
    let is_excluded = |offer: &Offer| {
        let until = offer.record.and_then(|record| record.excluded);
        until.is_some_and(|until| until > now)
    };
    match offers.iter().any(|offer| is_excluded(offer)) {
        true => format!("{table}  {DIM}{EXCLUDED}{PLAIN}\n"),
        false => table,
    }
}

/// What it means to be excluded, and what to do about it.
const EXCLUDED: &str = "excluded: its results were wrong, so this node orders nothing from it, twice as \
                        long for each one more; nothing is to be done, and other nodes judge for themselves";

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
            ", {WARN}excluded for {}{PLAIN}",
            span_to(until, now)
        ));
    }
    said
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

/// A version is the moment when it was made, unless its publisher's clock went wrong once: then it is only
/// newer than the one before.
fn version(sequence: Count, now: Time) -> String {
    let number = sequence.value();
    match Time::try_from(number) {
        Ok(made) if made <= now => format!("{number}, {DIM}made {}{PLAIN}", from_now(made, now)),
        _ => number.to_string(),
    }
}

/// What was deployed, who keeps it and who does not.
pub fn deployed(deployed: &Deployed, now: Time) -> String {
    let deployment = &deployed.deployment;
    let pinned = deployment.pinned.iter().flatten();
    let pinned: Vec<_> = pinned.map(|node| node.short()).collect();
    let fuel = deployment.limits.fuel.unwrap_or_default();
    let memory = deployment.limits.memory.map_or(0, |bytes| bytes.value());
    let refused = deployed.refused.iter();
    let refused = refused.map(|no| ("not by", format!("{}: {}", no.node.short(), no.reason)));
    let rows = [
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
        ("version", version(deployment.sequence, now)),
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
        ("pinned by", pinned.join(" ")),
    ];
    let unannounced = "not in the table of peers: others may not find it by its name at once";
    let note = (!deployed.announced).then(|| ("note", unannounced.into()));
    term::columns(rows.into_iter().chain(refused).chain(note))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opensky_api::{Amount, Bytes, Capacity, Fuel, Hex, JobState, Record};

    use super::*;
    use crate::remote::samples;

    #[test]
    fn jobs_are_a_table() {
        let now = Time::saturating(1_060_000);
        let mut named = samples::job(JobState::Running);
        named.name = Some("hello".into());
        named.encrypted = true;
        let text = jobs(&[samples::job(JobState::Running), named], now);
        expect_test::expect![[r#"
            |   job           program          state    units  price     verified  submitted
            |   j-040g208104  020202020202     running  1/2    1.5 µSKY  -         60 s ago
            |   j-040g208104  hello encrypted  running  1/2    1.5 µSKY  -         60 s ago
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
            credit: Amount(1_001_000_000),
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
            |   provider      free  cores  memory    speed         Gfuel   dispatch  record                                        ends     labels
            |   p-081040g208  1     2      4.00 GiB  1234 Mfuel/s  1 µSKY  1 nSKY    new                                           in 60 s  region=eu\u{1b}[2J
            |   p-040g208104  1     2      4.00 GiB  1234 Mfuel/s  2 µSKY  1 nSKY    0 right in a row, 2 wrong, excluded for 50 s  in 60 s  region=eu\u{1b}[2J
            |   excluded: its results were wrong, so this node orders nothing from it, twice as long for each one more; nothing is to be done, and other nodes judge for themselves
        "#]]
        .assert_eq(&samples::screen(&text));
    }

    #[test]
    fn version_is_told_as_the_moment_that_it_is() {
        let now = Time::saturating(1_060_000);
        let shown = |number| samples::plain(&version(Count::saturating(number), now));
        assert_eq!(shown(1_000_000), "1000000, made 60 s ago");
        assert_eq!(shown(2_000_000), "2000000");
    }

    #[test]
    fn empty_table_is_its_heading() {
        assert_eq!(samples::plain(&table(&["a", "b"], &[])), "  a  b\n");
    }
}
