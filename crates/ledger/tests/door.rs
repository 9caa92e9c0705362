//! What a ledger takes on, what it turns away, and what it says about that afterwards.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod world;

use opensky_ledger::{Conduct, Ledger, LedgerError};
use opensky_protocol::{
    Account, Digest, Signature, Signed, codec,
    ledger::{
        Call, Consent, Event, Genesis, Intent, LedgerReply, LedgerRequest, Refused, Rejection,
        Status,
    },
};
use redb::backends::InMemoryBackend;
use world::{Job, Party, genesis, terms};

const NOW: u64 = 1_800_000_000_000;

fn begin(genesis: Genesis, conduct: Conduct) -> Ledger {
    Ledger::with_backend(InMemoryBackend::new(), genesis, conduct).unwrap()
}

fn plain() -> Genesis {
    let rich = Party::new(1);
    genesis(terms(&rich), &[(&rich, 1_000_000)])
}

fn give(ledger: &Ledger, from: &Party, nonce: u64, amount: u128) -> Signed<Intent> {
    let to = Party::new(2).account();
    let call = Call::Transfer { to, amount };
    from.sign(from.intent(ledger.books().unwrap().id(), nonce, call))
}

fn submit(ledger: &mut Ledger, intent: Signed<Intent>) -> Result<Digest, Refused> {
    ledger.submit([intent].into(), NOW).unwrap().remove(0)
}

fn free(ledger: &Ledger, party: &Party) -> u128 {
    ledger.books().unwrap().purse(&party.account()).free
}

#[test]
fn intent_is_done_once_however_often_it_is_submitted() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    let intent = give(&ledger, &rich, 0, 100);
    let id = submit(&mut ledger, intent.clone()).unwrap();
    let later = give(&ledger, &rich, 1, 1);
    submit(&mut ledger, later).unwrap();
    assert_eq!(submit(&mut ledger, intent.clone()), Ok(id));
    let batch = ledger.submit([intent.clone(), intent].into(), NOW).unwrap();
    assert_eq!(batch, [Ok(id), Ok(id)]);
    assert_eq!(free(&ledger, &rich), 1_000_000 - 101);
    let events = ledger.events(0, 100).unwrap();
    assert_eq!(events.len(), 4, "two intents, each Pending and Final");
    let status = ledger.status(&id).unwrap().unwrap().status;
    assert!(matches!(status, Status::Final { .. }));
}

#[test]
fn nonces_come_in_order() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    let at = |ledger: &Ledger, nonce| give(ledger, &rich, nonce, 1);
    let early = at(&ledger, 1);
    assert_eq!(submit(&mut ledger, early), Err(Refused::Nonce { next: 0 }));
    let first = at(&ledger, 0);
    submit(&mut ledger, first).unwrap();
    // Another intent of a nonce that is used up.
    let other = give(&ledger, &rich, 0, 2);
    assert_eq!(submit(&mut ledger, other), Err(Refused::Nonce { next: 1 }));
    assert_eq!(free(&ledger, &rich), 1_000_000 - 1);
}

/// What is rejected has used up its nonce, so it cannot come true later.
#[test]
fn rejected_intent_stays_rejected() {
    let mut ledger = begin(plain(), Conduct::default());
    let (rich, poor) = (Party::new(1), Party::new(2));
    let call = Call::Transfer {
        to: rich.account(),
        amount: 50,
    };
    let id = ledger.books().unwrap().id();
    let intent = poor.sign(poor.intent(id, 0, call));
    let name = submit(&mut ledger, intent.clone()).unwrap();
    let income = give(&ledger, &rich, 0, 100);
    submit(&mut ledger, income).unwrap();
    assert_eq!(submit(&mut ledger, intent), Ok(name));
    assert_eq!(free(&ledger, &poor), 100);
    let reason = Rejection::Balance;
    let status = ledger.status(&name).unwrap().unwrap().status;
    assert_eq!(status, Status::Rejected { fee: 0, reason });
}

