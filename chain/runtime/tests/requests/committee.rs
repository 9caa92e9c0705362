//! What committees come to, and what that costs.

use opensky_chain_pallet_jobs::requests::{Drawing, Own, Requests, Round};
use opensky_chain_pallet_providers::offers::{self, Records};
use opensky_chain_runtime::Runtime;
use opensky_protocol::{
    Class,
    ledger::{AnswerStatus, Data, Refund},
};
use sp_keyring::Ed25519Keyring as Key;

use crate::world::{ASK, FUEL, Habit, OUTPUT, World};

/// What one run is paid.
fn pay() -> u128 {
    ASK.of_unit(FUEL, 0)
}

/// Nothing of a request is left.
fn is_clean(world: &mut World) -> bool {
    let alice = Key::Alice.to_account_id();
    world.chain.with(|| {
        let held = frame_system::Account::<Runtime>::get(&alice).data.reserved;
        held == 0
            && Round::<Runtime>::get().is_empty()
            && Drawing::<Runtime>::get() == 0
            && Own::<Runtime>::get(&alice) == 0
            && Requests::<Runtime>::iter().next().is_none()
    })
}

#[test]
fn those_who_agree_are_paid_and_the_rest_goes_back() {
    let mut world = World::new(&[Habit::Honest; 5]);
    let issued = world.issued();
    let request = world.ask(world.asked(3));
    let before = world.has(Key::Alice);
    let (blocks, answer) = world.until_answered(request);
    assert_eq!(world.failed, []);
    assert_eq!(answer.status, AnswerStatus::Result(Class::Ok));
    assert_eq!(answer.output, Data::Inline(OUTPUT.to_vec()));
    assert_eq!((answer.fuel, answer.agreed, answer.asked), (FUEL, 3, 3));
    assert_eq!(world.has(Key::Alice), before - 3 * pay());
    assert_eq!(world.issued(), issued, "money neither comes nor goes");
    assert!(is_clean(&mut world));
    assert!(blocks <= 8, "{blocks} blocks");
}

#[test]
fn whoever_is_wrong_or_silent_is_replaced_and_not_paid() {
    for habit in [Habit::Wrong, Habit::Absent, Habit::Sulks] {
        let habits = [habit, Habit::Honest, Habit::Honest, Habit::Honest];
        let mut world = World::new(&habits);
        let mut asked = 0;
        // Until it was drawn once.
        for _ in 0..20 {
            let before = world.has(Key::Bob);
            let request = world.ask(world.asked(3));
            let (_, answer) = world.until_answered(request);
            assert_eq!(answer.status, AnswerStatus::Result(Class::Ok), "{habit:?}");
            assert_eq!(answer.output, Data::Inline(OUTPUT.to_vec()));
            assert_eq!(answer.agreed, 3);
            assert!(world.has(Key::Bob) <= before, "it earns nothing");
            assert!(is_clean(&mut world));
            asked = answer.asked;
            if asked == 4 {
                break;
            }
        }
        assert_eq!(asked, 4, "{habit:?} was never drawn");
        let bob = Key::Bob.to_account_id();
        let record = world.chain.with(|| Records::<Runtime>::get(&bob));
        let is_noted = match habit {
            Habit::Wrong => record.differed == 1 && record.missed == 0,
            _ => record.missed == 1 && record.differed == 0,
        };
        assert!(is_noted && record.agreed == 0, "{record:?}");
        assert_eq!(world.failed, []);
    }
}

#[test]
fn nobody_loses_a_bond_for_another_result() {
    let mut world = World::new(&[Habit::Wrong, Habit::Wrong, Habit::Honest, Habit::Honest]);
    let request = world.ask(world.asked(2));
    let before = world.chain.with(|| {
        opensky_chain_pallet_providers::Operators::<Runtime>::get(Key::Bob.to_account_id())
    });
    world.until_answered(request);
    let after = world.chain.with(|| {
        opensky_chain_pallet_providers::Operators::<Runtime>::get(Key::Bob.to_account_id())
    });
    assert_eq!(after, before);
}

#[test]
fn requester_has_its_money_back_by_itself_when_there_are_too_few() {
    let mut world = World::new(&[Habit::Honest; 3]);
    let before = world.has(Key::Alice);
    let request = world.ask(world.asked(3));
    let leaves = offers::Call::set_offer { offer: None };
    let events = world.chain.send(Key::Bob, leaves);
    world.hear(&events);
    let (blocks, answer) = world.until_answered(request);
    assert_eq!(answer.status, AnswerStatus::Refunded(Refund::Committee));
    assert!(blocks <= 8, "{blocks} blocks");
    assert!(is_clean(&mut world));
    let fee = before - world.has(Key::Alice);
    assert!(fee < 1_000_000_000, "only the fee is gone: {fee}");
}

#[test]
fn whoever_withholds_a_random_number_loses_and_sits_out() {
    let mut world = World::new(&[
        Habit::Withholds,
        Habit::Honest,
        Habit::Honest,
        Habit::Honest,
    ]);
    let request = world.ask(world.asked(2));
    let bond = |world: &mut World| {
        let bob = Key::Bob.to_account_id();
        world
            .chain
            .with(|| opensky_chain_pallet_providers::Operators::<Runtime>::get(bob).bond)
    };
    let before = bond(&mut world);
    world.until_answered(request);
    assert_eq!(bond(&mut world), before - 100_000_000);
    let request = world.ask(world.asked(2));
    world.until_answered(request);
    assert_eq!(
        bond(&mut world),
        before - 100_000_000,
        "it could not commit"
    );
    assert!(world.failed.iter().all(|(key, _)| *key == Key::Bob));
    assert!(!world.failed.is_empty());
}
