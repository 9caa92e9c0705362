//! Accounts, operators and their nodes.

use opensky_protocol::ledger::{Call, Consent, Rejection, Unbonding};

use crate::{
    driver::{START, on_each},
    world::{FAUCET, Job, MINUTE, Party},
};

#[test]
fn transfers_move_money_and_nothing_else() {
    on_each(|ledger, cast| {
        let to = cast.bob.account();
        let give = |amount| Call::Transfer { to, amount };
        ledger.ask(&cast.ada, give(100)).unwrap();
        assert_eq!(ledger.ask(&cast.ada, give(0)), Err(Rejection::Zero));
        assert_eq!(ledger.ask(&cast.ada, give(START)), Err(Rejection::Balance));
        let to_itself = Call::Transfer {
            to: cast.ada.account(),
            amount: 500,
        };
        ledger.ask(&cast.ada, to_itself).unwrap();
        assert_eq!(ledger.gains(cast), [-100, 100, 0, 0]);
    });
}

#[test]
fn faucet_makes_no_more_than_the_terms_say() {
    on_each(|ledger, cast| {
        let make = |amount| Call::Faucet { amount };
        ledger.ask(&cast.ada, make(FAUCET)).unwrap();
        let refused = ledger.ask(&cast.ada, make(FAUCET + 1));
        assert_eq!(refused, Err(Rejection::Faucet));
        let newcomer = Party::new(50);
        ledger.ask(&newcomer, make(FAUCET / 77)).unwrap();
        assert_eq!(ledger.state(&newcomer).purse.free, FAUCET / 77);
        assert_eq!(ledger.gains(cast), [FAUCET as i128, 0, 0, 0]);
    });
}

#[test]
fn bond_is_out_of_reach_until_it_was_unbonded_for_long_enough() {
    on_each(|ledger, cast| {
        let bob = &cast.bob;
        ledger.ask(bob, Call::Bond { amount: 500 }).unwrap();
        let too_much = Call::Unbond { amount: 501 };
        assert_eq!(ledger.ask(bob, too_much), Err(Rejection::Bond));
        ledger.ask(bob, Call::Unbond { amount: 200 }).unwrap();
        assert_eq!(ledger.ask(bob, Call::Withdraw), Err(Rejection::TooEarly));
        let state = ledger.state(bob);
        assert_eq!((state.purse.held, state.operator.bond), (500, 300));
        let [Unbonding { amount: 200, ready }] = state.operator.unbonding[..] else {
            panic!("{state:?}");
        };
        let wait = ready - ledger.now();
        ledger.pass(wait);
        ledger.ask(bob, Call::Withdraw).unwrap();
        let state = ledger.state(bob);
        assert_eq!((state.purse.held, state.operator.bond), (300, 300));
        assert_eq!(ledger.gain(bob), 0);
    });
}

#[test]
fn node_brings_money_in_and_takes_none_away() {
    on_each(|ledger, cast| {
        let (bob, hot) = (&cast.bob, Party::new(60));
        let operator = bob.account();
        let job = Job::new(ledger.id(), 1, &cast.ada);
        let deadline = ledger.now() + 60 * MINUTE;
        ledger.ask(&cast.ada, job.open(100, deadline)).unwrap();
        let consent = hot.sign(Consent {
            ledger: ledger.id(),
            operator,
            node: hot.node(),
        });
        let certify = Call::Certify { consent };
        let stolen = ledger.ask(&cast.cyd, certify.clone());
        assert_eq!(stolen, Err(Rejection::Unauthorised));
        ledger.ask(bob, certify.clone()).unwrap();
        assert_eq!(ledger.ask(bob, certify), Err(Rejection::NodeTaken));

        let before = ledger.state(bob).purse.free;
        ledger.ask_by(&hot, operator, job.claim(bob, 1)).unwrap();
        assert!(ledger.state(bob).purse.free >= before);
        // A claim that brings nothing costs nothing, however often it is asked.
        let before = ledger.state(bob).purse.free;
        ledger.ask_by(&hot, operator, job.claim(bob, 1)).unwrap();
        assert_eq!(ledger.state(bob).purse.free, before);
        assert_eq!(ledger.gains(cast), [-10, 10, 0, 0]);

        let revoke = Call::Revoke { node: hot.node() };
        let stolen = ledger.ask(&cast.cyd, revoke.clone());
        assert_eq!(stolen, Err(Rejection::NodeUnknown));
        ledger.ask(bob, revoke).unwrap();
    });
}
