//! An account: what it has, and what happened to it.

use opensky_api::{Amount, Bookkeeping, Entry, EntryKind, Hex, Ledger, NodeId, Time, Wallet};
use opensky_protocol::Digest;

use super::{moment::from_now, tables::table};
use crate::{
    foreign,
    term::{self, BAD, DIM, GOOD, PLAIN},
};

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
    let unbonding = wallet.unbonding.iter().map(|part| {
        let why = match part.ready > now {
            true => format!("until then it can be lost, {}", from_now(part.ready, now)),
            false => "ready: the node is taking it out".into(),
        };
        (
            "  leaves bond",
            format!("{}, {DIM}{why}{PLAIN}", part.amount),
        )
    });
    let ledger = ("ledger", ledger(&wallet.ledger));
    let rows = rows.into_iter().chain(unbonding).chain(back);
    term::columns(rows.chain([ledger]))
}

/// The chain that a node settles on, or that there is none.
pub fn chain(ledger: &Ledger, now: Time) -> String {
    let mut rows = Vec::new();
    match &ledger.chain {
        // It has not said how it is.
        None if ledger.kind == Bookkeeping::Chain => {}
        None => rows.push((
            "chain",
            "none: this node settles on an embedded ledger".into(),
        )),
        Some(chain) => {
            rows.push(("chain", foreign::name(&chain.url)));
            if let Some(block) = &chain.finalized {
                let when = from_now(block.at, now);
                let number = block.number.value();
                rows.push(("last block", format!("{number}, final, {when}")));
                rows.push(("  its hash", block.hash.to_string()));
                rows.push(("runtime", format!("version {}", block.runtime)));
            }
            let waiting = term::count(chain.waiting.into(), "transaction");
            rows.push(("not final", format!("{waiting} of this node's")));
            let fees = chain.fees.map(|fees| fees.rounded());
            rows.extend(fees.map(|fees| ("fees", format!("{fees} paid by this account"))));
        }
    }
    rows.push(("id", ledger.id.to_string()));
    rows.push(("ledger", self::ledger(ledger)));
    term::columns(rows)
}

/// Which ledger a node uses, and whether it answers.
pub fn ledger(ledger: &Ledger) -> String {
    let about = foreign::name(&ledger.about);
    match ledger.answers {
        true => format!("{GOOD}answers{PLAIN}: {about}"),
        false => format!("{BAD}{about}{PLAIN}"),
    }
}

/// An account's history, the newest first.
pub fn history(entries: &[Entry], now: Time) -> String {
    let row = |entry: &Entry| {
        let about = [
            entry.job.map(|job| job.short()),
            entry.with.map(|account| other(entry.kind, account)),
            (entry.fee != Amount(0)).then(|| format!("fee {}", entry.fee.rounded())),
            entry.note.as_deref().map(foreign::name),
        ];
        vec![
            from_now(entry.at, now),
            kind(entry.kind).to_owned(),
            match entry.amount {
                Amount(0) => "-".into(),
                amount => amount.to_string(),
            },
            about.into_iter().flatten().collect::<Vec<_>>().join("  "),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["when", "what", "amount", "about"], &rows)
}

/// Whose the other account is: it answers for the node whose key it is, if for no other.
fn other(kind: EntryKind, account: Hex) -> String {
    let node = NodeId::new(Digest(account.0)).short();
    match kind {
        EntryKind::Received | EntryKind::Earned => format!("from {node}"),
        _ => format!("to {node}"),
    }
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

#[cfg(test)]
mod tests {
    use opensky_api::{Block, Chain, Count, JobId, Unbonding};

    use super::*;
    use crate::remote::samples;

    #[test]
    fn history_names_jobs_and_others_as_they_are_named_elsewhere() {
        let entry = |kind, amount, with: Option<u8>, note: Option<&str>| Entry {
            at: Time::saturating(0),
            kind,
            amount: Amount(amount),
            fee: Amount(0),
            with: with.map(|account| Hex([account; 32])),
            job: Some(JobId::new(Digest([1; 32]))),
            note: note.map(str::to_owned),
        };
        let entries = [
            entry(EntryKind::Noted, 0, None, Some("the job is over")),
            entry(EntryKind::Paid, 1_500_000, Some(2), None),
            entry(EntryKind::Earned, 2_000_000, Some(3), None),
        ];
        let text = history(&entries, Time::saturating(60_000));
        expect_test::expect![[r#"
            |   when      what    amount    about
            |   60 s ago  noted   -         j-040g208104  the job is over
            |   60 s ago  paid    1.5 µSKY  j-040g208104  to p-081040g208
            |   60 s ago  earned  2 µSKY    j-040g208104  from p-0c1g60r30c
        "#]]
        .assert_eq(&samples::screen(&text));
    }

    #[test]
    fn chain_is_told_with_how_far_it_is_and_what_waits() {
        let mut ledger = Ledger {
            id: Hex([2; 32]),
            kind: Bookkeeping::Chain,
            answers: true,
            about: "on a chain".into(),
            chain: Some(Chain {
                url: "ws://127.0.0.1:9944".into(),
                finalized: Some(Block {
                    number: Count::saturating(12),
                    hash: Hex([3; 32]),
                    at: Time::saturating(58_000),
                    runtime: 4,
                }),
                waiting: 1,
                fees: Some(Amount(108_000_000)),
            }),
        };
        let shown = |ledger: &Ledger| samples::screen(&chain(ledger, Time::saturating(60_000)));
        let text = shown(&ledger);
        for part in [
            "ws://127.0.0.1:9944",
            "12, final, 2 s ago",
            "version 4",
            "1 transaction of this node's",
            "108 µSKY paid",
            "answers: on a chain",
        ] {
            assert!(text.contains(part), "{text}");
        }
        (ledger.chain, ledger.answers) = (None, false);
        assert!(!shown(&ledger).contains("none"), "{}", shown(&ledger));
        ledger.kind = Bookkeeping::Embedded;
        assert!(shown(&ledger).contains("none: this node settles on an embedded ledger"));
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
                chain: None,
            },
            free: Amount(5),
            held: Amount(4),
            bonded: Amount(1),
            unbonding: Vec::new(),
            returning: Amount(3),
            next_return: Some(Time::saturating(540_000)),
            play_money: false,
        };
        let text = wallet(&account, Time::saturating(0));
        let line = "  comes back  3 pSKY of jobs that have ended, the next in 9 min: until then providers can claim";
        assert!(samples::plain(&text).contains(line), "{text}");
        account.unbonding.push(Unbonding {
            amount: Amount(2),
            ready: Time::saturating(600_000),
        });
        let text = wallet(&account, Time::saturating(0));
        let line = "  leaves bond  2 pSKY, until then it can be lost, in 10 min";
        assert!(samples::plain(&text).contains(line), "{text}");
        account.next_return = None;
        let text = wallet(&account, Time::saturating(0));
        assert!(!text.contains("comes back"), "{text}");
    }
}
