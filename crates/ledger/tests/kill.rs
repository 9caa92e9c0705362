//! A process that keeps the books is killed again and again: whatever it has said is in its file.
//!
//! This binary starts itself again as that process.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod world;

use std::{
    env,
    io::{BufRead, BufReader, Write, stdout},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use opensky_ledger::{Conduct, Ledger};
use opensky_protocol::{
    Signed,
    ledger::{Call, Event, Genesis, Intent, Status},
};
use world::{Job, Party, genesis, terms};

const CHILD: &str = "OPENSKY_LEDGER_KILL_CHILD";
const NOW: u64 = 1_800_000_000_000;
const ROUNDS: u64 = 30;

fn main() {
    if let Some(path) = env::var_os(CHILD) {
        return keep_books(Path::new(&path));
    }
    let trial = Trial::test("what_was_said_survives_a_kill", survives);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

fn rules() -> Genesis {
    let ada = Party::new(1);
    genesis(terms(&ada), &[(&ada, u128::from(u64::MAX))])
}

/// The intents in their order, of which there is no end: an escrow now and then, vouchers, transfers.
fn intent(nonce: u64) -> Signed<Intent> {
    let [ada, bob] = [1, 2].map(Party::new);
    let job = Job::new(rules().id(), (nonce / 10 % 250) as u8, &ada);
    let to = bob.account();
    let call = match nonce % 10 {
        0 => job.open(1_000, NOW + nonce + 1_000_000),
        3 | 6 => job.claim(&bob, nonce % 10),
        8 => Call::Bond { amount: 1 },
        _ => Call::Transfer { to, amount: 1 },
    };
    ada.sign(ada.intent(rules().id(), nonce, call))
}

/// Goes on where the file ends, and says each nonce that was answered to.
fn keep_books(path: &Path) {
    let conduct = Conduct {
        delay: 7,
        ..Conduct::default()
    };
    let mut ledger = Ledger::open(path, rules(), conduct).unwrap();
    let mut out = stdout().lock();
    loop {
        let next = ledger.books().unwrap().nonce(&Party::new(1).node());
        let batch = (next..next + 1 + next % 5).map(intent).collect();
        let done = ledger.submit(batch, NOW + next).unwrap();
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let said = next + done.len() as u64;
        if writeln!(out, "{said}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn survives() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger");
    let mut before = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe()?)
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = thread::spawn(move || {
            let numbers = lines.map_while(Result::ok);
            numbers.filter_map(|line| line.parse().ok()).max()
        });
        // Some are killed before they have begun, some in the middle of a commit.
        thread::sleep(Duration::from_millis(round * 37 % 150));
        child.kill()?;
        child.wait()?;
        let said: u64 = heard.join().unwrap().unwrap_or(before);
        before = look(&path, said.max(before));
    }
    if before < 50 {
        return Err(format!("only {before} intents in {ROUNDS} rounds").into());
    }
    Ok(())
}

/// Opens what the dead process left, and returns how many intents are in it.
fn look(path: &Path, said: u64) -> u64 {
    let ledger = Ledger::open(path, rules(), Conduct::default()).unwrap();
    let books = ledger.books().unwrap();
    books.check().unwrap();
    let nonce = books.nonce(&Party::new(1).node());
    assert!(nonce >= said, "{said} were answered to, {nonce} are there");
    let mut events: Vec<Event> = Vec::new();
    while let page @ [_, ..] = &ledger.events(events.len() as u64, 200).unwrap()[..] {
        events.extend_from_slice(page);
    }
    let sequences = events.iter().map(|event| event.sequence);
    assert!(sequences.eq(1..=events.len() as u64));
    let pending = events
        .iter()
        .filter(|event| event.status == Status::Pending);
    let accepted: Vec<_> = pending.map(|event| event.intent).collect();
    let expected: Vec<_> = (0..nonce).map(|nonce| intent(nonce).value.id()).collect();
    assert_eq!(accepted, expected, "each was accepted once, in its order");
    nonce
}
