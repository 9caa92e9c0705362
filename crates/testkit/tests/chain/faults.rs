//! What happens to chains, and to those who settle on them, in the middle of all that.

use opensky_protocol::{
    Digest,
    ledger::{Call, Fact, Rejection, Status},
};

use crate::{
    calls::FAST,
    chain::Chain,
    member::{GIFT, Member},
    process::until,
};

/// Calls of which each can be told from the others, and which add up differently if one is done twice.
fn bonds(from: u128, count: u128) -> impl Iterator<Item = Call> {
    (from..from + count).map(|amount| Call::Bond { amount })
}

/// That these were done, each once, and nothing else was.
fn bonded_once(member: &Member, sum: u128) {
    assert_eq!(member.state().operator.bond, sum);
    let all = member
        .history()
        .into_iter()
        .map(|event| match event.status {
            Status::Final { facts, .. } => facts,
            other => panic!("{other:?}"),
        });
    let told = all.flatten().map(|fact| match fact {
        Fact::Bonded { amount, .. } => amount,
        _ => 0,
    });
    assert_eq!(told.sum::<u128>(), sum);
    member.adds_up();
}

fn names(member: &Member, calls: impl Iterator<Item = Call>) -> Vec<Digest> {
    let taken = member.submit(member.intents(calls));
    taken.into_iter().map(Result::unwrap).collect()
}

fn decided(member: &Member, names: &[Digest]) {
    names.iter().for_each(|name| drop(member.decided(*name)));
}

#[test]
fn what_was_sent_to_a_chain_that_dies_is_sent_again() {
    let mut chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = begin(&chain, 1, folder.path());
    let done = names(&ada, bonds(1, 3));
    chain.wait_for(3);
    chain.kill();
    chain.begin();
    assert_eq!(chain.waiting(), 0, "it forgets what was in no block");
    chain.wait_for(3);
    chain.seal();
    decided(&ada, &done);
    bonded_once(&ada, 6);
}

#[test]
fn what_a_dead_chain_had_finalized_and_lost_is_done_once() {
    let mut chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    let before = names(&ada, bonds(1, 5));
    decided(&ada, &before);
    chain.kill();
    chain.keep();
    chain.begin();
    let lost = names(&ada, bonds(6, 35));
    decided(&ada, &lost);
    assert_eq!(ada.state().operator.bond, 820);
    let height = chain.height();
    chain.kill();
    let away = names(&ada, bonds(41, 5));
    chain.lose();
    chain.begin();
    assert!(chain.height() < height, "it lost finalized blocks");
    for all in [before, lost, away] {
        decided(&ada, &all);
    }
    ada.waits(|ada| ada.status().waiting == 0 && ada.state_bond() == Some(1_035));
    bonded_once(&ada, 1_035);
}

#[test]
fn who_was_killed_with_the_chain_finds_out_what_was_lost() {
    let mut chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    chain.kill();
    chain.keep();
    chain.begin();
    decided(&ada, &names(&ada, bonds(1, 9)));
    chain.kill();
    chain.lose();
    let ada = ada.reborn(&chain);
    chain.begin();
    ada.waits(|ada| ada.status().waiting == 0 && ada.state_bond() == Some(45));
    bonded_once(&ada, 45);
}

#[test]
fn chain_that_begins_anew_is_given_everything_again() {
    let mut chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    assert_eq!(ada.call(Call::Unbond { amount: 1 }), Err(Rejection::Bond));
    decided(&ada, &names(&ada, bonds(1, 40)));
    chain.kill();
    chain.forget();
    chain.begin();
    ada.waits(|ada| ada.state_bond() == Some(820) && ada.status().waiting == 0);
    assert_eq!(ada.history().len(), 42);
    ada.adds_up();
}

