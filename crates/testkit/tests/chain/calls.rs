//! What is asked of the chain, and what becomes of it.

use opensky_protocol::ledger::{
    Call, Consent, Fact, LedgerReply, LedgerRequest, Refused, Rejection, Status,
};

use crate::{
    chain::Chain,
    member::{GIFT, Member},
    world::{Job, Party},
};

/// A block each so many milliseconds.
pub const FAST: &str = "100";

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as u64
}

#[test]
fn money_moves_and_is_told_to_the_coin() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let [ada, bob] = [1, 2].map(|number| Member::rich(&chain, number, folder.path()));
    assert_eq!(
        ada.state().purse.free,
        GIFT,
        "who is given something pays no fee"
    );
    let to = bob.account();
    let amount = 5_000_000;
    let facts = ada.call(Call::Transfer { to, amount }).unwrap();
    let from = ada.account();
    assert_eq!(facts, [Fact::Transferred { from, to, amount }]);
    for (call, reason) in [
        (Call::Transfer { to, amount: 0 }, Rejection::Zero),
        (Call::Transfer { to, amount: GIFT }, Rejection::Balance),
        (Call::Unbond { amount: 1 }, Rejection::Bond),
        (Call::Faucet { amount: u128::MAX }, Rejection::Faucet),
    ] {
        assert_eq!(ada.call(call), Err(reason));
    }
    ada.call(Call::Bond { amount: 700 }).unwrap();
    ada.call(Call::Unbond { amount: 200 }).unwrap();
    assert_eq!(ada.call(Call::Withdraw), Err(Rejection::TooEarly));
    let state = ada.state();
    assert_eq!((state.purse.held, state.operator.bond), (700, 500));
    bob.waits(|bob| bob.state().purse.free == GIFT + amount);
    ada.adds_up();
    bob.adds_up();
}

#[test]
fn escrow_pays_vouchers_and_evidence_and_comes_back_by_itself() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let [ada, bob] = [1, 2].map(|number| Member::rich(&chain, number, folder.path()));
    let job = Job::new(ada.ledger, 7, &ada.party);
    let hot = Party::new(60);
    let consent = Consent {
        ledger: ada.ledger,
        operator: bob.account(),
        node: hot.node(),
    };
    let consent = hot.sign(consent);
    bob.call(Call::Certify { consent }).unwrap();
    bob.call(Call::Bond { amount: 1_000 }).unwrap();
    ada.call(job.open(1_000, now() + 3_600_000)).unwrap();
    assert_eq!(
        ada.call(job.open(1, now() + 3_600_000)),
        Err(Rejection::EscrowTaken)
    );
    let facts = bob.call(job.claim(&bob.party, 3)).unwrap();
    assert!(
        matches!(facts[..], [Fact::Paid { amount: 30, .. }]),
        "{facts:?}"
    );
    ada.call(Call::Close { escrow: job.escrow }).unwrap();
    let evidence = vec![job.evidence(&bob.party, 3, 0, 1)];
    let facts = bob.call(job.show(&bob.party, 3, evidence)).unwrap();
    assert!(
        matches!(
            facts[..],
            [Fact::Paid { amount: 0, .. }, Fact::Filed { amount: 10, .. }]
        ),
        "{facts:?}"
    );
    // Nobody objects, and nobody asks for it.
    ada.waits(|ada| ada.state().purse.held == 0);
    let is_paid = |told: &Member| {
        told.history().iter().any(|event| {
            matches!(&event.status, Status::Final { facts, .. }
            if facts.iter().any(|fact| matches!(fact, Fact::Paid { amount: 10, .. })))
        })
    };
    bob.waits(|bob| is_paid(bob));
    assert!(is_paid(&ada));
    let refunded = ada.history().into_iter().last().unwrap();
    assert_eq!(refunded.intent, job.escrow, "{refunded:?}");
    ada.adds_up();
    bob.adds_up();
}

#[test]
fn who_cannot_pay_is_told_so_at_once() {
    // No block is made: nothing was sent.
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::join(&chain, 1, folder.path());
    assert_eq!(ada.call(Call::Bond { amount: 1 }), Err(Rejection::Fee));
    assert_eq!((chain.waiting(), chain.height()), (0, 0));
    ada.adds_up();
}

