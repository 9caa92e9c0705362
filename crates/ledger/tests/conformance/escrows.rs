//! Escrows and the vouchers that spend them.

use opensky_protocol::{
    Digest, Voucher,
    ledger::{Call, Fact, Rejection},
};

use crate::{
    driver::{Driver, START, on_each},
    world::{Job, MINUTE},
};

const HOUR: u64 = 60 * MINUTE;

/// What the claims of one answer paid.
fn paid(facts: Result<Vec<Fact>, Rejection>) -> Vec<u128> {
    let amount = |fact| match fact {
        Fact::Paid { amount, .. } => Some(amount),
        _ => None,
    };
    facts.unwrap().into_iter().filter_map(amount).collect()
}

fn open<'a>(ledger: &mut Driver, job: &Job<'a>, amount: u128) {
    let deadline = ledger.now() + HOUR;
    ledger
        .ask(job.requester, job.open(amount, deadline))
        .unwrap();
}

#[test]
fn vouchers_are_cumulative_and_pay_once() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 500);
        assert_eq!(ledger.state(&cast.ada).purse.held, 500);
        let mut claim = |turns| paid(ledger.ask(&cast.bob, job.claim(&cast.bob, turns)));
        assert_eq!(claim(3), [30]);
        assert_eq!(claim(3), [0]);
        assert_eq!(claim(7), [40]);
        assert_eq!(claim(5), [0]);
        // Anyone may carry them, many at once; each pays whom it names.
        let vouchers = [(&cast.cyd, 4), (&cast.bob, 8), (&cast.cyd, 2)];
        let vouchers = vouchers.map(|(party, turns)| job.voucher(party, turns));
        let vouchers = vouchers.into();
        let carried = paid(ledger.ask(&cast.dan, Call::Claim { vouchers }));
        assert_eq!(carried, [40, 10, 0]);
        assert_eq!(ledger.gains(cast), [-120, 80, 40, 0]);
    });
}

#[test]
fn escrow_pays_no_more_than_it_has_and_the_rest_when_it_is_topped_up() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 50);
        assert_eq!(paid(ledger.ask(&cast.bob, job.claim(&cast.bob, 4))), [40]);
        assert_eq!(paid(ledger.ask(&cast.cyd, job.claim(&cast.cyd, 3))), [10]);
        assert_eq!(paid(ledger.ask(&cast.cyd, job.claim(&cast.cyd, 3))), [0]);
        let (escrow, amount) = (job.escrow, 500);
        let more = Call::TopUp { escrow, amount };
        let foreign = ledger.ask(&cast.bob, more.clone());
        assert_eq!(foreign, Err(Rejection::Unauthorised));
        ledger.ask(&cast.ada, more).unwrap();
        assert_eq!(paid(ledger.ask(&cast.cyd, job.claim(&cast.cyd, 3))), [20]);
        assert_eq!(ledger.gains(cast), [-70, 40, 30, 0]);
    });
}

#[test]
fn what_is_left_goes_back_after_the_time_for_claims() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 500);
        let close = Call::Close { escrow: job.escrow };
        let stranger = ledger.ask(&cast.bob, close.clone());
        assert_eq!(stranger, Err(Rejection::Unauthorised));
        ledger.ask(&cast.ada, close.clone()).unwrap();
        assert_eq!(ledger.ask(&cast.ada, close), Err(Rejection::Phase));
        assert_eq!(ledger.ask(&cast.ada, job.refund()), Err(Rejection::Phase));
        // The provider was away when it closed: its voucher is still good.
        assert_eq!(paid(ledger.ask(&cast.bob, job.claim(&cast.bob, 2))), [20]);
        ledger.pass(10 * MINUTE);
        let late = ledger.ask(&cast.bob, job.claim(&cast.bob, 9));
        assert_eq!(late, Err(Rejection::Phase));
        ledger.ask(&cast.dan, job.refund()).unwrap();
        ledger.ask(&cast.dan, job.refund()).unwrap();
        let state = ledger.state(&cast.ada);
        assert_eq!(state.purse.held, 0);
        assert_eq!(ledger.gains(cast), [-20, 20, 0, 0]);
    });
}

