//! Processes that are killed while a job is in each of its phases, and started again: the job ends right,
//! everybody is paid once, and nothing stays held.

use std::{thread, time::Duration};

use crate::{
    books::{LEDGER, REQUESTER},
    net::{Net, text},
    phase::{ONE, PHASES, Phase, Scene, TWO},
};

const THREE: &str = "three";
/// Jobs that are tried for each phase, at most, until one is in it when the processes die.
const TRIES: u8 = 8;

/// How long it takes until a worker has a unit's input, on an idle machine.
const GIVING: Duration = Duration::from_millis(250);

/// Kills them in every phase of a job of its own.
fn survives(victims: &[&str]) {
    let mut net = Net::start(&[ONE, TWO]);
    for (number, phase) in (0..).zip(PHASES) {
        let mut tries = 1..=TRIES;
        let hit = tries.find(|again| strikes(&mut net, phase, number * TRIES + again, victims));
        let hit = hit.unwrap_or_else(|| panic!("of {TRIES} jobs none was hit in {phase:?}"));
        println!("{phase:?}: hit at try {hit}");
    }
    net.adds_up();
}

/// Kills them in a phase of a job, which ends right. Returns whether it was in that phase.
fn strikes(net: &mut Net, phase: Phase, number: u8, victims: &[&str]) -> bool {
    let is_victim = |provider: &&str| victims.contains(provider);
    let mut providers: Vec<_> = [ONE, TWO].into_iter().filter(is_victim).collect();
    if providers.is_empty() {
        providers = vec![ONE, TWO];
    }
    let mut scene = Scene::set(net, phase, number, &providers);
    victims.iter().for_each(|victim| net.kill(victim));
    let was_hit = scene.was_hit(net, &providers);
    scene.release_workers();
    // A ledger that does not answer would keep nodes from starting.
    for name in scene.halted {
        if net.is_running(name) {
            net.go_on(name);
        }
    }
    victims.iter().for_each(|victim| net.begin(victim));
    net.ends(scene.job, &scene.text);
    was_hit
}

#[test]
fn killed_provider_goes_on_where_it_was() {
    survives(&[ONE]);
}

#[test]
fn killed_providers_go_on_where_they_were() {
    survives(&[ONE, TWO]);
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

#[test]
fn unit_whose_worker_is_killed_is_run_by_somebody_else() {
    let mut net = Net::start(&[ONE, TWO]);
    // What runs from now on is compiled.
    let warm = text(1 << 10, 0);
    let job = net.submit(&warm, 0, 2);
    net.ends(job, &warm);
    let hit = (1..=TRIES).find(|number| {
        let mut scene = Scene::set(&mut net, Phase::Execute, *number, &[ONE]);
        // Nobody can see from outside when a worker is given the unit: the later, the likelier it was.
        thread::sleep(GIVING * u32::from(*number));
        scene.kill_workers();
        net.wait_past(scene.job, ONE, &["runs it"]);
        let was_hit = net.turn(scene.job, ONE) == "failed: the worker process died";
        if was_hit {
            net.begin(THREE);
        }
        net.ends(scene.job, &scene.text);
        was_hit
    });
    let hit = hit.unwrap_or_else(|| panic!("of {TRIES} jobs none was hit"));
    println!("hit at try {hit}");
    // The node is as good as before.
    let small = text(1 << 10, TRIES + 1);
    let job = net.submit(&small, TRIES + 1, 3);
    net.ends(job, &small);
    net.adds_up();
}
