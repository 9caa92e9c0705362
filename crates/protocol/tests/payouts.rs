//! The table of payouts, read from `payouts.txt`: a chain's pallets are tested with it too.
#![allow(clippy::unwrap_used)] // a table that does not parse fails the test

mod sample;

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Digest, Limits, PriceTerms, Ticket, Voucher,
    ledger::{Escrow, Slash, Tab, Terms},
};

const TABLE: &str = include_str!("payouts.txt");

/// The lines of one kind, without their first word.
fn lines(kind: &str) -> Vec<&'static str> {
    let lines = TABLE.lines().filter_map(|line| line.strip_prefix(kind));
    let lines: Vec<_> = lines.filter(|line| line.starts_with(' ')).collect();
    assert!(!lines.is_empty(), "the table has lines of {kind}");
    lines
}

fn numbers(text: &str) -> Vec<u128> {
    let words = text.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn every_line_is_of_a_known_kind() {
    let kinds = ["price ", "escrow ", "slash ", "phase ", "#"];
    let unknown =
        |line: &&str| !line.is_empty() && !kinds.iter().any(|kind| line.starts_with(kind));
    assert_eq!(TABLE.lines().find(unknown), None);
}

#[test]
fn prices() {
    for line in lines("price") {
        let [
            dispatch,
            per_gfuel,
            per_gib,
            cap_dispatch,
            cap_gfuel,
            cap_gib,
            input,
            output,
            fuel,
            most_fuel,
            most_output,
            amount,
        ] = numbers(line)[..]
        else {
            panic!("{line}");
        };
        let ask = PriceTerms {
            dispatch,
            per_gfuel,
            per_gib,
        };
        let price = PriceTerms {
            dispatch: cap_dispatch,
            per_gfuel: cap_gfuel,
            per_gib: cap_gib,
        };
        let ticket = Ticket {
            price,
            input_len: input as u64,
            limits: Limits {
                fuel: most_fuel as u64,
                output: most_output as u64,
                ..Limits::DEFAULT
            },
            ..sample::ticket(sample::digest(1)).value
        };
        let paid = ticket.payment(&ask, fuel as u64, output as u64);
        assert_eq!(paid, amount, "{line}");
        let worst = ticket.price.worst_case(&ticket.limits, ticket.input_len);
        assert!(paid <= worst, "{line}");
    }
}

/// One escrow of the table, and its operators.
struct Scene {
    escrow: Escrow,
    tabs: BTreeMap<String, Tab>,
    /// What is kept for claims, the first one first.
    kept: BTreeMap<String, Vec<u128>>,
}

impl Scene {
    fn new() -> Self {
        let requester = sample::other_secret().node();
        Self {
            escrow: Escrow::new(requester.into(), requester, 0, 0),
            tabs: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &str) -> u128 {
        let words: Vec<_> = step.split_whitespace().collect();
        let who = words.get(1).copied().unwrap_or_default();
        let amount = numbers(step).first().copied().unwrap_or_default();
        let tab = self.tabs.entry(who.to_owned()).or_default();
        let kept = self.kept.entry(who.to_owned()).or_default();
        match words[0] {
            "lock" | "top" => self.escrow.top_up(amount).unwrap(),
            "voucher" => return self.escrow.claim(tab, &voucher(amount)),
            "open" => tab.open(voucher(amount).root, amount).unwrap(),
            "keep" => {
                kept.push(self.escrow.reserve(amount));
                return kept[kept.len() - 1];
            }
            "show" => return self.escrow.settle(tab, amount, kept.remove(0)),
            "drop" => self.escrow.unreserve(kept.remove(0)),
            "refund" => return self.escrow.refund(),
            other => panic!("{other}"),
        }
        0
    }
}

fn voucher(total: u128) -> Voucher {
    Voucher {
        total,
        root: Digest::derive("test root 1", &total),
        operator: Account([1; 32]),
        ..sample::voucher()
    }
}

#[test]
fn escrows() {
    for line in lines("escrow") {
        let (name, steps) = line.split_once(": ").unwrap();
        let mut scene = Scene::new();
        for step in steps.split("; ") {
            let (done, expected) = step.split_once(" = ").unwrap_or((step, "0"));
            let paid = scene.step(done);
            assert_eq!(paid.to_string(), expected, "{name}: {step}");
            let Escrow {
                locked,
                paid,
                refunded,
                reserved,
                ..
            } = scene.escrow;
            assert_eq!(
                paid + refunded + scene.escrow.left(),
                locked,
                "{name}: {step}"
            );
            assert!(reserved <= scene.escrow.left(), "{name}: {step}");
            let tabs: u128 = scene.tabs.values().map(|tab| tab.paid).sum();
            assert_eq!(tabs, paid, "{name}: {step}");
        }
    }
}

#[test]
fn slashes() {
    for line in lines("slash") {
        let [lost, owes, winners, owed, reward, pot] = numbers(line)[..] else {
            panic!("{line}");
        };
        let split = Slash::split(lost, owes, winners as usize);
        assert_eq!(split, Slash { owed, reward, pot }, "{line}");
        assert_eq!(split.owed + split.reward + split.pot, lost, "{line}");
    }
}

#[test]
fn phases() {
    for line in lines("phase") {
        let [end, claims, objections, verdicts, at] = numbers(line)[..] else {
            panic!("{line}");
        };
        let terms = Terms {
            claims: claims as u64,
            objections: objections as u64,
            verdicts: verdicts as u64,
            ..Terms::DEVELOPMENT
        };
        let requester = sample::other_secret().node();
        let mut escrow = Escrow::new(requester.into(), requester, 1, end as u64);
        let phase = format!("{:?}", escrow.phase(at as u64, &terms));
        assert_eq!(Some(phase.as_str()), line.rsplit("= ").next(), "{line}");
        // It can be closed before its deadline, and not after.
        escrow.deadline = u64::MAX;
        escrow.closed = Some(end as u64);
        let phase = format!("{:?}", escrow.phase(at as u64, &terms));
        assert_eq!(Some(phase.as_str()), line.rsplit("= ").next(), "{line}");
    }
}
