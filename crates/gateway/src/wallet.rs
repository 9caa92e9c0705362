//! The account's money, and its history.

use axum::extract::State;
use opensky_api::{
    Amount, Cursor, Entry, EntryKind, Fund, JobId, Page, Sum, Time, Unbonding, Wallet,
};
use opensky_protocol::{
    Account, Digest,
    ledger::{Event, Fact, Operator, Rejection, Status},
};

use crate::{
    answer::{Answer, Json, Paged, json, no_place},
    desk::Desk,
    market, refusal,
};

/// Events that are asked for at once. Each has an entry, or a few.
const EVENTS: u32 = 64;

/// `GET /v1/wallet`.
pub(crate) async fn balance(State(desk): State<Desk>) -> Answer {
    what_it_has(&desk).await
}

/// `POST /v1/wallet/stake`.
pub(crate) async fn stake(State(desk): State<Desk>, Json(sum): Json<Sum>) -> Answer {
    let done = desk.node.stake(sum.amount.0).await;
    done.map_err(refusal::of_account)?;
    what_it_has(&desk).await
}

/// `POST /v1/wallet/unstake`.
pub(crate) async fn unstake(State(desk): State<Desk>, Json(sum): Json<Sum>) -> Answer {
    let done = desk.node.unstake(sum.amount.0).await;
    done.map_err(refusal::of_account)?;
    what_it_has(&desk).await
}

/// `POST /v1/wallet/fund`.
pub(crate) async fn fund(State(desk): State<Desk>, Json(fund): Json<Fund>) -> Answer {
    let done = desk.node.fund(fund.amount.map(|amount| amount.0)).await;
    done.map_err(refusal::of_account)?;
    what_it_has(&desk).await
}

async fn what_it_has(desk: &Desk) -> Answer {
    let state = desk.node.balance().await.map_err(refusal::of_ledger)?;
    let returning = desk.node.returning().await.map_err(refusal::of_ledger)?;
    let status = desk.node.status().await;
    Ok(json(&Wallet {
        account: desk.node.account().into(),
        ledger: market::ledger(&status, &desk.node.config().ledger),
        free: Amount(state.purse.free),
        held: Amount(state.purse.held),
        bonded: Amount(state.operator.bond),
        unbonding: unbonding(&state.operator),
        returning: Amount(returning.amount),
        next_return: returning.next.map(Time::saturating),
        play_money: status.terms.faucet > 0,
    }))
}

/// What leaves the bond, the first first.
fn unbonding(operator: &Operator) -> Vec<Unbonding> {
    let parts = operator.unbonding.iter().map(|part| Unbonding {
        amount: Amount(part.amount),
        ready: Time::saturating(part.ready),
    });
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|part| part.ready);
    parts
}

/// Where a page ends: the event's number, and how many of its entries were on the page.
#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    entries: usize,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (sequence, entries) = text.split_once('-')?;
        Some(Self {
            sequence: sequence.parse().ok()?,
            entries: entries.parse().ok()?,
        })
    }

    fn write(self) -> Option<Cursor> {
        Cursor::new(format!("{}-{}", self.sequence, self.entries))
    }
}

/// `GET /v1/wallet/history`.
pub(crate) async fn history(State(desk): State<Desk>, page: Paged) -> Answer {
    let account = desk.node.account();
    let faucet = desk.node.faucet();
    let after = match &page.after {
        None => None,
        Some(after) => Some(Place::read(after).ok_or_else(no_place)?),
    };
    let mut before = after.map_or(u64::MAX, |after| after.sequence.saturating_add(1));
    let mut items = Vec::new();
    let mut last = after;
    loop {
        let events = desk.node.history(before, EVENTS).await;
        let events = events.map_err(refusal::of_ledger)?;
        let Some(oldest) = events.last() else {
            return Ok(json(&Page::last(items)));
        };
        before = oldest.sequence;
        for event in &events {
            let seen = match after {
                Some(after) if after.sequence == event.sequence => after.entries,
                _ => 0,
            };
            let entries = entries(event, &account, faucet);
            for (at, entry) in entries.into_iter().enumerate().skip(seen) {
                if items.len() == page.entries {
                    let next = last.and_then(Place::write);
                    return Ok(json(&Page { items, next }));
                }
                items.push(entry);
                last = Some(Place {
                    sequence: event.sequence,
                    entries: at + 1,
                });
            }
        }
    }
}

