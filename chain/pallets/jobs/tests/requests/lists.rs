//! Lists of operators that are as long as they get, and what is refused of what operators say.

use frame_support::{assert_noop, assert_ok, traits::fungible::Mutate as _};
use opensky_chain_pallet_jobs::{
    beacon::{self, BARRED, Current},
    requests::Error,
};
use opensky_chain_pallet_providers::{
    self as providers,
    offers::{Error as Offered, Event, Holders, MAX_LISTED, MAX_PINS, MAX_TERM, Pins, Roster},
};
use opensky_protocol::{
    Digest,
    ledger::{Callback, NodeState, commitment},
};
use sp_runtime::{DispatchError, TokenError};

use crate::{
    refused::scene,
    runtime::{
        Balances, Beacon, LEAST, Offers, Providers, Requests, Runtime, RuntimeEvent, RuntimeOrigin,
        System,
    },
    stage::{SLOT, Way, id, offer},
    world::{MINUTE, Party},
};

const PROGRAM: Digest = Digest([99; 32]);

/// One of many more operators, with that at stake.
fn operator(number: u16, stake: u128) -> RuntimeOrigin {
    let mut bytes = [0xbb; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    assert_ok!(Balances::mint_into(&bytes.into(), 10_000));
    let origin = RuntimeOrigin::signed(bytes.into());
    assert_ok!(Providers::bond(origin.clone(), stake));
    origin
}

fn displaced() -> usize {
    let events = System::events().into_iter().map(|record| record.event);
    let is_it =
        |event: &RuntimeEvent| matches!(event, RuntimeEvent::Offers(Event::Displaced { .. }));
    events.filter(is_it).count()
}

#[test]
fn roster_has_room_for_those_with_most_at_stake() {
    scene(1, |_| {
        let listed = Roster::<Runtime>::get().len() as u16;
        let all = MAX_LISTED as u16;
        for number in listed..all {
            let origin = operator(number, 10);
            assert_ok!(Offers::set_offer(origin, Some(offer(1))));
        }
        assert_eq!((Roster::<Runtime>::get().len(), displaced()), (128, 0));
        let full = Offered::<Runtime>::RosterFull;
        let poor = operator(all, 10);
        assert_noop!(Offers::set_offer(poor.clone(), Some(offer(1))), full);
        assert_ok!(Providers::bond(poor.clone(), 1));
        assert_ok!(Offers::set_offer(poor.clone(), Some(offer(1))));
        assert_eq!((Roster::<Runtime>::get().len(), displaced()), (128, 1));
        // Said again, it displaces nobody; taken back, there is room.
        assert_ok!(Offers::set_offer(poor.clone(), Some(offer(2))));
        assert_eq!(displaced(), 1);
        assert_ok!(Offers::set_offer(poor, None));
        assert_ok!(Offers::set_offer(operator(all + 1, LEAST), Some(offer(1))));
        crate::audit();
    });
}

#[test]
fn operator_pins_no_more_than_it_may_and_only_with_a_bond() {
    scene(1, |stage| {
        let now = stage.now;
        let origin = operator(1, 10);
        let pin = |number: u16, until| {
            let program = Digest::of(&number.to_le_bytes());
            Offers::pin(origin.clone(), program, until)
        };
        for number in 0..MAX_PINS as u16 {
            assert_ok!(pin(number, now + MINUTE));
        }
        type Told = Offered<Runtime>;
        assert_noop!(pin(MAX_PINS as u16, now + MINUTE), Told::TooManyPins);
        assert_noop!(pin(0, now), Told::Term);
        assert_noop!(pin(0, now + MAX_TERM + 1), Told::Term);
        // Said again the later term counts.
        assert_ok!(pin(0, now + 2 * MINUTE));
        assert_ok!(pin(0, now + MINUTE));
        let holders = Holders::<Runtime>::get(Digest::of(&0u16.to_le_bytes()));
        assert_eq!(holders[0].1, now + 2 * MINUTE);
        let stranger = RuntimeOrigin::signed(id(&Party::new(250)));
        let unbonded = DispatchError::from(Told::Unbonded);
        assert_noop!(Offers::pin(stranger.clone(), PROGRAM, now + 1), unbonded);
        assert_noop!(
            Offers::set_offer(stranger.clone(), Some(offer(1))),
            unbonded
        );
        assert_noop!(Offers::unpin(stranger, PROGRAM), Told::NotPinned);
        let poor = operator(2, LEAST - 1);
        assert_noop!(Offers::pin(poor.clone(), PROGRAM, now + 1), unbonded);
        assert_noop!(Offers::set_offer(poor, Some(offer(1))), unbonded);
        for number in 0..MAX_PINS as u16 {
            let program = Digest::of(&number.to_le_bytes());
            assert_ok!(Offers::unpin(origin.clone(), program));
        }
        assert!(!Pins::<Runtime>::iter_values().any(|pins| pins.len() > 2));
        crate::audit();
    });
}

#[test]
fn every_word_wants_a_signature() {
    scene(1, |stage| {
        let (name, none) = (stage.known[0].name, RuntimeOrigin::none);
        let bad = DispatchError::BadOrigin;
        let asked = Box::new(stage.known[0].asked.clone());
        assert_noop!(Requests::request(none(), asked), bad);
        assert_noop!(Offers::set_offer(none(), None), bad);
        assert_noop!(Offers::pin(none(), PROGRAM, 1), bad);
        assert_noop!(Offers::unpin(none(), PROGRAM), bad);
        let failed = [
            Requests::promise(none(), name, PROGRAM),
            Beacon::commit(none(), 1, PROGRAM),
            Beacon::reveal(none(), 1, PROGRAM),
        ];
        assert!(failed.iter().all(|done| done.unwrap_err().error == bad));
    });
}

#[test]
fn random_numbers_are_made_of_nothing_but_what_was_committed_to() {
    scene(1, |stage| {
        // Somebody waits again: a round begins.
        stage.ask_again();
        let round = Current::<Runtime>::get().unwrap().number;
        type Told = beacon::Error<Runtime>;
        let [one, other] = [2, 3].map(|at| stage.parties[at].account());
        let [first, second] = [2, 3].map(|at| RuntimeOrigin::signed(id(&stage.parties[at])));
        let secret = Digest([1; 32]);
        let word = commitment(round, &one, &secret);
        let commit = |origin: &RuntimeOrigin, round, word| {
            let done = Beacon::commit(origin.clone(), round, word);
            done.map(drop).map_err(|failed| failed.error)
        };
        let reveal = |origin: &RuntimeOrigin, secret| {
            let done = Beacon::reveal(origin.clone(), round, secret);
            done.map(drop).map_err(|failed| failed.error)
        };
        assert_eq!(commit(&first, round + 1, word), Err(Told::NotNow.into()));
        assert_eq!(reveal(&first, secret), Err(Told::NotNow.into()));
        assert_ok!(commit(&first, round, word));
        assert_eq!(commit(&first, round, word), Err(Told::Again.into()));
        // A copy of what another has committed to.
        assert_ok!(commit(&second, round, word));
        let asks = RuntimeOrigin::signed(id(&stage.parties[0]));
        assert_eq!(commit(&asks, round, word), Err(Told::NotListed.into()));
        for _ in 0..3 {
            stage.pass(SLOT);
        }
        assert_eq!(commit(&first, round, word), Err(Told::NotNow.into()));
        assert_eq!(reveal(&first, Digest([2; 32])), Err(Told::Broken.into()));
        assert_eq!(reveal(&asks, secret), Err(Told::Broken.into()));
        assert_ok!(reveal(&first, secret));
        assert_eq!(reveal(&first, secret), Err(Told::Again.into()));
        assert_eq!(reveal(&second, secret), Err(Told::Broken.into()));
        // Whoever copied can reveal nothing, loses, and sits out.
        let before = providers::Operators::<Runtime>::get(id(&stage.parties[3])).bond;
        while beacon::Last::<Runtime>::get().round < round {
            stage.pass(SLOT);
        }
        let bond = providers::Operators::<Runtime>::get(id(&stage.parties[3])).bond;
        assert_eq!(bond, before - crate::runtime::PENALTY);
        assert!(beacon::Barred::<Runtime>::get(id(&stage.parties[3])) == round + BARRED);
        stage.ask_again();
        let next = Current::<Runtime>::get().unwrap().number;
        let word = commitment(next, &other, &secret);
        assert_eq!(commit(&second, next, word), Err(Told::Barred.into()));
        crate::audit();
    });
}

#[test]
fn nobody_promises_for_an_operator_that_has_let_it_go() {
    scene(2, |stage| {
        let seats = stage.seats(0);
        let node = Party::new(240);
        let state = NodeState {
            operator: stage.parties[seats[0]].account(),
            revoked: Some(stage.now),
        };
        providers::Nodes::<Runtime>::insert(node.node(), state);
        let origin = RuntimeOrigin::signed(id(&node));
        let done = Requests::promise(origin, stage.known[0].name, PROGRAM);
        let told = Error::<Runtime>::NotANode;
        assert_eq!(done.unwrap_err().error, told.into());
    });
}

/// Two requests for the same are one unit: what was shown for one says nothing for the other, but by whom it is.
#[test]
fn receipt_of_another_is_not_taken_for_an_equal_request() {
    scene(1, |stage| {
        let seat = stage.seats(0)[0];
        let said = stage.statement(seat, 0, Way::Honest);
        stage.promise(seat, 0, stage.hash(seat, 0, &said));
        stage.show(seat, 0, said.clone());
        assert!(!stage.is_open(0), "it is answered");
        // Until somebody else is drawn.
        let mut at = 0;
        while at == 0 || stage.seats(at)[0] == seat {
            stage.ask_again();
            at += 1;
            while stage.seats(at).is_empty() {
                stage.block();
            }
        }
        assert_eq!(stage.row(at).unit, said.unit);
        let other = stage.seats(at)[0];
        // It promises what it saw, as if it were its own.
        stage.promise(other, at, stage.hash(other, at, &said));
        stage.show(other, at, said);
        assert!(stage.known[at].shown.is_empty());
    });
}

#[test]
fn what_cannot_be_paid_is_not_asked() {
    scene(1, |stage| {
        let payer = || id(&stage.parties[0]);
        let asked = || stage.known[0].asked.clone();
        let with = |max_price, callback| {
            let mut asked = asked();
            asked.deadline = stage.now + 10 * MINUTE;
            asked.max_price = max_price;
            asked.callback = callback;
            asked
        };
        let gas = |gas| {
            Some(Callback {
                contract: [1; 20],
                gas,
            })
        };
        let place = |asked| {
            frame_support::storage::with_storage_layer(|| Requests::place(payer(), asked))
                .unwrap_err()
        };
        let dust = asked().replicas;
        assert_eq!(
            place(with(u128::from(dust) - 1, None)),
            Error::<Runtime>::Price.into()
        );
        assert_eq!(
            place(with(u128::MAX, gas(1))),
            Error::<Runtime>::Overflow.into()
        );
        let poor = DispatchError::Token(TokenError::FundsUnavailable);
        assert_eq!(place(with(1_000_000, None)), poor);
        assert_eq!(place(with(1_000, gas(1_000_000))), poor);
        // Only contracts are called back, and they ask in another way.
        let by_hand = Requests::request(RuntimeOrigin::signed(payer()), Box::new(with(1, gas(1))));
        assert_eq!(by_hand, Err(Error::<Runtime>::Callback.into()));
        crate::audit();
    });
}
