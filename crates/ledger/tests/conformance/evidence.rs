//! Claims by evidence, when the requester does not pay: what is owed, and what is not.

use opensky_protocol::{
    Account, Class, Commit, Digest, Summons,
    ledger::{Call, Evidence, EvidenceError, Fact, Rejection, Showing},
};

use crate::{
    driver::{Cast, Driver, on_each},
    world::{Job, MINUTE, Parts, Party},
};

pub const BOND: Call = Call::Bond { amount: 100 };

/// An escrow of Ada's that has ended, and an operator that has bonded.
pub fn ended<'a>(ledger: &mut Driver, cast: &'a Cast, amount: u128) -> Job<'a> {
    let job = Job::new(ledger.id(), 1, &cast.ada);
    let deadline = ledger.now() + 60 * MINUTE;
    ledger.ask(&cast.ada, job.open(amount, deadline)).unwrap();
    ledger.ask(&cast.bob, BOND).unwrap();
    let close = Call::Close { escrow: job.escrow };
    ledger.ask(&cast.ada, close).unwrap();
    job
}

/// Lets the time for claims and objections pass. Nobody has to ask for what is then due.
pub fn settle(ledger: &mut Driver, job: &Job) {
    ledger.pass(20 * MINUTE);
    let escrow = ledger.escrow(job.escrow);
    assert_eq!((escrow.left(), escrow.cases), (0, 0));
}

#[test]
fn turns_that_nobody_paid_are_paid_by_evidence() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let evidence = [0, 1, 2].map(|unit| job.evidence(&cast.bob, unit, 0, 1));
        ledger
            .ask(&cast.bob, job.show(&cast.bob, 0, evidence.to_vec()))
            .unwrap();
        let again = ledger.ask(&cast.bob, job.show(&cast.bob, 0, evidence[..1].to_vec()));
        assert_eq!(again, Err(Rejection::Claimed));
        let early = ledger.ask(&cast.bob, job.settle(&[0]));
        assert_eq!(early, Err(Rejection::Phase));
        ledger.pass(10 * MINUTE);
        assert_eq!(
            ledger.ask(&cast.ada, job.refund()),
            Err(Rejection::Unsettled)
        );
        settle(ledger, &job);
        let twice = ledger.ask(&cast.bob, job.settle(&[0]));
        assert_eq!(twice, Err(Rejection::CaseUnknown));
        assert_eq!(ledger.gains(cast), [-30, 30, 0, 0]);
    });
}

/// A provider that does not know what it has shown shows all of it again.
#[test]
fn turns_that_are_shown_again_are_claimed_once() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let bob = &cast.bob;
        let mut show = |units: &[u64]| {
            let evidence = units.iter().map(|unit| job.evidence(bob, *unit, 0, 1));
            let evidence = evidence.collect();
            let facts = ledger.ask(bob, job.show(bob, 1, evidence)).unwrap();
            let is_filed = |fact: &&Fact| matches!(fact, Fact::Filed { .. });
            facts.iter().filter(is_filed).count()
        };
        assert_eq!(show(&[1, 2]), 2);
        assert_eq!(show(&[0, 1, 2, 3]), 1);
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-40, 40, 0, 0]);
    });
}

#[test]
fn evidence_is_taken_between_the_end_of_work_and_that_of_claims() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        let deadline = ledger.now() + 60 * MINUTE;
        ledger.ask(&cast.ada, job.open(100, deadline)).unwrap();
        ledger.ask(&cast.bob, BOND).unwrap();
        let show = job.show(&cast.bob, 0, [job.evidence(&cast.bob, 0, 0, 1)].into());
        let early = ledger.ask(&cast.bob, show.clone());
        assert_eq!(early, Err(Rejection::Phase));
        ledger.pass(70 * MINUTE);
        assert_eq!(ledger.ask(&cast.bob, show), Err(Rejection::Phase));
    });
}

#[test]
fn evidence_pays_what_the_opened_voucher_does_not() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let evidence = [5, 6].map(|unit| job.evidence(&cast.bob, unit, 0, 1));
        let show = job.show(&cast.bob, 3, evidence.to_vec());
        let facts = ledger.ask(&cast.bob, show).unwrap();
        assert!(matches!(facts[0], Fact::Paid { amount: 30, .. }));
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-50, 50, 0, 0]);
    });
}

#[test]
fn turn_is_not_paid_by_voucher_and_by_evidence() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let bob = &cast.bob;
        let opened = job.show(bob, 3, [job.evidence(bob, 2, 0, 1)].into());
        assert_eq!(ledger.ask(bob, opened), Err(Rejection::Claimed));
        // Nor if the voucher is hidden, whatever comes first.
        ledger.ask(bob, job.claim(bob, 2)).unwrap();
        let evidence = [0, 1, 2].map(|unit| job.evidence(bob, unit, 0, 1));
        ledger
            .ask(bob, job.show(bob, 0, evidence.to_vec()))
            .unwrap();
        ledger.ask(bob, job.claim(bob, 3)).unwrap();
        assert_eq!(ledger.gain(bob), 30);
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-30, 30, 0, 0]);
    });
}