/// What an event was to an account: its fee is told once. What comes from the faucet is given, and costs nothing.
fn entries(event: &Event, account: &Account, faucet: Option<Account>) -> Vec<Entry> {
    let own_fee = |fee: u128| match event.account == *account {
        true => Amount(fee),
        false => Amount(0),
    };
    let blank = |kind| Entry {
        at: Time::saturating(event.at),
        kind,
        amount: Amount(0),
        fee: Amount(0),
        with: None,
        job: None,
        note: None,
    };
    match &event.status {
        Status::Pending => Vec::new(),
        Status::Rejected { fee: 0, reason } if is_said_again(*reason) => Vec::new(),
        Status::Rejected { fee, reason } => vec![Entry {
            fee: own_fee(*fee),
            note: Some(reason.to_string()),
            ..blank(EntryKind::Rejected)
        }],
        Status::Final { fee, facts } => {
            let told = facts.iter().filter_map(|fact| match fact {
                Fact::Transferred { from, amount, .. } if Some(*from) == faucet => {
                    Some(Told::new(EntryKind::Given, *amount))
                }
                fact => Told::of(fact, account),
            });
            let mut entries: Vec<Entry> = told
                .map(|told| Entry {
                    amount: Amount(told.amount),
                    with: told.with.map(Into::into),
                    job: told.job.map(JobId::new),
                    note: told.note,
                    ..blank(told.kind)
                })
                .collect();
            match entries.first_mut() {
                Some(first) if first.kind == EntryKind::Given => {}
                Some(first) => first.fee = own_fee(*fee),
                None if *fee > 0 && event.account == *account => entries.push(Entry {
                    fee: Amount(*fee),
                    note: Some("the ledger took its fee, and nothing else changed".into()),
                    ..blank(EntryKind::Noted)
                }),
                None => {}
            }
            entries
        }
    }
}

/// Whether a node asks for such a thing again and again by itself: that it was not done another time is
/// no news.
fn is_said_again(reason: Rejection) -> bool {
    matches!(
        reason,
        Rejection::Phase | Rejection::Dropped | Rejection::EscrowTaken | Rejection::Claimed
    )
}

/// What a fact is to an account.
struct Told {
    kind: EntryKind,
    amount: u128,
    with: Option<Account>,
    job: Option<Digest>,
    note: Option<String>,
}

impl Told {
    fn new(kind: EntryKind, amount: u128) -> Self {
        Self {
            kind,
            amount,
            with: None,
            job: None,
            note: None,
        }
    }

    fn with(self, other: Account) -> Self {
        Self {
            with: Some(other),
            ..self
        }
    }

    fn job(self, job: Digest) -> Self {
        Self {
            job: Some(job),
            ..self
        }
    }

    fn note(self, note: impl ToString) -> Self {
        Self {
            note: Some(note.to_string()),
            ..self
        }
    }

    /// `None` if it is another account's affair, or moved nothing: a voucher that brings no more than those
    /// before it, an escrow that was used up.
    fn of(fact: &Fact, account: &Account) -> Option<Self> {
        if !fact.accounts().contains(account) {
            return None;
        }
        Some(match *fact {
            Fact::Paid { amount: 0, .. } | Fact::Refunded { amount: 0, .. } => return None,
            Fact::Made { amount, .. } => Self::new(EntryKind::Given, amount),
            Fact::Transferred { from, to, amount } if to == *account => {
                Self::new(EntryKind::Received, amount).with(from)
            }
            Fact::Transferred { to, amount, .. } => Self::new(EntryKind::Sent, amount).with(to),
            Fact::Paid {
                escrow,
                payer,
                operator,
                amount,
            } if operator == *account => {
                Self::new(EntryKind::Earned, amount).with(payer).job(escrow)
            }
            Fact::Paid {
                escrow,
                operator,
                amount,
                ..
            } => Self::new(EntryKind::Paid, amount)
                .with(operator)
                .job(escrow),
            Fact::Opened { escrow, amount, .. } | Fact::ToppedUp { escrow, amount, .. } => {
                Self::new(EntryKind::Escrowed, amount).job(escrow)
            }
            Fact::Refunded { escrow, amount, .. } => {
                Self::new(EntryKind::Refunded, amount).job(escrow)
            }
            Fact::Closed { escrow, .. } => {
                let what = "the job is over: what providers do not claim of its money comes back";
                Self::noted(what).job(escrow)
            }
            Fact::NotPaid { escrow, reason, .. } => Self::noted(format_args!(
                "what the requester promised was not paid: {reason}"
            ))
            .job(escrow),
            Fact::NotFiled { escrow, reason, .. } => Self::noted(format_args!(
                "the evidence for a unit was not taken: {reason}"
            ))
            .job(escrow),
            Fact::Filed { escrow, amount, .. } => Self {
                amount,
                ..Self::noted("claimed with evidence, since the requester did not pay").job(escrow)
            },
            Fact::Settled { escrow, .. } | Fact::Resolved { escrow, .. } => {
                Self::noted("claims by evidence are settled").job(escrow)
            }
            Fact::Certified { node, .. } => {
                Self::noted(format_args!("answers for the node {}", short(node)))
            }
            Fact::Revoked { node, .. } => Self::noted(format_args!(
                "no longer answers for the node {}",
                short(node)
            )),
            Fact::Bonded { amount, .. } => Self::new(EntryKind::Bonded, amount),
            Fact::Unbonding { amount, .. } => Self::new(EntryKind::Unbonding, amount),
            Fact::Withdrawn { amount, .. } => Self::new(EntryKind::Withdrawn, amount),
            Fact::Objected { escrow, bond, .. } => Self::new(EntryKind::Staked, bond).job(escrow),
            Fact::Slashed { amount, .. } => Self::new(EntryKind::Slashed, amount),
            Fact::Rewarded { amount, .. } => Self::new(EntryKind::Rewarded, amount),
            Fact::Released { amount, .. } => Self::new(EntryKind::Released, amount),
        })
    }

