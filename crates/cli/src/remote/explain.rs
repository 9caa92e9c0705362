//! Why a job is where it is, node by node.

use std::fmt::Write as _;

use opensky_api::{Need, Passed, Unit, UnitState, Why};

use super::board::{agreed, place, unit_text};
use crate::{
    foreign,
    term::{self, DIM, NOTE, PLAIN},
};

/// Nodes that are named with one reason: as many as fit a line.
const NAMED: usize = 4;

/// Whether a job waits for something that only others can change: a provider, or money.
pub fn is_stuck(why: &Why) -> bool {
    why.waiting > 0 && (why.fit == 0 || why.left < why.turn_price)
}

/// The whole explanation.
pub fn why(why: &Why) -> String {
    let mut text = format!("{}\n", foreign::message(&why.sentence));
    for need in &why.needs {
        let need = need_text(need);
        // What the sentence has said already is not said again.
        if !foreign::message(&why.sentence).ends_with(&need) {
            line(&mut text, format_args!("  {need}"));
        }
    }
    nodes(&mut text, why);
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

/// The nodes that something keeps away, each reason once: not again where it was said that it keeps all.
fn nodes(text: &mut String, why: &Why) {
    let of_all = |passed: &&Passed| {
        let mut needs = why.needs.iter().filter(|need| need.nodes == need.of);
        needs.any(|need| need.reason == passed.reason)
    };
    let mut reasons: Vec<(&str, Vec<&Passed>)> = Vec::new();
    for passed in why.nodes.iter().filter(|passed| !of_all(passed)) {
        match reasons
            .iter_mut()
            .find(|(reason, _)| *reason == passed.reason)
        {
            Some((_, all)) => all.push(passed),
            None => reasons.push((&passed.reason, vec![passed])),
        }
    }
    for (reason, all) in reasons {
        let named = all.iter().take(NAMED).map(|passed| passed.node.short());
        let named = named.collect::<Vec<_>>().join(" ");
        let more = match all.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let reason = foreign::name(reason);
        line(
            text,
            format_args!("    {DIM}{named}{more}: {reason}{PLAIN}"),
        );
    }
}

fn unit_why(text: &mut String, unit: &Unit) {
    let (place, state) = (place(unit), unit_text(unit.state));
    let (promised, wanted) = (unit.promised, unit.wanted);
    let voices = match (unit.state, unit.lacks) {
        (UnitState::Agreed, _) => agreed(unit),
        (UnitState::Dropped, _) => format!("{promised} of {wanted} had a result"),
        (_, 0) => format!("{promised} of {wanted} have a result"),
        (_, 1) => format!("{promised} of {wanted} have a result, waiting for another operator"),
        (_, lacks) => {
            format!("{promised} of {wanted} have a result, waiting for {lacks} operators")
        }
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
    use opensky_api::{Amount, JobId, Page, Stage};
    use opensky_protocol::Digest;

    use super::*;
    use crate::remote::samples;

    fn waiting(sentence: &str, needs: Vec<Need>, nodes: Vec<Passed>) -> Why {
        Why {
            job: JobId::new(Digest([1; 32])),
            sentence: sentence.into(),
            waiting: 1,
            left: Amount(5_000_000),
            turn_price: Amount(1_000_000),
            fit: 0,
            needs,
            nodes,
            units: Page::last(Vec::new()),
        }
    }

    fn passed(node: u8, reason: &str) -> Passed {
        Passed {
            node: samples::node(node),
            reason: reason.into(),
        }
    }

    #[test]
    fn job_is_explained_node_by_node() {
        let mut unit = samples::unit(Stage::Map, 0, UnitState::Placing);
        (unit.promised, unit.lacks) = (1, 1);
        unit.turns = vec![samples::turn(1, "did not answer in time")];
        let need = Need {
            nodes: 4,
            of: 4,
            reason: "needs 200 GiB memory, the largest has 14 GiB".into(),
        };
        let nodes = vec![passed(2, "it has 14 GiB of memory")];
        let mut said = waiting("it waits for a provider", vec![need], nodes);
        said.units = Page::last(vec![unit]);
        expect_test::expect![[r#"
            it waits for a provider
              4 of 4 nodes: needs 200 GiB memory, the largest has 14 GiB
                p-081040g208: it has 14 GiB of memory
              1 unit without a provider; 5 µSKY left, one more provider costs up to 1 µSKY
              map 0 placing, 1 of 2 have a result, waiting for another operator
                p-040g208104 did not answer in time
        "#]]
        .assert_eq(&samples::plain(&why(&said)));
    }

    #[test]
    fn one_reason_is_said_once_with_those_it_is_about() {
        let reason = "its label `region` is not what is required";
        let mut need = Need {
            nodes: 6,
            of: 6,
            reason: reason.into(),
        };
        let sentence = need_text(&need);
        let nodes: Vec<_> = (1..=6).map(|node| passed(node, reason)).collect();
        let all = waiting(&sentence, vec![need.clone()], nodes.clone());
        let all = samples::plain(&why(&all));
        assert_eq!(all.matches(reason).count(), 1, "{all}");
        need.of = 7;
        let sentence = need_text(&need);
        let said = samples::plain(&why(&waiting(&sentence, vec![need], nodes)));
        expect_test::expect![[r#"
            6 of 7 nodes: its label `region` is not what is required
                p-040g208104 p-081040g208 p-0c1g60r30c p-0g2081040g and 2 more: its label `region` is not what is required
              1 unit without a provider; 5 µSKY left, one more provider costs up to 1 µSKY
        "#]].assert_eq(&said);
    }

    #[test]
    fn who_waits_in_vain_waits_for_others_or_for_money() {
        let mut said = waiting("", Vec::new(), Vec::new());
        assert!(is_stuck(&said));
        said.fit = 1;
        assert!(!is_stuck(&said));
        said.left = Amount(0);
        assert!(is_stuck(&said));
        said.waiting = 0;
        assert!(!is_stuck(&said));
    }
}
