//! What a node does now and then: says what it gives and has, and removes what nobody needs.

use std::{collections::BTreeSet, time::Duration};

use opensky_core::{Event, Participant};
use opensky_network::Network;
use opensky_protocol::Digest;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    asides::Asides,
    config::Config,
    drive::Wishes,
    keepsake::{For, Keepsakes},
    machine,
    pace::Pace,
};

/// How often blobs of jobs that are forgotten are let go.
const SWEEP: Duration = Duration::from_secs(60);
/// How often it is seen whether there is room on the disk; and after so many looks what was not used
/// for long goes in any case.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS: u32 = 720;
/// How often the offer is compared with what was measured.
const MEASURE: Duration = Duration::from_secs(5);

/// Says what this node gives, and says it again when it turns out to be faster or slower.
pub(crate) async fn keep_offering(config: Config, pace: Pace, wishes: Wishes) {
    let mut told = 0u64;
    loop {
        let speed = pace.speed();
        if speed.abs_diff(told) > told / 4 {
            told = speed;
            let terms = machine::terms(&config, speed);
            if !wishes.event(Event::Capacity(Box::new(terms))).await {
                return;
            }
        }
        sleep(MEASURE).await;
    }
}

/// Tells the table of peers which programs are pinned here, and no longer of those that are not: among
/// thousands of nodes nobody finds them by asking one after the other.
pub(crate) async fn keep_telling(network: Network, keepsakes: Keepsakes) {
    let mut told = BTreeSet::new();
    loop {
        let pinned = keepsakes.programs();
        for gone in told.difference(&pinned) {
            network.unprovide(*gone).await;
        }
        told.retain(|program| pinned.contains(program));
        for program in pinned {
            // Who has heard it is not known; it is told again in any case, much later.
            if !told.contains(&program) && network.provide(program).await.is_ok() {
                told.insert(program);
            }
        }
        sleep(MEASURE).await;
    }
}

/// Lets go of the blobs and logs of own jobs that are forgotten. Twice not known is forgotten: blobs are kept
/// just before their job is known.
pub(crate) async fn sweep(keepsakes: Keepsakes, asides: Asides, wishes: Wishes) {
    let mut unknown = BTreeSet::new();
    loop {
        sleep(SWEEP).await;
        let Some(known) = wishes.look(job_ids).await else {
            return;
        };
        let kept = keepsakes.jobs();
        let lost: BTreeSet<Digest> = kept
            .into_iter()
            .filter(|job| !known.contains(job))
            .collect();
        for job in lost.intersection(&unknown).copied() {
            asides.forget(&job);
            let keepsakes = keepsakes.clone();
            // Removing files blocks.
            let dropped = spawn_blocking(move || keepsakes.drop_for(&For::Job(job))).await;
            tracing::debug!(%job, ?dropped, "the blobs of a forgotten job may go");
        }
        unknown = lost;
    }
}

/// Removes what nothing keeps, as soon as there is little room, and now and then.
pub(crate) async fn make_room(keepsakes: Keepsakes) {
    let mut looks = 0u32;
    loop {
        sleep(LOOK).await;
        looks = (looks + 1) % LOOKS;
        if looks != 0 && !keepsakes.is_full() {
            continue;
        }
        let keepsakes = keepsakes.clone();
        // Looking at files blocks.
        let made = spawn_blocking(move || keepsakes.make_room()).await;
        match made {
            Ok(Ok(made)) if made.bytes > 0 => tracing::info!(?made, "room was made"),
            // All that is there is kept: it is no use to look again soon.
            Ok(Ok(_)) => sleep(SWEEP).await,
            Ok(Err(error)) => tracing::warn!(%error, "no room was made"),
            // It has said so.
            Err(_) => {}
        }
    }
}

fn job_ids(core: &Participant) -> BTreeSet<Digest> {
    core.jobs().map(|job| job.id).collect()
}