#[test]
fn second_attempt_at_a_unit_is_the_same_seat() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let bob = &cast.bob;
        let evidence = [0, 1].map(|attempt| job.evidence(bob, 0, attempt, 1));
        let both = ledger.ask(bob, job.show(bob, 0, evidence.to_vec()));
        let [Fact::Filed { .. }, Fact::NotFiled { reason, .. }] = both.unwrap()[..] else {
            panic!("the first is claimed, the second is not");
        };
        assert_eq!(reason, Rejection::Claimed);
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-10, 10, 0, 0]);
    });
}

#[test]
fn requester_cannot_undo_evidence_with_another_voucher() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let evidence = [job.evidence(&cast.bob, 7, 0, 1)];
        ledger
            .ask(&cast.bob, job.show(&cast.bob, 2, evidence.to_vec()))
            .unwrap();
        let turns = [job.turn(0), job.turn(1)];
        let mut spite = job.voucher_value(cast.bob.account(), &turns);
        (spite.total, spite.root) = (21, Digest([66; 32]));
        let vouchers = [cast.ada.sign(spite)].into();
        ledger.ask(&cast.ada, Call::Claim { vouchers }).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-30, 30, 0, 0]);
    });
}

#[test]
fn only_the_turns_of_the_voucher_open_it() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 200);
        let bob = &cast.bob;
        let mut ask = |change: &dyn Fn(&mut Showing)| {
            let Call::Show(mut showing) = job.show(bob, 3, [job.evidence(bob, 7, 0, 1)].into())
            else {
                panic!("it shows");
            };
            change(&mut showing);
            ledger.ask(bob, Call::Show(showing)).map(drop)
        };
        let wrong = Err(Rejection::Opening);
        assert_eq!(ask(&|showing| showing.opened.truncate(2)), wrong);
        assert_eq!(ask(&|showing| showing.opened.swap(0, 1)), wrong);
        assert_eq!(ask(&|showing| showing.opened[0].amount += 1), wrong);
        assert_eq!(ask(&|showing| showing.opened[0].attempt += 1), wrong);
        assert_eq!(ask(&|showing| showing.voucher = None), wrong);
        assert_eq!(ask(&|showing| showing.opened[0].amount = u128::MAX), wrong);
        // Somebody else's voucher is not opened.
        let foreign = |showing: &mut Showing| showing.voucher = Some(job.voucher(&cast.cyd, 3));
        assert_eq!(ask(&foreign), Err(Rejection::Voucher));
        assert_eq!(ask(&|_| ()), Ok(()));
        // The first one that is opened stays.
        let other = job.show(bob, 4, [job.evidence(bob, 8, 0, 1)].into());
        assert_eq!(ledger.ask(bob, other), Err(Rejection::Opening));
        let same = job.show(bob, 3, [job.evidence(bob, 8, 0, 1)].into());
        ledger.ask(bob, same).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-50, 50, 0, 0]);
    });
}

/// Neither by how it numbers turns nor by who comes first can a requester choose whom its seats pay.
#[test]
fn seats_of_a_ticket_are_shared_by_all_who_claim_them() {
    on_each(|ledger, cast| {
        let mut job = ended(ledger, cast, 100);
        job.replica_cap = 2;
        let parties = [&cast.bob, &cast.cyd, &cast.dan];
        for party in &parties[1..] {
            ledger.ask(party, BOND).unwrap();
        }
        // Each is first once, and has the lowest attempt once.
        for unit in 0..3 {
            for turn in 0..3 {
                let party = parties[(unit + turn) % 3];
                let attempt = (unit + 2 * turn) as u32 % 3;
                let evidence = [job.evidence(party, unit as u64, attempt, 1)].into();
                ledger.ask(party, job.show(party, 0, evidence)).unwrap();
            }
        }
        settle(ledger, &job);
        // Two thirds of 10, rounded down.
        assert_eq!(ledger.gains(cast), [-54, 18, 18, 18]);
    });
}

#[test]
fn requester_pays_no_more_seats_than_its_ticket_has() {
    on_each(|ledger, cast| {
        let mut job = ended(ledger, cast, 100);
        job.replica_cap = 1;
        ledger.ask(&cast.cyd, BOND).unwrap();
        for (party, attempt) in [(&cast.cyd, 4), (&cast.bob, 0)] {
            let evidence = [job.evidence(party, 0, attempt, 1)].into();
            ledger.ask(party, job.show(party, 0, evidence)).unwrap();
        }
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-10, 5, 5, 0]);
    });
}

#[test]
fn what_is_kept_for_a_claim_is_not_paid_to_others() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 30);
        let evidence = [0, 1].map(|unit| job.evidence(&cast.bob, unit, 0, 1));
        ledger
            .ask(&cast.bob, job.show(&cast.bob, 0, evidence.to_vec()))
            .unwrap();
        ledger.ask(&cast.cyd, job.claim(&cast.cyd, 3)).unwrap();
        assert_eq!(ledger.gain(&cast.cyd), 10);
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-30, 20, 10, 0]);
    });
}