#[test]
fn what_is_not_sound_is_turned_away_without_a_trace() {
    let mut ledger = begin(plain(), Conduct::default());
    let (rich, thief) = (Party::new(1), Party::new(66));
    let id = ledger.books().unwrap().id();
    let good = give(&ledger, &rich, 0, 100);
    let mut bad = |change: &dyn Fn(&mut Signed<Intent>), refused| {
        let mut intent = good.clone();
        change(&mut intent);
        assert_eq!(submit(&mut ledger, intent), Err(refused));
    };
    bad(&|it| it.seal.signature.0[7] ^= 1, Refused::Unsound);
    bad(
        &|it| it.seal.signature = Signature([0; 64]),
        Refused::Unsound,
    );
    bad(&|it| it.value.nonce = 1, Refused::Unsound);
    bad(&|it| it.value.ledger = Digest([1; 32]), Refused::Ledger);
    let call = Call::Transfer {
        to: thief.account(),
        amount: 1,
    };
    let resign = |change: &dyn Fn(&mut Intent)| {
        let mut intent = thief.intent(id, 0, call.clone());
        change(&mut intent);
        move |it: &mut Signed<Intent>| *it = thief_sign(intent.clone())
    };
    let account = rich.account();
    bad(&resign(&|it| it.account = account), Refused::Unauthorised);
    // What is inside has to be signed as well: by whom it says.
    let job = Job::new(id, 1, &rich);
    let mut voucher = job.voucher(&thief, 3);
    voucher.value.total += 1;
    let vouchers = vec![voucher];
    let call = Call::Claim { vouchers };
    bad(&resign(&|it| it.call = call.clone()), Refused::Unsound);
    let mut evidence = job.evidence(&thief, 0, 0, 1);
    evidence.signature.0[9] ^= 1;
    let call = job.show(&thief, 0, [evidence].into());
    bad(&resign(&|it| it.call = call.clone()), Refused::Unsound);
    let mut consent = thief.sign(Consent {
        ledger: id,
        operator: thief.account(),
        node: thief.node(),
    });
    consent.value.node = rich.node();
    let call = Call::Certify { consent };
    bad(&resign(&|it| it.call = call.clone()), Refused::Unsound);
    // Lists have bounds.
    let vouchers = vec![job.voucher(&thief, 1); Call::MAX_VOUCHERS + 1];
    let call = Call::Claim { vouchers };
    bad(&resign(&|it| it.call = call.clone()), Refused::Unsound);
    let units = vec![Digest([0; 32]); Call::MAX_UNITS + 1];
    let escrow = job.escrow;
    let call = Call::Settle { escrow, units };
    bad(&resign(&|it| it.call = call.clone()), Refused::Unsound);
    assert_eq!(ledger.events(0, 9).unwrap(), []);
    assert_eq!(ledger.books().unwrap().nonce(&thief.node()), 0);
}

fn thief_sign(intent: Intent) -> Signed<Intent> {
    Party::new(66).sign(intent)
}

/// A node that is certified signs what brings money in, and nothing else.
#[test]
fn node_cannot_move_its_operators_money() {
    let mut ledger = begin(plain(), Conduct::default());
    let (rich, hot) = (Party::new(1), Party::new(60));
    let id = ledger.books().unwrap().id();
    let consent = hot.sign(Consent {
        ledger: id,
        operator: rich.account(),
        node: hot.node(),
    });
    let certify = rich.sign(rich.intent(id, 0, Call::Certify { consent }));
    submit(&mut ledger, certify).unwrap();
    let escrow = Digest([1; 32]);
    let unit = escrow;
    let to = hot.account();
    let job = Job::new(id, 1, &hot);
    let calls = [
        Call::Transfer { to, amount: 1 },
        Call::Faucet { amount: 1 },
        Call::Bond { amount: 1 },
        Call::Unbond { amount: 1 },
        Call::Withdraw,
        Call::TopUp { escrow, amount: 1 },
        Call::Object { escrow, unit },
        Call::Revoke { node: hot.node() },
        job.open(10, NOW + 1),
    ];
    let account = rich.account();
    let as_rich = |call| Intent {
        account,
        ..hot.intent(id, 0, call)
    };
    for call in calls {
        let refused = submit(&mut ledger, hot.sign(as_rich(call.clone())));
        assert_eq!(refused, Err(Refused::Unauthorised), "{call:?}");
    }
    let claim = hot.sign(as_rich(Call::Refund { escrow }));
    submit(&mut ledger, claim).unwrap();
    // Once it is let go it signs nothing at all.
    let revoke = Call::Revoke { node: hot.node() };
    let revoke = rich.sign(rich.intent(id, 1, revoke));
    submit(&mut ledger, revoke).unwrap();
    let claim = Intent {
        nonce: 1,
        ..as_rich(Call::Refund { escrow })
    };
    let refused = submit(&mut ledger, hot.sign(claim));
    assert_eq!(refused, Err(Refused::Unauthorised));
}

