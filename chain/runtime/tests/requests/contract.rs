//! A contract asks, operators answer, and the contract is told.

use opensky_chain_pallet_jobs::requests::{Asks, Event, UntoldEnds};
use opensky_chain_runtime::{Runtime, RuntimeEvent};
use opensky_protocol::Digest;
use pallet_revive::precompiles::alloy::primitives::U256;
use sp_keyring::Ed25519Keyring as Key;

use crate::{
    solidity::{self, Contract, Requester, args},
    world::{ERROR, FUEL, Habit, OUTPUT, PROGRAM, SKY, World},
};

/// A SKY, as contracts count.
const ETHER: u128 = 1_000_000_000_000_000_000;

/// What a contract is told that asks operators with those habits.
fn told(habits: &[Habit]) -> solidity::Result {
    let mut world = World::new(habits);
    let contract = Contract::deploy(&mut world.chain, "Requester", args(PROGRAM.0), 20 * SKY);
    let ask = Requester::askCall {
        input: b"what is it?".to_vec().into(),
        maxPrice: U256::from(3 * ETHER),
    };
    let events = world.chain.send(Key::Alice, contract.call(ask));
    let placed = events.iter().find_map(|event| match event {
        RuntimeEvent::Requests(Event::Placed { request, .. }) => Some(*request),
        _ => None,
    });
    let request: Digest = placed.unwrap();
    let asked = world.chain.with(|| Asks::<Runtime>::get(request)).unwrap();
    world.follow(asked, &events);
    let (blocks, _) = world.until_answered(request);

    // It is told in the same block, or in one of the next.
    let is_told = |world: &mut World| {
        let (first, next) = world.chain.with(UntoldEnds::<Runtime>::get);
        first == next && next == 1
    };
    for _ in 0..3 {
        if !is_told(&mut world) {
            world.block();
        }
    }
    assert!(is_told(&mut world));
    let id = request.0.into();
    assert!(!contract.look(&mut world.chain, Requester::isOpenCall { id }));
    let result = contract.look(&mut world.chain, Requester::resultCall { id });
    assert_eq!(result.fuel, FUEL);
    assert!(blocks < 20, "{blocks} blocks");
    result
}

#[test]
fn contract_is_told_what_a_committee_found() {
    let result = told(&[Habit::Honest, Habit::Wrong, Habit::Honest, Habit::Honest]);
    assert_eq!((result.status, &result.output[..]), (0, OUTPUT));
    assert_eq!(result.digest.0, Digest::of(OUTPUT).0);
}

#[test]
fn contract_is_told_what_the_program_says_is_wrong() {
    let result = told(&[Habit::Errs; 4]);
    assert_eq!((result.status, &result.output[..]), (1, ERROR));
    assert_eq!(result.digest.0, Digest::of(ERROR).0);
}
