//! Why a job is where it is, node by node.

use std::fmt::Write as _;

use opensky_api::{Need, Unit, UnitState, Why};

use super::board::{place, unit_text};
use crate::{
    foreign,
    term::{self, DIM, NOTE, PLAIN},
};

/// The whole explanation.
pub fn why(why: &Why) -> String {
    let mut text = format!("{}\n", foreign::message(&why.sentence));
    for need in &why.needs {
        line(&mut text, format_args!("  {}", need_text(need)));
    }
    for passed in &why.nodes {
        let reason = foreign::name(&passed.reason);
        line(
            &mut text,
            format_args!("    {DIM}{}: {reason}{PLAIN}", passed.node.short()),
        );
    }
    if why.waiting > 0 {
        let units = term::count(why.waiting.into(), "unit");
        let money = format_args!(
            "{} left, one more provider costs up to {}",
            why.left, why.turn_price
        );
        line(
            &mut text,
            format_args!("  {units} without a provider; {money}"),
        );
    }
    for unit in &why.units.items {
        unit_why(&mut text, unit);
    }
    if why.units.next.is_some() {
        line(
            &mut text,
            format_args!("  {DIM}… and more units: --limit N shows them{PLAIN}"),
        );
    }
    text
}

fn unit_why(text: &mut String, unit: &Unit) {
    let (place, state) = (place(unit), unit_text(unit.state));
    let (agreed, wanted) = (unit.agreed, unit.wanted);
    let voices = match unit.state {
        UnitState::Agreed => format!("{agreed} of {} agree", unit.turns.len().max(1)),
        _ => format!("{agreed} agree, {wanted} are wanted"),
    };
    line(
        text,
        format_args!("  {NOTE}{place}{PLAIN} {state}, {voices}"),
    );
    for turn in &unit.turns {
        let state = foreign::name(&turn.state);
        line(text, format_args!("    {} {state}", turn.provider.short()));
    }
}

/// As in `4 of 4 nodes: needs 200 GiB memory, the largest has 14 GiB`.
pub fn need_text(need: &Need) -> String {
    format!(
        "{} of {} nodes: {}",
        need.nodes,
        need.of,
        foreign::name(&need.reason)
    )
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use opensky_api::{Amount, JobId, Page, Passed, Stage, UnitState};
    use opensky_protocol::Digest;

    use super::*;
    use crate::remote::samples;

    #[test]
    fn job_is_explained_node_by_node() {
        let mut unit = samples::unit(Stage::Map, 0, UnitState::Placing);
        unit.turns = vec![samples::turn(1, "did not answer in time")];
        let text = why(&Why {
            job: JobId::new(Digest([1; 32])),
            sentence: "it waits for a provider".into(),
            waiting: 1,
            left: Amount(5_000_000),
            turn_price: Amount(1_000_000),
            needs: vec![Need {
                nodes: 4,
                of: 4,
                reason: "needs 200 GiB memory, the largest has 14 GiB".into(),
            }],
            nodes: vec![Passed {
                node: samples::node(2),
                reason: "it has 14 GiB memory".into(),
            }],
            units: Page::last(vec![unit]),
        });
        expect_test::expect![[r#"
            it waits for a provider
              4 of 4 nodes: needs 200 GiB memory, the largest has 14 GiB
                p-081040g208: it has 14 GiB memory
              1 unit without a provider; 5 µSKY left, one more provider costs up to 1 µSKY
              map 0 placing, 0 agree, 2 are wanted
                p-040g208104 did not answer in time
        "#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