#[test]
fn who_can_pay_for_one_thing_of_two_is_told_so_in_the_end() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    let Status::Final { fee, .. } = ada.decided(ada.hand_in(Call::Bond { amount: 1 })).status
    else {
        panic!("it can pay");
    };
    let bob = Member::join(&chain, 2, folder.path());
    let amount = fee + fee / 2;
    bob.call(Call::Faucet { amount }).unwrap();
    let both = bob.submit(bob.intents([1, 2].map(|amount| Call::Bond { amount })));
    let [one, two] = both[..] else {
        panic!("{both:?}");
    };
    let one = bob.decided(one.unwrap()).status;
    assert!(matches!(one, Status::Final { .. }), "{one:?}");
    // Its transaction was sent, and can be included until its time is over.
    let reason = Rejection::Fee;
    let two = bob.decided(two.unwrap()).status;
    assert_eq!(two, Status::Rejected { fee: 0, reason });
    assert_eq!(bob.state().operator.bond, 1);
    bob.adds_up();
}

#[test]
fn burst_is_done_once_and_in_its_order() {
    let chain = Chain::start("instant");
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    let intents = ada.intents((1..=100).map(|amount| Call::Bond { amount }));
    // What was not answered to is handed in again; here all of it, and parts of it twice at once.
    let twice: Vec<_> = intents[..3].iter().chain(&intents).cloned().collect();
    let names: Vec<_> = intents.iter().map(|intent| Ok(intent.value.id())).collect();
    assert!(ada.submit(twice)[3..] == names);
    assert!(ada.submit(intents.clone()) == names);
    names
        .iter()
        .for_each(|name| drop(ada.decided(name.unwrap())));
    assert!(ada.submit(intents) == names);
    let bonded = ada
        .history()
        .into_iter()
        .skip(1)
        .map(|event| match event.status {
            Status::Final { facts, .. } => match facts[..] {
                [Fact::Bonded { amount, .. }] => amount,
                _ => panic!("{facts:?}"),
            },
            other => panic!("{other:?}"),
        });
    assert!(bonded.eq(1..=100));
    assert_eq!(ada.state().operator.bond, 5_050);
    ada.adds_up();
}

#[test]
fn intent_of_another_or_out_of_its_turn_is_not_taken_on() {
    let chain = Chain::start("manual");
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::join(&chain, 1, folder.path());
    let bob = Member::join(&chain, 2, folder.path());
    let late = ada.intents([Call::Withdraw, Call::Withdraw]).pop().unwrap();
    assert_eq!(ada.submit(vec![late]), [Err(Refused::Nonce { next: 0 })]);
    let others = bob.intents([Call::Withdraw]);
    assert_eq!(ada.submit(others), [Err(Refused::Unauthorised)]);
    assert_eq!(ada.status().waiting, 0);
}

#[test]
fn faucet_gives_to_everybody_who_asks_at_the_same_time() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let members = [1, 2, 3].map(|number| Member::join(&chain, number, folder.path()));
    let gifts = members
        .each_ref()
        .map(|member| member.hand_in(Call::Faucet { amount: GIFT }));
    for (member, gift) in members.iter().zip(gifts) {
        let event = member.decided(gift);
        assert!(matches!(event.status, Status::Final { .. }), "{event:?}");
        assert_eq!(member.state().purse.free, GIFT);
        member.adds_up();
    }
}

#[test]
fn what_others_do_with_ones_money_is_told_with_its_transaction() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let [ada, bob] = [1, 2].map(|number| Member::rich(&chain, number, folder.path()));
    let to = bob.account();
    ada.call(Call::Transfer {
        to,
        amount: 1 << 40,
    })
    .unwrap();
    bob.waits(|bob| bob.history().len() == 2);
    let event = bob.history().pop().unwrap();
    assert_eq!(event.account, ada.account());
    assert_ne!(event.intent.0, [0; 32]);
    bob.adds_up();
}

#[test]
fn questions_about_escrows_are_answered_from_the_last_block() {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    let job = Job::new(ada.ledger, 3, &ada.party);
    let escrow = |id| ada.ask(LedgerRequest::Escrow(id)).unwrap();
    assert_eq!(escrow(job.escrow), LedgerReply::Escrow(None));
    ada.call(job.open(1_000, now() + 3_600_000)).unwrap();
    match escrow(job.escrow) {
        LedgerReply::Escrow(Some(escrow)) => assert_eq!(escrow.left(), 1_000),
        other => panic!("{other:?}"),
    }
    let cases = LedgerRequest::Cases {
        escrow: job.escrow,
        after: None,
    };
    assert_eq!(ada.ask(cases).unwrap(), LedgerReply::Cases(Vec::new()));
    let nodes = ada.ask(LedgerRequest::Nodes(ada.account())).unwrap();
    assert_eq!(nodes, LedgerReply::Nodes(Vec::new()));
}
