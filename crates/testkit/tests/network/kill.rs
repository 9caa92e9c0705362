//! Processes that are killed while a job is in each of its phases, and started again: the job ends right,
//! everybody is paid once, and nothing stays held.

use opensky_api::JobId;

use crate::{
    books::{LEDGER, REQUESTER},
    net::{Net, files, text},
    process::until,
};

/// Where a job is when processes die.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Fetch,
    Execute,
    Commit,
    Reveal,
    Settle,
}

const PHASES: [Phase; 5] = [
    Phase::Fetch,
    Phase::Execute,
    Phase::Commit,
    Phase::Reveal,
    Phase::Settle,
];

/// It takes a while to get, and to count.
const LARGE: usize = 24 << 20;
const SMALL: usize = 1 << 10;

const ONE: &str = "one";
const TWO: &str = "two";

/// A job of two providers, brought to a phase and held there.
struct Scene {
    job: JobId,
    text: Vec<u8>,
    halted: Vec<&'static str>,
}

impl Phase {
    /// Brings a new job to this phase.
    fn set(self, net: &mut Net, number: u8) -> Scene {
        match self {
            Self::Fetch => fetch(net, number),
            Self::Execute => execute(net, number),
            Self::Commit => commit(net, number),
            Self::Reveal => reveal(net, number),
            Self::Settle => settle(net, number),
        }
    }
}

/// One provider has a part of its input.
fn fetch(net: &mut Net, number: u8) -> Scene {
    let text = text(LARGE, number);
    let job = net.submit(&text, number, 2);
    let parts = net.data(ONE).join("store/partial-1");
    until("a part of the input has come", || {
        let has_begun = !files(&parts).is_empty();
        // It may have been faster than this look at it.
        has_begun || net.turn(job, ONE).starts_with("has")
    });
    Scene {
        job,
        text,
        halted: Vec::new(),
    }
}

/// Both providers run it.
fn execute(net: &mut Net, number: u8) -> Scene {
    let text = text(LARGE, number);
    let job = net.submit(&text, number, 2);
    for provider in [ONE, TWO] {
        net.wait_past(job, provider, &["asked"]);
        let client = net.node(provider).client();
        until("it runs, or has run", || {
            let status = client.node().unwrap().provider.unwrap();
            status.running > 0 || net.turn(job, provider).starts_with("has")
        });
    }
    Scene {
        job,
        text,
        halted: Vec::new(),
    }
}

/// One provider has promised a result, and the other has not.
fn commit(net: &mut Net, number: u8) -> Scene {
    let text = text(SMALL, number);
    net.halt(TWO);
    let job = net.submit(&text, number, 2);
    net.wait_past(job, ONE, &["asked", "runs it"]);
    Scene {
        job,
        text,
        halted: vec![TWO],
    }
}

/// Both have promised, and one does not show what.
fn reveal(net: &mut Net, number: u8) -> Scene {
    let Scene { job, text, .. } = commit(net, number);
    net.halt(ONE);
    net.go_on(TWO);
    net.wait_past(job, ONE, &["has a result"]);
    Scene {
        job,
        text,
        halted: vec![ONE],
    }
}

/// The job is over, and the ledger does not answer: vouchers are not claimed, the escrow is not closed.
fn settle(net: &mut Net, number: u8) -> Scene {
    let Scene { job, text, .. } = execute(net, number);
    net.halt(LEDGER);
    net.ends(job, &text);
    Scene {
        job,
        text,
        halted: vec![LEDGER],
    }
}

/// Kills them in every phase of a job of its own.
fn survives(victims: &[&str]) {
    let mut net = Net::start(&[ONE, TWO]);
    for (number, phase) in (0..).zip(PHASES) {
        println!("{phase:?}");
        let scene = phase.set(&mut net, number);
        victims.iter().for_each(|victim| net.kill(victim));
        // A ledger that does not answer would keep nodes from starting.
        for name in scene.halted {
            if net.is_running(name) {
                net.go_on(name);
            }
        }
        victims.iter().for_each(|victim| net.begin(victim));
        net.ends(scene.job, &scene.text);
    }
    net.adds_up();
}

#[test]
fn killed_provider_goes_on_where_it_was() {
    survives(&[ONE]);
}

#[test]
fn killed_requester_goes_on_where_it_was() {
    survives(&[REQUESTER]);
}

#[test]
fn killed_provider_and_requester_go_on_where_they_were() {
    survives(&[ONE, REQUESTER]);
}

#[test]
fn killed_ledger_loses_nothing_that_it_has_said() {
    survives(&[LEDGER, TWO]);
}
