//! What a program gave before it failed is as much its result as that it failed.

use opensky_core::{Ending, JobState, Plan, Replicas, Submission};
use opensky_protocol::{Class, Digest, SecretKey};
use opensky_simulator::{
    guest,
    orders::{map_reduce, single},
};

use crate::{
    MONEY,
    desk::{Desk, LIFE, result},
};

fn provider() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// One word is believed, and the program fails.
fn failing(mut order: Submission) -> Submission {
    (order.replicas, order.replica_cap) = (Replicas::Fixed(1), 1);
    let program = match &mut order.plan {
        Plan::Single(work) => &mut work.program,
        Plan::Job(spec) => &mut spec.program,
    };
    *program = Digest([guest::FAILING; 32]);
    order
}

/// A job whose program has failed and whose outputs are, or are not, brought.
fn failed(order: Submission, brings: bool, dies: Option<usize>) -> Desk {
    let mut desk = Desk::with(failing(order), MONEY);
    (desk.brings, desk.dies) = (brings, dies);
    desk.finds(&provider());
    desk.serve(&[provider()], |provider, draft| {
        Some(Ok(result(provider, draft)))
    });
    desk
}

const FAILED: JobState = JobState::Over(Ending::Failed {
    index: 0,
    class: Class::Err,
});

#[test]
fn outputs_of_a_unit_that_failed_are_brought_before_its_job_ends() {
    for dies in [None].into_iter().chain((0..LIFE).map(Some)) {
        let desk = failed(single(1), true, dies);
        assert_eq!(desk.state(), FAILED);
        let order = desk.broker.submission(&desk.job).unwrap();
        let Plan::Single(work) = &order.plan else {
            unreachable!()
        };
        let (_, outputs) = guest::honest(work);
        let expected = outputs.0.into_values();
        let expected: Vec<_> = expected.map(|one| (one, vec![provider().node()])).collect();
        assert_eq!(desk.asked, expected);
    }
}

#[test]
fn what_the_host_says_for_a_guest_is_no_output_beyond_the_limit() {
    let mut order = failing(single(1));
    if let Plan::Single(work) = &mut order.plan {
        work.limits.output = 0;
    }
    assert_eq!(failed(order, true, None).state(), FAILED);
}

#[test]
fn of_several_that_failed_the_first_is_told_of_and_brought() {
    let desk = failed(map_reduce(1, 3, 1, false), true, None);
    assert_eq!(desk.state(), FAILED);
    assert_eq!(desk.asked.len(), 1);
}

#[test]
fn program_has_failed_even_if_its_outputs_never_come() {
    let mut desk = failed(single(1), false, None);
    assert_eq!(desk.state(), JobState::Collecting);
    desk.asked.clear();
    desk.starts_again();
    desk.says();
    assert_eq!(desk.state(), JobState::Collecting);
    assert_eq!(desk.asked.len(), 1, "they are asked for again");
    desk.waits_for_the_deadline();
    assert_eq!(desk.state(), FAILED);
}
