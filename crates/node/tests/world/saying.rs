//! What units say beside their results reaches whoever ordered them.

use libtest_mimic::Trial;
use opensky_core::{Ending, JobState, Plan};
use opensky_node::{Log, Node};
use opensky_protocol::{Aside, Class, Digest, GuestError, Work, World as Calls, codec, names};

use crate::{
    jobs::{done, letters, offers, trial, wish},
    launcher,
    nodes::{World, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("logs come from each provider, and survive a restart", logs),
        trial("a program's own error comes with its result", error),
    ]
}

/// Writes some words, and eight bytes that are no text, to standard error.
const WORDS: &[u8] = include_bytes!("../../../testkit/corpus/rust-wasip1/words.adapted.wasm");

fn words(node: &Node, input: &[u8]) -> Work {
    let mut work = Work {
        program: node.put(WORDS).unwrap(),
        world: Calls::Command,
        ..letters(node)
    };
    let input = node.put(input).unwrap();
    work.inputs.insert(names::INPUT.into(), input);
    work
}

async fn told(requester: &Node, job: Digest) -> Vec<Log> {
    let mut logs = requester.logs(job).await.unwrap();
    logs.sort_by_key(|log| log.turn);
    logs
}

async fn logs() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let (one, two) = (world.provider("one").await, world.provider("two").await);
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;
    let short = Plan::Single(Box::new(words(&requester, b"alpha beta")));
    let job = requester.submit(wish(short, 2)).await.unwrap();
    done(&requester, job).await;
    let logs = told(&requester, job).await;
    let mut who: Vec<_> = logs.iter().map(|log| log.provider).collect();
    who.sort_unstable();
    let mut both = [one.key(), two.key()];
    both.sort_unstable();
    assert_eq!(who, both);
    for log in &logs {
        assert!(log.text.starts_with(b"[\""), "{log:?}");
        assert_eq!(log.logged, log.text.len() as u64);
    }

    // One word of many bytes: it is logged whole, and told in part.
    let long = "a".repeat(100_000);
    let mut work = words(&requester, long.as_bytes());
    work.limits.log = 1 << 20;
    let plan = Plan::Single(Box::new(work));
    let cut = requester.submit(wish(plan, 1)).await.unwrap();
    done(&requester, cut).await;
    let said = told(&requester, cut).await.swap_remove(0);
    assert_eq!(said.text.len(), Aside::MAX_LOG);
    assert!(said.logged > 100_000);

    requester.stop().await;
    drop(requester);
    let requester = world.requester("requester").await;
    assert_eq!(told(&requester, job).await, logs);
}

async fn error() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let _one = world.provider("one").await;
    let requester = world.requester("requester").await;
    offers(&requester, 1).await;
    let mut work = letters(&requester);
    let zero = requester.put(b"\0").unwrap();
    work.inputs.insert(names::INPUT.into(), zero);
    let plan = Plan::Single(Box::new(work));
    let job = requester.submit(wish(plan, 1)).await.unwrap();
    let failed = JobState::Over(Ending::Failed {
        index: 0,
        class: Class::Err,
    });
    let ended = async || requester.job(job).await.unwrap().state == failed;
    until("the job has failed", ended).await;
    let outputs = requester.outputs(job).await.unwrap();
    let bytes = requester.bytes(&outputs.others[names::ERROR].digest);
    let error: GuestError = codec::decode(&bytes.unwrap()).unwrap();
    let text = "text does not begin with a zero";
    assert_eq!(error, GuestError::InvalidInput(text.into()));
}
