//! What is in a data folder belongs to one ledger for ever: another one is neither used nor believed.

use std::fs;

use libtest_mimic::Trial;
use opensky_core::{JobState, Plan};
use opensky_node::{
    Config, LedgerAway, Node, StartError,
    config::{LedgerConfig, LedgerHere},
    sandboxed,
};

use crate::{
    jobs::{done, letters, offers, trial, wish},
    launcher,
    nodes::{World, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a data folder is of one ledger for ever", refused),
        trial("a ledger that was lost is not begun anew", lost),
        trial(
            "a ledger in another's place is not believed",
            another_answers,
        ),
    ]
}

async fn start(config: Config) -> Result<Node, StartError> {
    let execute = sandboxed(&config, launcher());
    Node::start(config, execute).await
}

async fn refused() {
    let mut world = World::new(launcher());
    let first = world.ledger().await;
    let own = first.status().await.ledger;
    let provider = world.provider("provider").await;
    let joined = provider.config().clone();
    provider.stop().await;
    drop(provider);

    let mut elsewhere = World::new(launcher());
    let second = elsewhere.ledger().await;
    let mut config = elsewhere.config("unused");
    config.data.clone_from(&joined.data);
    let found = second.status().await.ledger;
    let Err(StartError::OtherLedger {
        own: kept,
        found: it,
    }) = start(config.clone()).await
    else {
        panic!("it uses another ledger");
    };
    assert_eq!((kept, it), (own, found));

    config.ledger = LedgerConfig::Here(LedgerHere::default());
    let begun = start(config).await.err().expect("it begins a ledger");
    assert!(matches!(begun, StartError::OtherLedger { own: kept, .. } if kept == own));
    assert!(!joined.data.join("ledger.redb").exists());
    start(joined).await.expect("its own ledger answers");
}

async fn lost() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let config = ledger.config().clone();
    ledger.stop().await;
    drop(ledger);
    let file = config.data.join("ledger.redb");
    let elsewhere = file.with_extension("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    let begun = start(config.clone())
        .await
        .err()
        .expect("it begins another");
    assert!(matches!(begun, StartError::LedgerLost(lost) if lost == file));
    assert!(!file.exists());
    fs::rename(elsewhere, file).unwrap();
    start(config).await.expect("it is there again");
}

/// Somebody who has the key of the ledger's node, and another ledger.
async fn impostor(world: &World, ledger: &Config) -> Node {
    let mut config = ledger.clone();
    config.data = world.path().join("impostor");
    config.ledger = LedgerConfig::Here(LedgerHere {
        name: "another".into(),
        ..LedgerHere::default()
    });
    fs::create_dir(&config.data).unwrap();
    fs::copy(ledger.data.join("node.key"), config.data.join("node.key")).unwrap();
    world.start(config).await
}

async fn another_answers() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let _one = world.provider("one").await;
    let requester = world.requester("requester").await;
    offers(&requester, 1).await;
    let own = requester.status().await.ledger;
    let config = ledger.config().clone();
    ledger.stop().await;
    drop(ledger);

    let another = impostor(&world, &config).await;
    let found = another.status().await.ledger;
    let expected = Some(LedgerAway::Other { own, found });
    let is_told = async || requester.status().await.ledger_away == expected;
    until("it is told that another ledger answers", is_told).await;
    let plan = Plan::Single(Box::new(letters(&requester)));
    let job = requester.submit(wish(plan, 1)).await.unwrap();
    until("it is told again", is_told).await;
    // What the other one refuses is not what this node's ledger says.
    assert_eq!(requester.job(job).await.unwrap().state, JobState::Funding);
    another.stop().await;
    drop(another);

    let _ledger = world.start(config).await;
    done(&requester, job).await;
    assert_eq!(requester.status().await.ledger_away, None);
}
