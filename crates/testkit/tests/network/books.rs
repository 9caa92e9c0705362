//! Where all the money is, by the ledger's own file.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use opensky_api::{Client, JobSummary};
use opensky_ledger::{Conduct, Ledger};
use opensky_protocol::{
    Account, NodeKey,
    ledger::{Genesis, Terms},
};

use crate::process::until;

pub const LEDGER: &str = "ledger";
pub const REQUESTER: &str = "requester";
/// What the faucet gives to each.
const FIRST_MONEY: u128 = Terms::DEVELOPMENT.faucet;

/// Waits until all that providers have earned by these jobs is paid, and nothing else is held.
pub fn is_paid(requester: &Client, jobs: &[JobSummary]) {
    let sum: u128 = jobs.iter().map(|job| job.price.0).sum();
    until("all that was earned is paid", || {
        let spent = requester.node().unwrap().requester.spent;
        spent.is_some_and(|spent| spent.0 >= sum)
    });
    until("nothing is held but for jobs that have ended", || {
        let wallet = requester.wallet();
        wallet.is_ok_and(|wallet| wallet.held == wallet.returning)
    });
}

/// Looks at the whole of a ledger of that name that nobody keeps any more, at the time at which nothing can be claimed:
/// every coin is accounted for, each job has cost what it says, and nothing is held. Returns what each
/// of the nodes has earned by each of the jobs.
pub fn add_up(
    file: &Path,
    name: &str,
    keys: &BTreeMap<String, NodeKey>,
    jobs: &[JobSummary],
) -> Vec<BTreeMap<String, u128>> {
    let genesis = genesis(name, keys[LEDGER]);
    let mut ledger = Ledger::open(file, genesis, Conduct::default()).unwrap();
    ledger.books().unwrap().check().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let later = now.as_millis() as u64 + 2 * Terms::DEVELOPMENT.dispute_horizon();
    while ledger.next_due().is_some_and(|due| due <= later) {
        ledger.advance(later).unwrap();
    }
    let books = ledger.books().unwrap();
    books.check().unwrap();
    let issued = FIRST_MONEY * keys.len() as u128;
    assert_eq!((books.treasury().issued, books.treasury().pot), (issued, 0));

    let mut earned = Vec::new();
    for job in jobs {
        let escrow = books.escrow(&job.job.digest()).unwrap();
        let price = job.price.0;
        assert_eq!(
            (escrow.paid, escrow.left()),
            (price, 0),
            "{job:?}: {escrow:?}"
        );
        assert_eq!(escrow.refunded, job.escrow.0 - price, "{job:?}");
        let tabs = keys.iter().map(|(name, key)| {
            let tab = books.tab(&job.job.digest(), &Account::from(*key));
            (name.clone(), tab.paid)
        });
        earned.push(tabs.collect::<BTreeMap<_, _>>());
    }
    let sum: u128 = jobs.iter().map(|job| job.price.0).sum();
    for (name, key) in keys {
        let purse = books.purse(&Account::from(*key));
        let spent = if name == REQUESTER { sum } else { 0 };
        let own: u128 = earned.iter().map(|job| job[name]).sum();
        let expected = FIRST_MONEY - spent + own;
        assert_eq!((purse.free, purse.held), (expected, 0), "{name}");
    }
    earned
}

fn genesis(name: &str, ledger: NodeKey) -> Genesis {
    Genesis {
        name: name.into(),
        terms: Terms {
            arbiter: Some(ledger.into()),
            ..Terms::DEVELOPMENT
        },
        balances: BTreeMap::new(),
    }
}
