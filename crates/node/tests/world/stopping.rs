//! Units that are not wanted any more end at once, however long they would run.

use std::time::Instant;

use libtest_mimic::Trial;
use opensky_core::{Ending, JobState, Plan};
use opensky_node::{Node, config::Coins};
use opensky_protocol::{Digest, Work, World as Calls, names};

use crate::{
    jobs::{done, letters, offers, trial, wish},
    launcher,
    nodes::{World, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("an endless unit of a cancelled job ends at once", cancelled),
        trial(
            "an endless unit does not keep its node from ending",
            node_stopped,
        ),
    ]
}

/// `(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))`
const ENDLESS: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
    \x07\x13\x02\x06memory\x02\0\x06_start\0\0\x0a\x09\x01\x07\0\x03\x40\x0c\0\x0b\x0b";

/// A unit that would run for a day.
fn endless(node: &Node) -> Work {
    let component = opensky_executor::adapt(ENDLESS).unwrap();
    let mut work = Work {
        program: node.put(&component).unwrap(),
        world: Calls::Command,
        ..letters(node)
    };
    work.inputs.remove(names::INPUT);
    work.limits.fuel = u64::MAX / 4;
    work
}

/// A provider that lets anybody owe what such a unit may cost.
async fn trusting(world: &World) -> Node {
    let mut config = world.config("provider");
    config.price.max_unpaid = Some(Coins(u128::MAX));
    world.start(config).await
}

async fn runs(provider: &Node) {
    let begun = async || provider.status().await.running == 1;
    until("the endless unit runs", begun).await;
}

async fn idle(provider: &Node, since: Instant) {
    let is_idle = async || provider.status().await.running == 0;
    until("the core is free again", is_idle).await;
    println!("the core was free after {:?}", since.elapsed());
}

async fn begun(requester: &Node, provider: &Node) -> Digest {
    offers(requester, 1).await;
    let mut wish = wish(Plan::Single(Box::new(endless(requester))), 1);
    // What it may cost at worst is more than anybody has.
    wish.price.per_gfuel = 1_000_000;
    let job = requester.submit(wish).await.unwrap();
    runs(provider).await;
    job
}

async fn cancelled() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let provider = trusting(&world).await;
    let requester = world.requester("requester").await;
    let job = begun(&requester, &provider).await;

    let start = Instant::now();
    requester.cancel(job).await;
    idle(&provider, start).await;
    let over = JobState::Over(Ending::Cancelled);
    let ended = async || requester.job(job).await.unwrap().state == over;
    until("the job is over", ended).await;
    assert_eq!(provider.status().await.aborted, 0);

    // The core takes the next one.
    let plan = Plan::Single(Box::new(letters(&requester)));
    let job = requester.submit(wish(plan, 1)).await.unwrap();
    done(&requester, job).await;
}

async fn node_stopped() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let provider = trusting(&world).await;
    let requester = world.requester("requester").await;
    begun(&requester, &provider).await;
    provider.stop().await;
    assert_eq!(provider.status().await.running, 0);
}
