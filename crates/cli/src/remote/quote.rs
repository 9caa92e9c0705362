//! What a job would be, exactly, and what it can cost.

use std::collections::BTreeMap;

use opensky_api::{Bytes, Hex, JobSpec, Limits, Plan, Quote};

use super::{
    board::{fuel_text, world_text},
    moment::{self, from_now},
    tables::{self, replicas},
};
use crate::{
    foreign,
    term::{self, DIM, PLAIN, WARN},
};

/// Shards that are listed one by one.
const LISTED: usize = 20;

type Row = (&'static str, String);

/// All of it, for people.
pub fn text(quote: &Quote) -> String {
    let spec = &quote.spec;
    let mut rows = program(quote);
    let units = quote.units;
    let units = units.map_or_else(|| "as many as it takes".into(), |units| units.to_string());
    rows.push(("units", units));
    rows.extend(plan(&spec.plan));
    rows.extend(given(spec));
    rows.extend([
        ("limits", limits(&spec.limits)),
        ("profile", foreign::name(&spec.profile)),
    ]);
    rows.extend(terms(spec));
    let back = "is set aside; what is not used goes back";
    rows.push(("at most", format!("{} {DIM}{back}{PLAIN}", quote.escrow)));
    let warnings = quote.warnings.iter();
    rows.extend(warnings.map(|warning| ("warning", warn(warning))));
    term::columns(rows)
}

fn program(quote: &Quote) -> Vec<Row> {
    let spec = &quote.spec;
    let world = world_text(spec.world);
    let mut rows = vec![("program", format!("{} {DIM}{world}{PLAIN}", spec.program))];
    let deployment = quote.deployment;
    rows.extend(deployment.map(|id| ("deployment", id.to_string())));
    rows
}

fn plan(plan: &Plan) -> Vec<Row> {
    match plan {
        Plan::One { input: None } => vec![("plan", "one unit without an input".into())],
        Plan::One { input: Some(input) } => {
            vec![("plan", "one unit".into()), ("  input", input.to_string())]
        }
        Plan::Map { inputs, partitions } => {
            let shards = term::count(inputs.len() as u64, "shard");
            let partitions = term::count((*partitions).into(), "partition");
            let mut rows = vec![("plan", format!("{shards}, {partitions}"))];
            rows.extend(shards_of(inputs));
            rows
        }
        Plan::Steps { input, steps } => {
            let steps = term::count((*steps).into(), "step");
            vec![
                ("plan", format!("{steps} in each unit")),
                ("  input", input.to_string()),
            ]
        }
    }
}

fn warn(warning: &str) -> String {
    format!("{WARN}{}{PLAIN}", foreign::message(warning))
}

fn shards_of(inputs: &[Hex]) -> Vec<Row> {
    let listed = inputs.iter().take(LISTED);
    let mut rows: Vec<Row> = listed.map(|shard| ("  shard", shard.to_string())).collect();
    let left = inputs.len().saturating_sub(LISTED);
    if left > 0 {
        let more = format!("{DIM}… and {left} more: --format json{PLAIN}");
        rows.push(("", more));
    }
    rows
}

/// What else influences the result.
fn given(spec: &JobSpec) -> Vec<Row> {
    let pairs = |label: &'static str, pairs: &BTreeMap<String, String>| -> Vec<Row> {
        let pair = |(key, value): (&String, &String)| {
            (label, format!("{}={}", quoted(key), quoted(value)))
        };
        pairs.iter().map(pair).collect()
    };
    let named = spec.inputs.iter();
    let mut rows: Vec<Row> = named
        .map(|(name, digest)| ("in", format!("{} {DIM}{digest}{PLAIN}", quoted(name))))
        .collect();
    rows.extend(spec.args.iter().map(|arg| ("arg", quoted(arg))));
    rows.extend(pairs("env", &spec.env));
    rows.extend(pairs("param", &spec.params));
    let clock = spec.virtual_time.value() / 1000;
    rows.extend([
        ("seed", spec.entropy.to_string()),
        ("time", format!("{clock} s after the beginning of 1970")),
    ]);
    rows
}

