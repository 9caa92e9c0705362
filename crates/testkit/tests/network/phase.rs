//! A job that is brought to one of its phases, and held there by halting whoever would take it further.

use std::fs;

use opensky_api::JobId;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    books::LEDGER,
    net::{Net, files, text},
    process::{is_halted, until},
};

pub const ONE: &str = "one";
pub const TWO: &str = "two";

/// Where a job is when processes die.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Fetch,
    Execute,
    Commit,
    Reveal,
    Settle,
}

pub const PHASES: [Phase; 5] = [
    Phase::Fetch,
    Phase::Execute,
    Phase::Commit,
    Phase::Reveal,
    Phase::Settle,
];

/// It takes a while to get, and to count.
const LARGE: usize = 24 << 20;
const SMALL: usize = 1 << 10;
/// A part of a blob that is longer than this is a part of something large.
const PART: u64 = 1 << 20;
/// A provider that says so often, one time after the other, that it runs something although all of its
/// workers are halted, does.
const LOOKS: usize = 10;

/// A job of two providers, in a phase.
pub struct Scene {
    pub job: JobId,
    pub text: Vec<u8>,
    phase: Phase,
    /// Whether it cannot have gone on since it was seen there.
    is_held: bool,
    /// Nodes that are halted.
    pub halted: Vec<&'static str>,
    /// Workers that are.
    workers: Vec<Pid>,
}

impl Scene {
    /// Brings a new job of two to a phase: there with all of these providers.
    pub fn set(net: &mut Net, phase: Phase, number: u8, providers: &[&str]) -> Self {
        match phase {
            Phase::Fetch => fetch(net, number, providers),
            Phase::Execute => execute(net, number, providers),
            Phase::Commit => commit(net, number),
            Phase::Reveal => reveal(net, number),
            Phase::Settle => settle(net, number, providers),
        }
    }

    /// Whether it was in that phase at these providers when whoever has died now did: a fetch goes on until
    /// its provider, or who it fetches from, is dead.
    pub fn was_hit(&self, net: &Net, providers: &[&str]) -> bool {
        match self.phase {
            Phase::Fetch => providers.iter().all(|provider| has_part(net, provider)),
            _ => self.is_held,
        }
    }

    /// Kills the workers that are halted, and not the nodes whose they are.
    pub fn kill_workers(&mut self) {
        self.signal_workers(Signal::KILL);
    }

    /// Lets workers that are halted go on; those whose nodes are dead have died with them.
    pub fn release_workers(&mut self) {
        self.signal_workers(Signal::CONT);
    }

    fn signal_workers(&mut self, signal: Signal) {
        for worker in self.workers.drain(..).filter(|worker| is_halted(*worker)) {
            // Fails for one that dies right now.
            let _ = kill_process(worker, signal);
        }
    }
}

fn scene(phase: Phase, job: JobId, text: Vec<u8>) -> Scene {
    Scene {
        job,
        text,
        phase,
        is_held: false,
        halted: Vec::new(),
        workers: Vec::new(),
    }
}

/// Whether a provider has something large in part, and not whole.
fn has_part(net: &Net, provider: &str) -> bool {
    let parts = files(&net.data(provider).join("store/partial-1"));
    let len = |part| fs::metadata(part).map_or(0, |part| part.len());
    parts.into_iter().any(|part| len(part) > PART)
}

/// The providers have a part of its input.
fn fetch(net: &mut Net, number: u8, providers: &[&str]) -> Scene {
    let text = text(LARGE, number);
    let job = net.submit(&text, number, 2);
    until("a part of the input has come", || {
        let have_begun = || providers.iter().all(|provider| has_part(net, provider));
        // They may have been faster than this look at them.
        have_begun() || net.turn(job, providers[0]).starts_with("has")
    });
    scene(Phase::Fetch, job, text)
}

/// The providers run it, and their workers are halted.
fn execute(net: &mut Net, number: u8, providers: &[&str]) -> Scene {
    let text = text(LARGE, number);
    let job = net.submit(&text, number, 2);
    let mut scene = scene(Phase::Execute, job, text);
    let mut waiting = providers.to_vec();
    until("they run it, or have run it", || {
        waiting.retain(|provider| {
            let does = net.runs(provider);
            if does {
                scene.workers.extend(net.node(provider).halt_workers());
            }
            !does && !net.turn(job, provider).starts_with("has")
        });
        waiting.is_empty()
    });
    scene.is_held = providers.iter().all(|provider| is_held(net, provider));
    scene
}

/// Whether a provider is at running something, and cannot end it.
fn is_held(net: &mut Net, provider: &str) -> bool {
    (0..LOOKS).all(|_| {
        let workers = net.node(provider).workers();
        net.runs(provider) && workers.into_iter().any(is_halted)
    })
}

/// One provider has promised a result, and the other has not.
fn commit(net: &mut Net, number: u8) -> Scene {
    let text = text(SMALL, number);
    net.halt(TWO);
    let job = net.submit(&text, number, 2);
    net.wait_past(job, ONE, &["asked", "runs it"]);
    let has_promised = net.turn(job, ONE).starts_with("has a result");
    let mut scene = scene(Phase::Commit, job, text);
    scene.is_held = has_promised && net.turn(job, TWO).starts_with("asked");
    scene.halted.push(TWO);
    scene
}

/// Both have promised, and one does not show what.
fn reveal(net: &mut Net, number: u8) -> Scene {
    let Scene { job, text, .. } = commit(net, number);
    net.halt(ONE);
    net.go_on(TWO);
    net.wait_past(job, ONE, &["has a result"]);
    let mut scene = scene(Phase::Reveal, job, text);
    scene.is_held = net.turn(job, ONE).starts_with("was asked to show");
    scene.halted.push(ONE);
    scene
}

/// The job is over, and the ledger does not answer since before it was: vouchers are not claimed, the
/// escrow is not closed.
fn settle(net: &mut Net, number: u8, providers: &[&str]) -> Scene {
    let mut scene = execute(net, number, providers);
    // Nobody takes a unit whose escrow the ledger does not show.
    for provider in [ONE, TWO] {
        net.wait_past(scene.job, provider, &["asked"]);
    }
    net.halt(LEDGER);
    scene.release_workers();
    net.ends(scene.job, &scene.text);
    scene.halted.push(LEDGER);
    scene.phase = Phase::Settle;
    scene
}