#[test]
fn evidence_that_does_not_hold_is_refused_by_name() {
    use EvidenceError as E;
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let (bob, cyd) = (&cast.bob, &cast.cyd);
        let mut refused = |evidence: Evidence, expected| {
            let answer = ledger.ask(bob, job.show(bob, 0, [evidence].into()));
            assert_eq!(answer, Err(Rejection::Evidence(expected)));
        };
        let mut changed = |change: &dyn Fn(&mut Parts), expected| {
            let mut parts = job.parts(bob, 0, 0, 1);
            change(&mut parts);
            refused(parts.sign(&cast.ada, bob), expected);
        };
        changed(&|it| it.ticket.ledger = Digest([3; 32]), E::Ticket);
        changed(&|it| it.ticket.job = Digest([3; 32]), E::Ticket);
        changed(&|it| it.ticket.payer = cyd.account(), E::Ticket);
        changed(&|it| it.assignment.unit = Digest([3; 32]), E::Assignment);
        changed(&|it| it.assignment.job = Digest([3; 32]), E::Assignment);
        changed(&|it| it.assignment.operator = cyd.account(), E::Operator);
        changed(&|it| it.commit.turn.attempt += 1, E::Commit);
        changed(&|it| it.salt = Digest([3; 32]), E::Statement);
        changed(&|it| it.commit.hash = Digest([3; 32]), E::Summons);
        changed(&|it| it.summons.commit.hash = Digest([3; 32]), E::Summons);
        changed(&|it| it.summons.commit.turn.attempt += 1, E::Summons);
        changed(&|it| it.statement.unit = Digest([3; 32]), E::Statement);
        // More fuel than the result that was agreed on: the key would be another one.
        changed(&|it| it.statement.fuel -= 1, E::Statement);
        changed(&|it| it.statement.class = Class::OutOfFuel, E::Statement);
        changed(&|it| recommit(it, 51, 0), E::Limits);
        changed(&|it| recommit(it, 50, u64::MAX), E::Limits);

        // It was never asked to show anything, and asks itself.
        let mut unasked = job.evidence(bob, 0, 0, 1);
        let broker = bob.node();
        unasked.summons = bob.sign(Summons {
            broker,
            ..unasked.summons.value
        });
        refused(unasked, E::Summons);

        // A ticket that the operator signed itself.
        let own = Job::new(job.ledger, 1, bob);
        refused(own.evidence(bob, 0, 0, 1), E::Ticket);
        // Somebody else's result, which was copied.
        let theirs = job.evidence(cyd, 0, 0, 1);
        let mut copied = job.evidence(bob, 0, 0, 1);
        (copied.statement, copied.signature) = (theirs.statement, theirs.signature);
        refused(copied.clone(), E::Statement);
        copied.commit = theirs.commit;
        refused(copied, E::Commit);
        // A node that is somebody else's.
        let mut parts = job.parts(&Party::new(70), 0, 0, 1);
        parts.assignment.operator = bob.account();
        refused(parts.sign(&cast.ada, &Party::new(70)), E::Node);

        let unbonded = job.show(cyd, 0, [job.evidence(cyd, 0, 0, 1)].into());
        let answer = ledger.ask(cyd, unbonded);
        assert_eq!(answer, Err(Rejection::Evidence(E::Bond)));
        assert_eq!(ledger.gains(cast), [0; 4]);
    });
}

/// A statement of other numbers that is consistent in itself.
fn recommit(parts: &mut Parts, fuel: u64, output_len: u64) {
    let said = &mut parts.statement;
    (said.fuel, said.output_len) = (fuel, output_len);
    said.compare_key = said.key();
    let turn = parts.commit.turn;
    parts.commit.hash = Commit::hash_of(&said.node, &turn, &said.compare_key, &parts.salt);
    parts.summons.commit = parts.commit.clone();
}

#[test]
fn operator_is_paid_for_its_nodes_even_after_it_let_them_go() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let (bob, hot) = (&cast.bob, Party::new(70));
        let consent = hot.sign(opensky_protocol::ledger::Consent {
            ledger: ledger.id(),
            operator: bob.account(),
            node: hot.node(),
        });
        ledger.ask(bob, Call::Certify { consent }).unwrap();
        let evidence = |unit| {
            let mut parts = job.parts(&hot, unit, 0, 1);
            parts.assignment.operator = bob.account();
            job.show(bob, 0, [parts.sign(&cast.ada, &hot)].into())
        };
        // The node shows it, too.
        let operator: Account = bob.account();
        ledger.ask_by(&hot, operator, evidence(0)).unwrap();
        let node = hot.node();
        ledger.ask(bob, Call::Revoke { node }).unwrap();
        ledger.ask(bob, evidence(1)).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-20, 20, 0, 0]);
    });
}