/// On one line, and nothing of it left out.
fn quoted(text: &str) -> String {
    foreign::json(&serde_json::Value::from(text).to_string())
}

fn limits(limits: &Limits) -> String {
    let size = |bytes: Option<Bytes>| term::size(bytes.map_or(0, |bytes| bytes.value()));
    format!(
        "{} fuel, {} memory, {} output, {} log",
        fuel_text(limits.fuel.unwrap_or_default()),
        size(limits.memory),
        size(limits.output),
        size(limits.log),
    )
}

fn terms(spec: &JobSpec) -> Vec<Row> {
    let cap = spec.replica_cap;
    let mut rows = vec![
        (
            "replicas",
            format!("{}; at most {cap} are paid for", replicas(spec.replicas)),
        ),
        ("price cap", tables::prices(&spec.price)),
    ];
    rows.extend(spec.max_price.map(|most| ("max price", most.to_string())));
    rows.push(("ends", from_now(spec.deadline, moment::now())));
    if spec.encrypt {
        let who = "for the providers that are chosen, and nobody else";
        rows.push(("encrypted", who.into()));
    }
    if !spec.require.is_empty() {
        let each = spec.require.iter().map(|(key, values)| {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            foreign::name(&format!("{key}={}", values.join("|")))
        });
        rows.push(("requires", each.collect::<Vec<_>>().join(", ")));
    }
    rows
}

#[cfg(test)]
mod tests {
    use opensky_api::{Amount, DeploymentId};
    use opensky_protocol::Digest;

    use super::*;
    use crate::remote::samples;

    fn spec() -> JobSpec {
        samples::spec(Plan::Map {
            inputs: vec![Hex([4; 32]), Hex([5; 32])],
            partitions: 1,
        })
    }

    #[test]
    fn nothing_that_was_asked_for_is_left_out() {
        let quote = Quote {
            spec: spec(),
            deployment: Some(DeploymentId::new(Digest([3; 32]))),
            units: Some(3),
            escrow: Amount(4_000_000_000),
            warnings: vec!["4 asked, 3 operators known".into()],
        };
        let shown = samples::screen(&text(&quote));
        let shown: String = shown
            .lines()
            .filter(|line| !line.contains("  ends "))
            .map(|line| format!("{line}\n"))
            .collect();
        expect_test::expect![[r#"
            |   program     0202020202020202020202020202020202020202020202020202020202020202 map-reduce
            |   deployment  d-0c1g60r30c1g60r30c1g60r30c1g60r30c1g60r30c1g60r30c1g
            |   units       3
            |   plan        2 shards, 1 partition
            |     shard     0404040404040404040404040404040404040404040404040404040404040404
            |     shard     0505050505050505050505050505050505050505050505050505050505050505
            |   in          "table" 0606060606060606060606060606060606060606060606060606060606060606
            |   arg         "-x"
            |   arg         "two words\n\u001b[2J"
            |   env         "LANG"="C"
            |   param       "depth"="3"
            |   seed        0707070707070707070707070707070707070707070707070707070707070707
            |   time        9 s after the beginning of 1970
            |   limits      2 000 000 fuel, 64.00 MiB memory, 1.00 MiB output, 1.00 KiB log
            |   profile     1
            |   replicas    2; at most 5 are paid for
            |   price cap   2 µSKY a Gfuel, 1 nSKY a unit, 3 µSKY a GiB
            |   max price   5 mSKY
            |   requires    region=eu|us
            |   at most     4 mSKY is set aside; what is not used goes back
            |   warning     4 asked, 3 operators known
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn many_shards_are_listed_in_part_and_counted() {
        let shards: Vec<_> = (0..50).map(|at| Hex([at; 32])).collect();
        let rows = shards_of(&shards);
        assert_eq!(rows.len(), LISTED + 1);
        assert!(rows[LISTED].1.contains("… and 30 more"));
        assert_eq!(shards_of(&shards[..LISTED]).len(), LISTED);
    }
}
