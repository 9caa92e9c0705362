//! What a chain waits for, from one who asks for other things, too, and where blocks are full.

use opensky_ledger::alice;
use opensky_protocol::{
    Digest,
    ledger::{Call, OnChain, Rejection, Status},
};

use crate::{
    chain::Chain,
    faults::begin,
    member::Member,
    process::until,
    sudo::{compact, next_nonce, send_with_tip},
};

/// `System::remark`: the number of its pallet and its own.
const REMARK: [u8; 2] = [0, 0];
/// What anybody sends may take so much of a block, in bytes; no transaction alone.
const NORMAL: usize = (5 << 20) / 4 * 3;
/// Of that, what the crowd leaves: enough for about fifteen bonds.
const ROOM: usize = 360_000;
/// More than others who wait have to offer.
const TIP: u128 = 1_000_000;
/// More of them than come into a block with so much room.
const BONDS: u128 = 40;
/// Those of one account that may be before a duty.
const FEW: usize = 8;

fn commit() -> Call {
    let (round, commitment) = (1, Digest([1; 32]));
    Call::OnChain(Box::new(OnChain::Commit { round, commitment }))
}

fn reveal() -> Call {
    let (round, secret) = (1, Digest([1; 32]));
    Call::OnChain(Box::new(OnChain::Reveal { round, secret }))
}

fn hand_in(member: &Member, calls: impl IntoIterator<Item = Call>) -> Vec<Digest> {
    let taken = member.submit(member.intents(calls)).into_iter();
    taken.map(Result::unwrap).collect()
}

/// Others fill the next block but for that room.
fn crowd(chain: &Chain) {
    let alice = alice();
    let first = next_nonce(chain, &alice.node().0);
    for nonce in [first, first + 1] {
        let text = vec![0; (NORMAL - ROOM) / 2];
        let call = [&REMARK[..], &compact(text.len() as u128), &text].concat();
        send_with_tip(chain, &alice, &call, nonce, TIP);
    }
}

#[test]
fn duty_comes_into_a_block_that_has_no_room_for_all_that_was_asked_before() {
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = begin(&chain, 1, folder.path());
    let bonds = hand_in(&ada, (1..=BONDS).map(|amount| Call::Bond { amount }));
    chain.wait_for(FEW);
    let [duty] = hand_in(&ada, [commit()])[..] else {
        panic!("it was one");
    };
    chain.wait_for(FEW + 1);
    crowd(&chain);
    let block = chain.seal();
    let height = chain.height();
    ada.waits(|ada| ada.has_seen(height));
    let done = bonds.iter().filter(|bond| ada.is_decided(**bond)).count();
    assert!(done < bonds.len() && chain.transactions(&block) >= 2 + FEW);
    assert!(ada.is_decided(duty), "{done} bonds were done before it");
    until("all are done", || {
        chain.seal();
        let height = chain.height();
        ada.waits(|ada| ada.has_seen(height));
        ada.status().waiting == 0
    });
    let told = ada.history().into_iter().map(|event| event.intent);
    let told: Vec<Digest> = told.filter(|intent| bonds.contains(intent)).collect();
    assert_eq!(told, bonds, "in their order");
    assert_eq!(ada.state().operator.bond, (1..=BONDS).sum());
    ada.adds_up();
}

#[test]
fn duty_that_cannot_be_paid_for_keeps_no_other_from_being_done() {
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::join(&chain, 1, folder.path());
    // A commitment takes as much as several of the others.
    let amount = 50_000_000;
    let gift = ada.hand_in(Call::Faucet { amount });
    chain.wait_for(1);
    chain.seal();
    ada.decided(gift);
    assert_eq!(ada.call(commit()), Err(Rejection::Fee));
    let all = hand_in(&ada, [Call::Bond { amount: 1 }, commit(), reveal()]);
    chain.wait_for(2);
    chain.seal();
    let [bond, dear, cheap] = [0, 1, 2].map(|one| ada.decided(all[one]).status);
    assert!(matches!(bond, Status::Final { .. }), "{bond:?}");
    // There is no round.
    assert!(
        matches!(cheap, Status::Rejected { fee: 1.., .. }),
        "{cheap:?}"
    );
    let reason = Rejection::Fee;
    assert_eq!(dear, Status::Rejected { fee: 0, reason });
    ada.adds_up();
}