#[test]
fn intents_wait_for_the_delay_and_no_account_fills_the_queue() {
    let conduct = Conduct {
        delay: 1_000,
        waiting_per_account: 3,
        ..Conduct::default()
    };
    let mut ledger = begin(plain(), conduct);
    let rich = Party::new(1);
    for nonce in 0..3 {
        let intent = give(&ledger, &rich, nonce, 10);
        submit(&mut ledger, intent).unwrap();
    }
    let fourth = give(&ledger, &rich, 3, 10);
    assert_eq!(submit(&mut ledger, fourth.clone()), Err(Refused::Full));
    assert_eq!(free(&ledger, &rich), 1_000_000);
    let statuses = |events: Vec<Event>| events.into_iter().map(|event| event.status);
    let pending = statuses(ledger.events(0, 9).unwrap());
    assert_eq!(pending.collect::<Vec<_>>(), vec![Status::Pending; 3]);
    assert_eq!(ledger.next_due(), Some(NOW + 1_000));
    ledger.advance(NOW + 999).unwrap();
    assert_eq!(free(&ledger, &rich), 1_000_000);
    ledger.advance(NOW + 1_000).unwrap();
    assert_eq!(free(&ledger, &rich), 1_000_000 - 30);
    assert_eq!(ledger.next_due(), None);
    submit(&mut ledger, fourth).unwrap();
}

#[test]
fn queue_is_bounded_in_bytes_too() {
    let conduct = Conduct {
        delay: 1_000,
        waiting_bytes: 3_000,
        ..Conduct::default()
    };
    let mut ledger = begin(plain(), conduct);
    let rich = Party::new(1);
    let id = ledger.books().unwrap().id();
    let job = Job::new(id, 1, &rich);
    let claim = |nonce| {
        let vouchers = vec![job.voucher(&rich, 1); 6];
        rich.sign(rich.intent(id, nonce, Call::Claim { vouchers }))
    };
    submit(&mut ledger, claim(0)).unwrap();
    assert_eq!(submit(&mut ledger, claim(1)), Err(Refused::Busy));
    ledger.advance(NOW + 1_000).unwrap();
    submit(&mut ledger, claim(1)).unwrap();
}

#[test]
fn fee_is_due_whatever_becomes_of_the_intent() {
    let mut genesis = plain();
    genesis.terms.fee = 7;
    let mut ledger = begin(genesis, Conduct::default());
    let (rich, poor) = (Party::new(1), Party::new(3));
    let too_much = give(&ledger, &rich, 0, 2_000_000);
    submit(&mut ledger, too_much).unwrap();
    assert_eq!(free(&ledger, &rich), 1_000_000 - 7);
    assert_eq!(ledger.books().unwrap().treasury().pot, 7);
    let unpaid = give(&ledger, &poor, 0, 1);
    assert_eq!(submit(&mut ledger, unpaid), Err(Refused::Fee));
}

#[test]
fn dropped_intents_are_the_same_for_the_same_seed() {
    let fates = |seed| {
        let conduct = Conduct {
            drops: 500,
            seed: [seed; 32],
            ..Conduct::default()
        };
        let mut ledger = begin(plain(), conduct);
        let rich = Party::new(1);
        let fate = |nonce| {
            let intent = give(&ledger, &rich, nonce, 1);
            let id = submit(&mut ledger, intent).unwrap();
            ledger.status(&id).unwrap().unwrap().status
        };
        (0..64).map(fate).collect::<Vec<_>>()
    };
    assert_eq!(fates(1), fates(1));
    assert_ne!(fates(1), fates(2));
    let dropped = Status::Rejected {
        fee: 0,
        reason: Rejection::Dropped,
    };
    let count = fates(1).iter().filter(|status| **status == dropped).count();
    assert!((16..48).contains(&count), "{count} of 64");
}

#[test]
fn requests_of_many_are_answered_in_their_order() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    let [first, second, third] = [0, 1, 2].map(|nonce| give(&ledger, &rich, nonce, 10));
    let late = give(&ledger, &rich, 9, 10);
    let account = Party::new(2).account();
    let requests = vec![
        LedgerRequest::Account(account),
        LedgerRequest::Submit(vec![first.clone(), late]),
        LedgerRequest::Submit(vec![second, third]),
        LedgerRequest::Nonce(rich.node()),
        LedgerRequest::Status(first.value.id()),
    ];
    let replies = ledger.serve_all(requests, NOW);
    let LedgerReply::Account(state) = &replies[0] else {
        panic!("{replies:?}");
    };
    assert_eq!(state.purse.free, 30, "what is asked sees what is submitted");
    let LedgerReply::Submitted(done) = &replies[1] else {
        panic!("{replies:?}");
    };
    assert_eq!(done[0], Ok(first.value.id()));
    assert_eq!(done[1], Err(Refused::Nonce { next: 1 }));
    assert!(matches!(&replies[2], LedgerReply::Submitted(done) if done.iter().all(Result::is_ok)));
    assert_eq!(replies[3], LedgerReply::Nonce(3));
    assert!(matches!(&replies[4], LedgerReply::Status(Some(_))));
}

