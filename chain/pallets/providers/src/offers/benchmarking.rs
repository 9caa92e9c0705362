//! The worst of each call, for measuring what it costs: full lists, and operators whose rows are as long as they get.
//!
//! The time is 0 throughout.

use alloc::vec::Vec;

use frame_benchmarking::v2::*;
use frame_support::{BoundedVec, traits::Get as _};
use frame_system::RawOrigin;
use opensky_protocol::{
    Account, Digest, PriceTerms,
    ledger::{Offered, Operator, Unbonding},
};

use super::{
    Call, Config, Holders, Listed, MAX_HOLDERS, MAX_LISTED, MAX_PINS, Pallet, Pins, Roster,
};
use crate::Operators;

const OWN: Account = Account([1; 32]);
const PROGRAM: Digest = Digest([2; 32]);

const OFFER: Offered = Offered {
    ask: PriceTerms {
        dispatch: u128::MAX,
        per_gfuel: u128::MAX,
        per_gib: u128::MAX,
    },
    memory: u64::MAX,
    fuel: u64::MAX,
};

fn other(number: u32) -> Account {
    Account(Digest::of(&number.to_le_bytes()).0)
}

/// Somebody with so much bonded, and as many parts of that unbonding as may be.
fn stake<T: Config>(account: &Account, bond: u128) -> RawOrigin<T::AccountId> {
    let id = T::AccountId::from(account.0);
    let part = Unbonding {
        amount: 1,
        ready: u64::MAX,
    };
    let unbonding = [part; Operator::MAX_UNBONDINGS].into();
    Operators::<T>::insert(&id, Operator { bond, unbonding });
    RawOrigin::Signed(id)
}

/// As many programs as an operator may pin, but for so many.
fn pins(fewer: u32) -> BoundedVec<Digest, frame_support::traits::ConstU32<MAX_PINS>> {
    let programs = (fewer..MAX_PINS).map(|number| Digest(other(number).0));
    BoundedVec::truncate_from(programs.collect())
}

#[benchmarks]
mod benchmarks {
    use super::*;

    /// Somebody is put off the roster.
    #[benchmark]
    fn set_offer() {
        let least = T::LeastStake::get();
        let origin = stake::<T>(&OWN, least + 1);
        let listed = (0..MAX_LISTED).map(|number| {
            stake::<T>(&other(number), least);
            Listed {
                operator: other(number),
                offer: OFFER,
            }
        });
        let listed: Vec<_> = listed.collect();
        Roster::<T>::put(BoundedVec::truncate_from(listed));
        #[extrinsic_call]
        _(origin, Some(OFFER));
        assert!(Pallet::<T>::is_listed(&OWN));
    }

    /// All who kept it have nothing at stake any more, and their pins are as many as may be.
    #[benchmark]
    fn pin() {
        let origin = stake::<T>(&OWN, T::LeastStake::get());
        Pins::<T>::insert(T::AccountId::from(OWN.0), pins(1));
        let holders = (0..MAX_HOLDERS).map(|number| {
            let mut pinned = pins(1);
            let pushed = pinned.try_push(PROGRAM);
            pushed.expect("there is room for one more");
            stake::<T>(&other(number), 0);
            Pins::<T>::insert(T::AccountId::from(other(number).0), pinned);
            (other(number), 1)
        });
        let holders: Vec<_> = holders.collect();
        Holders::<T>::insert(PROGRAM, BoundedVec::truncate_from(holders));
        #[extrinsic_call]
        _(origin, PROGRAM, 1);
        assert_eq!(Holders::<T>::get(PROGRAM).to_vec(), [(OWN, 1)]);
    }

    #[benchmark]
    fn unpin() {
        let origin = RawOrigin::Signed(T::AccountId::from(OWN.0));
        let mut pinned = pins(1);
        let pushed = pinned.try_push(PROGRAM);
        pushed.expect("there is room for one more");
        Pins::<T>::insert(T::AccountId::from(OWN.0), pinned);
        let others = (1..MAX_HOLDERS).map(|number| (other(number), 1));
        let holders: Vec<_> = others.chain([(OWN, 1)]).collect();
        Holders::<T>::insert(PROGRAM, BoundedVec::truncate_from(holders));
        #[extrinsic_call]
        _(origin, PROGRAM);
        assert_eq!(Holders::<T>::get(PROGRAM).len(), MAX_HOLDERS as usize - 1);
    }
}
