//! The worst of each call and of each step of a round, for measuring what it costs: as many parties as can be, and a full
//! roster of operators whose rows are as long as they get.
//!
//! The time is 0 throughout.

use alloc::vec::Vec;

use frame_benchmarking::v2::*;
use frame_support::{BoundedVec, traits::fungible::Mutate as _, weights::Weight};
use opensky_chain_pallet_providers::{Operators, offers};
use opensky_protocol::{
    Account, Digest, PriceTerms,
    ledger::{Moment, Offered, commitment},
};

use super::{Barred, Call, Config, Current, Last, MAX_PARTIES, Pallet, Party as Member, Round};
use crate::benchmarking::scene::{AMOUNT, OPERATORS, Party};

const ROUND: u64 = 100;
/// Somebody reveals, or the round comes to nothing.
const SILENT: u32 = MAX_PARTIES - 1;
const SECRET: Digest = Digest([5; 32]);

/// An operator that can lose as much as there is.
fn operator<T: Config>(number: u32) -> Party {
    let party = Party::rich::<T>(OPERATORS + number);
    party.bond::<T>();
    party
}

/// All operators that can offer anything.
fn fill_roster<T: Config>() -> Vec<Party> {
    let pot = T::Currency::mint_into(&crate::Pallet::<T>::pot(), AMOUNT);
    pot.expect("there is room for that much money");
    let operators: Vec<_> = (0..offers::MAX_LISTED).map(operator::<T>).collect();
    let listed = operators.iter().map(|operator| offers::Listed {
        operator: operator.account(),
        offer: Offered {
            ask: PriceTerms {
                dispatch: 0,
                per_gfuel: 0,
                per_gib: 0,
            },
            memory: 0,
            fuel: 0,
        },
    });
    let listed: Vec<_> = listed.collect();
    offers::Roster::<T>::put(BoundedVec::truncate_from(listed));
    offers::Pallet::<T>::enter();
    operators
}

/// A round of as many as can take part, of whom the first are silent.
fn begin<T: Config>(operators: &[Party], reveals: bool, time: u64, silent: u32) {
    let member = |(number, operator): (u32, &Party)| Member {
        operator: operator.account(),
        commitment: commitment(ROUND, &operator.account(), &SECRET),
        secret: (number >= silent).then_some(SECRET),
    };
    let parties = (0..MAX_PARTIES).zip(operators).map(member);
    let parties: Vec<_> = parties.collect();
    Current::<T>::put(Round {
        number: ROUND,
        begun: 1,
        until: Moment { time, block: 0 },
        reveals,
        parties: BoundedVec::truncate_from(parties),
    });
}

#[benchmarks]
mod benchmarks {
    use super::*;

    /// All places are taken, and one of those who have them has less at stake.
    #[benchmark]
    fn commit() {
        let operators = fill_roster::<T>();
        begin::<T>(&operators, false, 1, 0);
        let last = &operators[operators.len() - 1];
        last.bond_more::<T>();
        #[extrinsic_call]
        _(last.origin::<T>(), ROUND, SECRET);
        let round = Current::<T>::get();
        let takes_part = |account: Account| {
            let mut parties = round.iter().flat_map(|round| &round.parties);
            parties.any(|party| party.operator == account)
        };
        assert!(takes_part(last.account()));
    }

    #[benchmark]
    fn reveal() {
        let operators = fill_roster::<T>();
        begin::<T>(&operators, true, 1, MAX_PARTIES);
        let last = &operators[MAX_PARTIES as usize - 1];
        #[extrinsic_call]
        _(last.origin::<T>(), ROUND, SECRET);
        let round = Current::<T>::get().into_iter();
        let mut parties = round.flat_map(|round| round.parties);
        assert!(parties.any(|party| party.secret.is_some()));
    }

    /// It is waited for others.
    #[benchmark]
    fn go_on() {
        let operators = fill_roster::<T>();
        begin::<T>(&operators, false, 1, MAX_PARTIES);
        let used;
        #[block]
        {
            used = Pallet::<T>::go_on(Weight::MAX);
        }
        assert_eq!(used, Weight::zero());
    }

    /// The time of commitments is over, and all have taken back what they had at stake.
    #[benchmark]
    fn turn() {
        let operators = fill_roster::<T>();
        for operator in &operators {
            Operators::<T>::mutate(operator.id::<T>(), |row| row.bond = 0);
        }
        begin::<T>(&operators, false, 0, MAX_PARTIES);
        #[block]
        {
            Pallet::<T>::go_on(Weight::MAX);
        }
        assert!(Current::<T>::get().is_some_and(|round| round.reveals));
    }

    /// So many lose the penalty.
    #[benchmark]
    fn end(p: Linear<0, SILENT>) {
        let operators = fill_roster::<T>();
        begin::<T>(&operators, true, 0, p);
        #[block]
        {
            Pallet::<T>::go_on(Weight::MAX);
        }
        assert_eq!(Last::<T>::get().round, ROUND);
        assert_eq!(Barred::<T>::iter().count(), p as usize);
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::benchmarking::runtime::chain(Vec::new()),
        crate::benchmarking::runtime::Runtime
    );
}