#[test]
fn escrow_ends_at_its_deadline_by_itself() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 500);
        ledger.pass(HOUR);
        let (escrow, amount) = (job.escrow, 500);
        let late = ledger.ask(&cast.ada, Call::TopUp { escrow, amount });
        assert_eq!(late, Err(Rejection::Phase));
        assert_eq!(paid(ledger.ask(&cast.bob, job.claim(&cast.bob, 2))), [20]);
        ledger.pass(10 * MINUTE);
        // Nobody asks for it.
        assert_eq!(ledger.state(&cast.ada).purse.held, 0);
        assert_eq!(ledger.gains(cast), [-20, 20, 0, 0]);
    });
}

/// Else its old vouchers would pay again.
#[test]
fn escrows_id_is_used_up_for_ever() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 100);
        ledger.ask(&cast.bob, job.claim(&cast.bob, 3)).unwrap();
        ledger.pass(2 * HOUR);
        ledger.ask(&cast.ada, job.refund()).unwrap();
        let again = job.open(100, ledger.now() + HOUR);
        let taken = ledger.ask(&cast.ada, again.clone());
        assert_eq!(taken, Err(Rejection::EscrowTaken));
        assert_eq!(ledger.ask(&cast.bob, again), Err(Rejection::EscrowTaken));
        assert_eq!(ledger.gains(cast), [-30, 30, 0, 0]);
    });
}

#[test]
fn escrow_that_cannot_be_is_refused() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        let later = ledger.now() + HOUR;
        let mut refused = |amount, deadline| {
            let call = job.open(amount, deadline);
            ledger.ask(&cast.ada, call).unwrap_err()
        };
        assert_eq!(refused(0, later), Rejection::Zero);
        assert_eq!(refused(10, later - HOUR), Rejection::Deadline);
        assert_eq!(refused(100 * START, later), Rejection::Balance);
        assert_eq!(refused(u128::MAX, later), Rejection::Balance);
    });
}

#[test]
fn foreign_vouchers_pay_nothing_and_keep_nobody_from_being_paid() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        let forged = Job::new(ledger.id(), 1, &cast.bob);
        let elsewhere = Job::new(Digest([99; 32]), 1, &cast.ada);
        let unknown = Job::new(ledger.id(), 2, &cast.ada);
        open(ledger, &job, 100);
        let jobs = [&forged, &elsewhere, &unknown, &job];
        let vouchers = jobs.map(|job| job.voucher(&cast.bob, 2));
        let vouchers = vouchers.into();
        let facts = ledger.ask(&cast.bob, Call::Claim { vouchers }).unwrap();
        let reasons: Vec<_> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::NotPaid { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect();
        use Rejection::{EscrowUnknown, Voucher as Foreign};
        assert_eq!(reasons, [Foreign, Foreign, EscrowUnknown]);
        assert_eq!(paid(Ok(facts)), [20]);
        let alone = ledger.ask(&cast.bob, forged.claim(&cast.bob, 2));
        assert_eq!(alone, Err(Foreign));
        assert_eq!(ledger.gains(cast), [-20, 20, 0, 0]);
    });
}

#[test]
fn voucher_of_all_the_money_there_is_pays_what_there_is() {
    on_each(|ledger, cast| {
        let job = Job::new(ledger.id(), 1, &cast.ada);
        open(ledger, &job, 100);
        let operator = cast.bob.account();
        let voucher = Voucher {
            total: u128::MAX,
            ..job.voucher_value(operator, &[])
        };
        let vouchers = [cast.ada.sign(voucher)].into();
        assert_eq!(paid(ledger.ask(&cast.bob, Call::Claim { vouchers })), [100]);
        assert_eq!(ledger.gains(cast), [-100, 100, 0, 0]);
    });
}
