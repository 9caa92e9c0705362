//! The worst of each call, for measuring what it costs: bonds of which as many parts as may be are unbonding.

use frame_benchmarking::v2::*;
use frame_support::traits::{EnsureOrigin, fungible::Mutate as _};
use frame_system::RawOrigin;
use opensky_protocol::{
    Account, NodeKey, SecretKey, Verified,
    ledger::{
        Consent, NodeState, Operator, Terms, Unbonding,
        rules::{Purpose, Register as _},
    },
};

use crate::{Book, Call, Config, CurrentTerms, Nodes, Operators, Pallet};

/// More than any existential deposit.
const AMOUNT: u128 = 1_000_000_000_000;
const OWN: Account = Account([1; 32]);

/// An operator with so many parts of its bond unbonding, ready at that time.
fn operator<T: Config>(parts: usize, ready: u64) -> RawOrigin<T::AccountId> {
    let account = T::AccountId::from(OWN.0);
    let minted = T::Currency::mint_into(&account, 1_000 * AMOUNT);
    minted.expect("there is room for that much money");
    let amount = AMOUNT;
    let part = Unbonding { amount, ready };
    let operator = Operator {
        bond: AMOUNT,
        unbonding: alloc::vec![part; parts],
    };
    let mut book = Book::<T>::new();
    let held = book.hold(&OWN, Purpose::Bond, operator.at_stake());
    held.expect("it is rich");
    book.put_operator(&OWN, operator);
    RawOrigin::Signed(account)
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn certify() {
        let secret = SecretKey::from_seed(&[2; 32]);
        let consent = Consent {
            ledger: Pallet::<T>::ledger(),
            operator: OWN,
            node: secret.node(),
        };
        let origin = operator::<T>(0, 0);
        #[extrinsic_call]
        _(origin, Verified::sign(&secret, consent).into_signed());
        assert!(Nodes::<T>::contains_key(secret.node()));
    }

    #[benchmark]
    fn revoke() {
        let node = NodeKey([2; 32]);
        let state = NodeState {
            operator: OWN,
            revoked: None,
        };
        Nodes::<T>::insert(node, state);
        let origin = operator::<T>(0, 0);
        #[extrinsic_call]
        _(origin, node);
        assert!(Nodes::<T>::get(node).is_some_and(|node| node.revoked.is_some()));
    }

    #[benchmark]
    fn bond() {
        let origin = operator::<T>(Operator::MAX_UNBONDINGS, u64::MAX);
        #[extrinsic_call]
        _(origin, AMOUNT);
        assert_eq!(own::<T>().bond, 2 * AMOUNT);
    }

    #[benchmark]
    fn unbond() {
        let origin = operator::<T>(Operator::MAX_UNBONDINGS - 1, u64::MAX);
        #[extrinsic_call]
        _(origin, AMOUNT / 2);
        assert_eq!(own::<T>().unbonding.len(), Operator::MAX_UNBONDINGS);
    }

    #[benchmark]
    fn withdraw() {
        let origin = operator::<T>(Operator::MAX_UNBONDINGS, 0);
        #[extrinsic_call]
        _(origin);
        assert!(own::<T>().unbonding.is_empty());
    }

    #[benchmark]
    fn set_terms() -> Result<(), BenchmarkError> {
        let origin = T::Governance::try_successful_origin();
        let origin = origin.map_err(|()| BenchmarkError::Weightless)?;
        let terms = Terms {
            arbiter: Some(OWN),
            ..Terms::DEVELOPMENT
        };
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, terms.clone());
        assert_eq!(CurrentTerms::<T>::get(), terms);
        Ok(())
    }
}

fn own<T: Config>() -> Operator {
    Operators::<T>::get(T::AccountId::from(OWN.0))
}