#[test]
fn replies_are_bounded_whatever_is_asked() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    let id = ledger.books().unwrap().id();
    // Claims of many vouchers make the longest events.
    let job = Job::new(id, 1, &rich);
    submit(
        &mut ledger,
        rich.sign(rich.intent(id, 0, job.open(900_000, NOW + 1))),
    )
    .unwrap();
    for nonce in 1..200 {
        let operator = Party::new(2);
        let vouchers = vec![job.voucher(&operator, nonce); Call::MAX_VOUCHERS];
        let claim = rich.intent(id, nonce, Call::Claim { vouchers });
        submit(&mut ledger, rich.sign(claim)).unwrap();
    }
    let (mut after, mut pages) = (0, 0);
    loop {
        let limit = u32::MAX;
        let reply = ledger.serve(LedgerRequest::Events { after, limit }, NOW);
        assert!(codec::encode(&reply).len() < 600 << 10);
        let LedgerReply::Events(events) = reply else {
            panic!("{reply:?}");
        };
        assert!(events.len() <= LedgerRequest::MAX_EVENTS as usize);
        let Some(last) = events.last() else { break };
        (after, pages) = (last.sequence, pages + 1);
    }
    assert_eq!(after, 400);
    assert!(pages > 2, "{pages} pages");
    // More than may be submitted at once: the rest is not answered to, and left no trace.
    let many: Vec<_> = (200..300)
        .map(|nonce| give(&ledger, &rich, nonce, 1))
        .collect();
    let LedgerReply::Submitted(done) = ledger.serve(LedgerRequest::Submit(many), NOW) else {
        panic!("it submits");
    };
    assert_eq!(done.len(), LedgerRequest::MAX_INTENTS);
    assert_eq!(ledger.books().unwrap().nonce(&rich.node()), 264);
}

#[test]
fn history_is_an_accounts_own_newest_first() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    for nonce in 0..5 {
        let intent = give(&ledger, &rich, nonce, 1 + u128::from(nonce));
        submit(&mut ledger, intent).unwrap();
    }
    let poor: Account = Party::new(2).account();
    let newest = ledger.history(&poor, u64::MAX, 2).unwrap();
    let sequences: Vec<_> = newest.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [10, 8]);
    let older = ledger.history(&poor, 8, 100).unwrap();
    assert_eq!(older.len(), 3);
    let nobody = Party::new(9).account();
    assert_eq!(ledger.history(&nobody, u64::MAX, 9).unwrap(), []);
}

#[test]
fn clock_never_goes_back() {
    let mut ledger = begin(plain(), Conduct::default());
    let rich = Party::new(1);
    let id = ledger.books().unwrap().id();
    let first = give(&ledger, &rich, 0, 1);
    submit(&mut ledger, first).unwrap();
    let job = Job::new(id, 1, &rich);
    let past = rich.sign(rich.intent(id, 1, job.open(5, NOW)));
    let name = ledger.submit([past].into(), 0).unwrap()[0].unwrap();
    let event = ledger.status(&name).unwrap().unwrap();
    let reason = Rejection::Deadline;
    assert_eq!(event.status, Status::Rejected { fee: 0, reason });
    assert_eq!(event.at, NOW);
}

#[test]
fn file_of_another_ledger_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    // What a process left that was killed before the file had its name.
    std::fs::write(folder.path().join("ledger.new"), "redb, perhaps").unwrap();
    let open = Ledger::open(&path, plain(), Conduct::default()).unwrap();
    let second = Ledger::open(&path, plain(), Conduct::default()).unwrap_err();
    assert!(matches!(second, LedgerError::Storage(_)), "{second}");
    drop(open);
    let mut other = plain();
    other.name = "other".into();
    let error = Ledger::open(&path, other, Conduct::default()).unwrap_err();
    assert!(matches!(error, LedgerError::Other { .. }), "{error}");
    let mut hasty = plain();
    hasty.terms.unbonding = 1;
    let error = Ledger::open(&path, hasty, Conduct::default()).unwrap_err();
    assert!(matches!(error, LedgerError::Genesis(_)), "{error}");
    drop(Ledger::open(&path, plain(), Conduct::default()).unwrap());
}
