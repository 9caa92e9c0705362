//! A state that no calls lead to is found out.
#![cfg(feature = "try-runtime")]
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

mod requests;
#[path = "../conformance/runtime.rs"]
mod runtime;
#[path = "../requests/stage.rs"]
#[allow(dead_code)] // each test takes its share
mod stage;
#[path = "../../../../../crates/ledger/tests/world/mod.rs"]
mod world;

use frame_support::{
    assert_ok,
    traits::{
        TryState as _, TryStateSelect,
        fungible::MutateHold as _,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use opensky_chain_pallet_jobs::{Cases, Escrows, HoldReason, NextTurn, Tabs};
use opensky_chain_pallet_providers::{Nodes, Operators};
use opensky_protocol::{
    Digest, NodeKey,
    ledger::{Case, Escrow, NodeState, Operator, Tab},
};
use runtime::{
    AllPalletsWithSystem, Balances, Jobs, Providers, Runtime, RuntimeOrigin, System, Timestamp,
    audit, chain,
};
use sp_runtime::{AccountId32, TryRuntimeError};
use world::Party;

const ESCROW: Digest = Digest([1; 32]);
const UNIT: Digest = Digest([2; 32]);

/// What a state is found out for, after somebody with an escrow and a bond has had it broken.
fn found(breaks: impl FnOnce(&Party)) -> Result<(), TryRuntimeError> {
    let ada = Party::new(1);
    let account = AccountId32::from(ada.account().0);
    let accounts = vec![(account.clone(), 1_000), (Jobs::pot(), 1)];
    chain(accounts).execute_with(|| {
        System::set_block_number(1);
        Timestamp::set_timestamp(6_000_000);
        let origin = || RuntimeOrigin::signed(account.clone());
        assert_ok!(Jobs::open_escrow(
            origin(),
            ESCROW,
            ada.node(),
            100,
            6_000_001
        ));
        assert_ok!(Providers::bond(origin(), 100));
        audit();
        breaks(&ada);
        AllPalletsWithSystem::try_state(1, TryStateSelect::All)
    })
}

fn escrow(change: impl Fn(&mut Escrow)) -> Result<(), TryRuntimeError> {
    found(|_| Escrows::<Runtime>::mutate(ESCROW, |escrow| change(escrow.as_mut().unwrap())))
}

#[test]
fn escrow_that_does_not_add_up_is_found() {
    assert_eq!(escrow(|_| {}), Ok(()));
    escrow(|escrow| escrow.paid = 1).unwrap_err();
    escrow(|escrow| escrow.paid = 101).unwrap_err();
    escrow(|escrow| escrow.locked = 101).unwrap_err();
    escrow(|escrow| escrow.reserved = 1).unwrap_err();
    escrow(|escrow| escrow.cases = 1).unwrap_err();
}

#[test]
fn money_that_is_held_for_nothing_is_found() {
    let reasons = [
        HoldReason::Escrow.into(),
        opensky_chain_pallet_providers::HoldReason::Bond.into(),
    ];
    for reason in reasons {
        let broken = found(|ada| {
            let account = AccountId32::from(ada.account().0);
            assert_ok!(Balances::hold(&reason, &account, 1));
        });
        broken.unwrap_err();
    }
    let broken = found(|ada| {
        let account = AccountId32::from(ada.account().0);
        let (reason, all) = (HoldReason::Escrow.into(), Precision::Exact);
        let moved = Balances::transfer_on_hold(
            &reason,
            &account,
            &Jobs::pot(),
            1,
            all,
            Restriction::Free,
            Fortitude::Polite,
        );
        assert_ok!(moved);
    });
    broken.unwrap_err();
}

#[test]
fn rows_that_belong_to_nothing_are_found() {
    let other = Digest([9; 32]);
    let account = |party: &Party| AccountId32::from(party.account().0);
    found(|_| Cases::<Runtime>::insert(other, UNIT, Case::default())).unwrap_err();
    found(|_| Cases::<Runtime>::insert(ESCROW, UNIT, Case::default())).unwrap_err();
    found(|ada| Tabs::<Runtime>::insert(other, account(ada), Tab::default())).unwrap_err();
    found(|_| NextTurn::<Runtime>::put(u64::MAX)).unwrap_err();
    found(|ada| Operators::<Runtime>::insert(account(ada), Operator::default())).unwrap_err();
    let certified = |node: fn(&Party) -> NodeKey, revoked| {
        found(|ada| {
            let operator = ada.account();
            let revoked = Some(revoked);
            Nodes::<Runtime>::insert(node(ada), NodeState { operator, revoked });
        })
    };
    let other = |_: &Party| Party::new(2).node();
    certified(other, 6_000_000).unwrap();
    certified(other, 6_000_001).unwrap_err();
    certified(Party::node, 6_000_000).unwrap_err();
}
