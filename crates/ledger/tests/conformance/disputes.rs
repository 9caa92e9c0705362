//! Objections, results that differ, and verdicts.

use opensky_protocol::ledger::{Call, Rejection, Verdict};

use crate::{
    driver::{Cast, Driver, on_each},
    evidence::{BOND, ended, settle},
    world::{Job, MINUTE, Party, result_key, unit},
};

const RIGHT: u8 = 1;
const WRONG: u8 = 2;

fn show(ledger: &mut Driver, job: &Job, party: &Party, attempt: u32, result: u8) {
    let evidence = [job.evidence(party, 0, attempt, result)].into();
    ledger.ask(party, job.show(party, 0, evidence)).unwrap();
}

fn object(job: &Job) -> Call {
    Call::Object {
        escrow: job.escrow,
        unit: unit(0),
    }
}

fn resolve(job: &Job, verdict: Verdict) -> Call {
    Call::Resolve {
        escrow: job.escrow,
        unit: unit(0),
        verdict,
    }
}

fn verdict() -> Verdict {
    Verdict::Result(result_key(0, RIGHT))
}

/// Bob claims a result, and Cyd objects to it.
fn objected<'a>(ledger: &mut Driver, cast: &'a Cast, result: u8) -> Job<'a> {
    let job = ended(ledger, cast, 100);
    show(ledger, &job, &cast.bob, 0, result);
    ledger.ask(&cast.cyd, object(&job)).unwrap();
    job
}

#[test]
fn whoever_claims_a_wrong_result_loses_half_of_the_penalty_to_who_objects() {
    on_each(|ledger, cast| {
        let job = objected(ledger, cast, WRONG);
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [0, -100, 50, 0]);
        assert_eq!(ledger.state(&cast.bob).operator.bond, 0);
        assert_eq!(ledger.state(&cast.cyd).purse.held, 0);
    });
}

#[test]
fn whoever_objects_to_a_right_result_loses_the_stake() {
    on_each(|ledger, cast| {
        let job = objected(ledger, cast, RIGHT);
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-10, 40, -60, 0]);
    });
}

#[test]
fn nobody_loses_anything_to_an_engines_fault() {
    on_each(|ledger, cast| {
        let job = objected(ledger, cast, WRONG);
        ledger
            .ask(&cast.judge, resolve(&job, Verdict::Fault))
            .unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [0; 4]);
        assert_eq!(ledger.state(&cast.cyd).purse.held, 0);
    });
}

#[test]
fn dispute_without_a_verdict_ends_with_nobody_paid() {
    on_each(|ledger, cast| {
        let job = objected(ledger, cast, RIGHT);
        ledger.pass(20 * MINUTE);
        let early = ledger.ask(&cast.bob, job.settle(&[0]));
        assert_eq!(early, Err(Rejection::Phase));
        ledger.pass(10 * MINUTE);
        let late = ledger.ask(&cast.judge, resolve(&job, verdict()));
        assert_eq!(late, Err(Rejection::Phase));
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [0; 4]);
        assert_eq!(ledger.state(&cast.cyd).purse.held, 0);
    });
}

#[test]
fn results_that_differ_are_a_dispute_by_themselves() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        ledger.ask(&cast.cyd, BOND).unwrap();
        show(ledger, &job, &cast.bob, 0, RIGHT);
        show(ledger, &job, &cast.cyd, 1, WRONG);
        let needless = ledger.ask(&cast.dan, object(&job));
        assert_eq!(needless, Err(Rejection::Disputed));
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-10, 10 + 50, -100, 0]);
    });
}

#[test]
fn right_results_beyond_the_requesters_seats_are_paid_by_the_loser() {
    on_each(|ledger, cast| {
        let mut job = ended(ledger, cast, 100);
        job.replica_cap = 1;
        for party in [&cast.cyd, &cast.dan] {
            ledger.ask(party, BOND).unwrap();
        }
        show(ledger, &job, &cast.dan, 2, RIGHT);
        show(ledger, &job, &cast.cyd, 1, WRONG);
        show(ledger, &job, &cast.bob, 0, RIGHT);
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        settle(ledger, &job);
        // Of the 100, Dan has earned 10; half of the rest, 45, is for two.
        assert_eq!(ledger.gains(cast), [-10, 10 + 22, -100, 10 + 22]);
    });
}

#[test]
fn claim_that_a_voucher_pays_is_not_paid_by_the_loser_too() {
    on_each(|ledger, cast| {
        let mut job = ended(ledger, cast, 100);
        job.replica_cap = 1;
        for party in [&cast.cyd, &cast.dan] {
            ledger.ask(party, BOND).unwrap();
        }
        ledger.ask(&cast.dan, job.claim(&cast.dan, 1)).unwrap();
        show(ledger, &job, &cast.dan, 2, RIGHT);
        show(ledger, &job, &cast.cyd, 1, WRONG);
        show(ledger, &job, &cast.bob, 0, RIGHT);
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [-20, 10 + 25, -100, 10 + 25]);
    });
}

#[test]
fn bond_on_its_way_out_can_still_be_lost() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        show(ledger, &job, &cast.bob, 0, WRONG);
        ledger.ask(&cast.bob, Call::Unbond { amount: 100 }).unwrap();
        ledger.pass(19 * MINUTE);
        ledger.ask(&cast.cyd, object(&job)).unwrap();
        ledger.pass(9 * MINUTE);
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        let held = ledger.ask(&cast.bob, Call::Withdraw);
        assert_eq!(held, Err(Rejection::TooEarly));
        settle(ledger, &job);
        assert_eq!(ledger.gains(cast), [0, -100, 50, 0]);
    });
}

#[test]
fn dispute_takes_its_course_and_no_other() {
    on_each(|ledger, cast| {
        let job = ended(ledger, cast, 100);
        let unclaimed = ledger.ask(&cast.cyd, object(&job));
        assert_eq!(unclaimed, Err(Rejection::CaseUnknown));
        show(ledger, &job, &cast.bob, 0, WRONG);
        let needless = ledger.ask(&cast.judge, resolve(&job, verdict()));
        assert_eq!(needless, Err(Rejection::Undisputed));
        ledger.ask(&cast.cyd, object(&job)).unwrap();
        let second = ledger.ask(&cast.dan, object(&job));
        assert_eq!(second, Err(Rejection::Disputed));
        let foreign = ledger.ask(&cast.bob, resolve(&job, Verdict::Fault));
        assert_eq!(foreign, Err(Rejection::Unauthorised));
        ledger.ask(&cast.judge, resolve(&job, verdict())).unwrap();
        let twice = ledger.ask(&cast.judge, resolve(&job, Verdict::Fault));
        assert_eq!(twice, Err(Rejection::Disputed));
        let early = ledger.ask(&cast.ada, job.settle(&[0]));
        assert_eq!(early, Err(Rejection::Phase));
        settle(ledger, &job);
        let over = ledger.ask(&cast.dan, object(&job));
        assert_eq!(over, Err(Rejection::Phase));
    });
}