#[test]
fn what_was_rejected_here_stays_so_whatever_the_chain_loses() {
    let mut chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::join(&chain, 1, folder.path());
    let refused = ada.hand_in(Call::Bond { amount: 5 });
    let event = ada.decided(refused);
    let fee = Status::Rejected {
        fee: 0,
        reason: Rejection::Fee,
    };
    assert_eq!(event.status, fee);
    let gift = ada.hand_in(Call::Faucet { amount: GIFT });
    chain.wait_for(1);
    chain.seal();
    ada.decided(gift);
    let late = ada.hand_in(Call::Unbond { amount: 5 });
    chain.wait_for(1);
    chain.seal();
    ada.decided(late);
    chain.kill();
    chain.forget();
    chain.begin();
    chain.wait_for(1);
    chain.seal();
    ada.decided(gift);
    chain.wait_for(1);
    chain.seal();
    ada.decided(late);
    assert_eq!(ada.last(refused).status, fee);
    assert_eq!(ada.state().purse.held, 0);
    ada.adds_up();
}

#[test]
fn branch_that_is_left_decides_nothing() {
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = begin(&chain, 1, folder.path());
    let root = chain.finalized();
    let done = names(&ada, bonds(1, 2));
    chain.wait_for(2);
    let left = chain.seal_upon(&root, false);
    assert_eq!(chain.transactions(&left), 2);
    assert!(!ada.is_decided(done[0]), "it is not final");
    // The pool has nothing that could be in this one: its transactions are in the block that is left.
    let mut tip = root;
    for _ in 0..3 {
        tip = chain.seal_upon(&tip, false);
    }
    chain.finalize(&tip);
    until("both are done", || {
        chain.seal();
        done.iter().all(|name| ada.is_decided(*name))
    });
    bonded_once(&ada, 3);
}

#[test]
fn chain_that_is_away_is_waited_for() {
    let mut chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    chain.kill();
    let done = names(&ada, bonds(1, 50));
    until("it is known to be away", || ada.status().finalized.is_err());
    assert_eq!(ada.status().waiting, 50);
    let ada = ada.reborn(&chain);
    assert_eq!(ada.status().waiting, 50);
    chain.begin();
    decided(&ada, &done);
    bonded_once(&ada, 1_275);
}

#[test]
fn chain_that_hangs_keeps_nobody_for_ever() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    chain.halt();
    let done = names(&ada, bonds(1, 3));
    ada.try_state().unwrap_err();
    chain.go_on();
    decided(&ada, &done);
    bonded_once(&ada, 6);
}

#[test]
fn other_chain_in_the_place_of_ones_own_is_not_believed() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Member::rich(&chain, 1, folder.path());
    let terms = opensky_protocol::ledger::Terms {
        claims: 6_000,
        ..crate::chain::terms()
    };
    let other = Chain::with_terms(FAST, terms);
    ada = ada.reborn(&other);
    until("it is known for another", || {
        let status = ada.status().finalized;
        matches!(status, Err(opensky_ledger::ChainAway::Other { own, .. }) if own == ada.ledger)
    });
    let waits = ada.hand_in(Call::Bond { amount: 7 });
    ada.try_state().unwrap_err();
    assert_eq!(other.waiting(), 0);
    ada = ada.reborn(&chain);
    ada.decided(waits);
    bonded_once(&ada, 7);
}

#[test]
fn one_who_dies_at_any_moment_does_everything_once() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Member::rich(&chain, 1, folder.path());
    let mut all = Vec::new();
    for round in 0..20 {
        all.extend(names(&ada, bonds(1 + 3 * round, 3)));
        // Each a little later than the one before: queued, signed, sent, in a block, read.
        std::thread::sleep(std::time::Duration::from_millis(10 * round as u64));
        ada = ada.reborn(&chain);
    }
    decided(&ada, &all);
    bonded_once(&ada, (1..=60).sum());
}

#[test]
fn who_is_dropped_leaves_nothing_behind() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let before = chain.connections();
    for _ in 0..20 {
        let ada = Member::join(&chain, 1, folder.path());
        ada.hand_in(Call::Faucet { amount: 1 });
        ada.dropped_inside();
    }
    until("all connections are closed", || {
        chain.connections() <= before
    });
}

/// One with some money on a chain that makes blocks when it is asked to.
pub fn begin(chain: &Chain, number: u8, folder: &std::path::Path) -> Member {
    let member = Member::join(chain, number, folder);
    let gift = member.hand_in(Call::Faucet { amount: GIFT });
    chain.wait_for(1);
    chain.seal();
    member.decided(gift);
    member
}