    fn noted(note: impl ToString) -> Self {
        Self::new(EntryKind::Noted, 0).note(note)
    }
}

fn short(node: opensky_protocol::NodeKey) -> String {
    opensky_api::NodeId::from(node).short()
}

#[cfg(test)]
mod tests {
    use opensky_protocol::NodeKey;

    use super::*;

    const OWN: Account = Account([1; 32]);
    const OTHER: Account = Account([2; 32]);
    const FAUCET: Account = Account([5; 32]);
    const JOB: Digest = Digest([3; 32]);

    fn told(status: Status) -> Vec<Entry> {
        let event = Event {
            sequence: 1,
            at: 1_000,
            intent: Digest([4; 32]),
            account: OWN,
            status,
        };
        entries(&event, &OWN, Some(FAUCET))
    }

    fn paid(amount: u128) -> Fact {
        Fact::Paid {
            escrow: JOB,
            payer: OWN,
            operator: OTHER,
            amount,
        }
    }

    #[test]
    fn what_moved_nothing_is_left_out() {
        let facts = vec![
            paid(0),
            paid(5),
            Fact::Refunded {
                escrow: JOB,
                payer: OWN,
                amount: 0,
            },
        ];
        let entries = told(Status::Final { fee: 0, facts });
        let amounts: Vec<_> = entries.iter().map(|entry| entry.amount).collect();
        assert_eq!(amounts, [Amount(5)]);
        let again = told(Status::Rejected {
            fee: 0,
            reason: Rejection::Phase,
        });
        assert_eq!(again, []);
    }

    #[test]
    fn what_the_faucet_of_a_chain_gives_is_given_and_costs_nothing() {
        let from = |from| Fact::Transferred {
            from,
            to: OWN,
            amount: 9,
        };
        let entry = |fact| {
            let facts = vec![fact];
            let [entry] = &told(Status::Final { fee: 7, facts })[..] else {
                panic!("it is one entry");
            };
            (entry.kind, entry.fee, entry.with)
        };
        let given = (EntryKind::Given, Amount(0), None);
        assert_eq!(entry(from(FAUCET)), given);
        let received = (EntryKind::Received, Amount(7), Some(OTHER.into()));
        assert_eq!(entry(from(OTHER)), received);
    }

    #[test]
    fn what_cost_a_fee_is_told_with_what_it_was() {
        let facts = vec![paid(0)];
        for status in [
            Status::Final { fee: 7, facts },
            Status::Rejected {
                fee: 7,
                reason: Rejection::Phase,
            },
            Status::Rejected {
                fee: 7,
                reason: Rejection::Balance,
            },
        ] {
            let entries = told(status);
            assert_eq!(entries.len(), 1);
            assert_eq!(entries[0].fee, Amount(7));
            let note = entries[0].note.as_ref().expect("it says what it was");
            assert!(!note.contains("escrow's life"), "{note}");
        }
    }

    #[test]
    fn whatever_is_about_a_job_names_it() {
        let facts = vec![
            Fact::Opened {
                escrow: JOB,
                payer: OWN,
                requester: NodeKey(OWN.0),
                amount: 9,
                deadline: 2_000,
            },
            paid(5),
            Fact::Closed {
                escrow: JOB,
                payer: OWN,
                until: 3_000,
            },
            Fact::Refunded {
                escrow: JOB,
                payer: OWN,
                amount: 4,
            },
        ];
        let entries = told(Status::Final { fee: 0, facts });
        assert_eq!(entries.len(), 4);
        let job = Some(JobId::new(JOB));
        assert!(entries.iter().all(|entry| entry.job == job), "{entries:?}");
    }
}
