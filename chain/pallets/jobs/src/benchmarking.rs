//! The worst of each call, for measuring what it costs: the longest lists, the fullest agenda, rows as long as they get.
//!
//! The time is 0 throughout: an escrow with a deadline of 0 is over, and in the phase that the terms leave no time before.

#[cfg(test)]
#[path = "../tests/conformance/runtime.rs"]
pub(crate) mod runtime;
pub(crate) mod scene;

use alloc::{boxed::Box, vec, vec::Vec};

use frame_benchmarking::v2::*;
use opensky_protocol::{
    Digest, MerklePath,
    ledger::{Call as Wanted, PaidTurn, Showing, Verdict},
};

use self::scene::*;
use crate::{Agenda, Call, Cases, Config, Escrows, Pallet, Tabs, WeightInfo as _, book::LOOKED_AT};

/// A claim of pairs is of so many escrows and operators.
const SIDE: u32 = 15;
/// Pairs of those beyond what each escrow and each operator is in once.
const PAIRS: u32 = (SIDE - 1) * (SIDE - 1);
/// Rows of an escrow that are there beside those that a call is about.
const NEIGHBOURS: u32 = 256;
const VOUCHERS: u32 = Wanted::MAX_VOUCHERS as u32;
const UNITS: u32 = Wanted::MAX_UNITS as u32;
const EVIDENCE: u32 = Showing::MAX_EVIDENCE as u32;
const OPENED: u32 = Showing::MAX_OPENED as u32;
const LOOKS: u32 = LOOKED_AT as u32;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn open_escrow() {
        let payer = Party::rich::<T>(0);
        let escrow = id(0);
        fill_agenda::<T>(1 + PHASE);
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow, payer.node(), AMOUNT, 1);
        assert!(Escrows::<T>::contains_key(escrow));
    }

    #[benchmark]
    fn top_up() {
        let (payer, escrow) = open::<T>(0, 1, 0);
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow, AMOUNT);
        assert_eq!(left::<T>(&escrow), 2 * AMOUNT);
    }

    #[benchmark]
    fn close() {
        let (payer, escrow) = open::<T>(0, 1, 0);
        fill_agenda::<T>(PHASE);
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow);
        assert!(Escrows::<T>::get(escrow).is_some_and(|escrow| escrow.closed.is_some()));
    }

    /// Each voucher is of an escrow and a payer of its own.
    #[benchmark]
    fn claim(e: Linear<0, VOUCHERS>) {
        let operator = operator(0);
        let opened = (0..e).map(|number| open::<T>(number, 1, 0));
        let vouchers: Vec<_> = opened
            .map(|(payer, escrow)| {
                earlier::<T>(&escrow, 1);
                payer.sign(voucher::<T>(&payer, escrow, operator))
            })
            .collect();
        #[extrinsic_call]
        _(Party::new(ARBITER).origin::<T>(), vouchers);
        assert_eq!(paid::<T>(), e as usize);
    }

    /// Each voucher is for an operator of its own, which begins an account with it.
    #[benchmark(pov_mode = MaxEncodedLen { Jobs::Tabs: Measured })]
    fn claim_of_operators(o: Linear<0, VOUCHERS>) {
        let (payer, escrow) = open::<T>(0, 1, 0);
        earlier::<T>(&escrow, VOUCHERS);
        let vouchers: Vec<_> = (0..o)
            .map(|number| payer.sign(voucher::<T>(&payer, escrow, operator(number))))
            .collect();
        #[block]
        {
            Pallet::<T>::claim(payer.origin::<T>().into(), vouchers).expect("all are paid");
        }
        assert_eq!(paid::<T>(), o as usize);
    }

    /// Each voucher is of an escrow and for an operator of which there are others.
    #[benchmark(pov_mode = MaxEncodedLen { Jobs::Tabs: Measured })]
    fn claim_of_pairs(v: Linear<0, PAIRS>) {
        let opened: Vec<_> = (0..SIDE).map(|number| open::<T>(number, 1, 0)).collect();
        for (_, escrow) in &opened {
            earlier::<T>(escrow, NEIGHBOURS);
        }
        let pairs = (0..SIDE).flat_map(|escrow| (0..SIDE).map(move |operator| (escrow, operator)));
        let (once, more): (Vec<_>, Vec<_>) =
            pairs.partition(|(escrow, operator)| *escrow == 0 || *operator == 0);
        let pairs = once.into_iter().chain(more.into_iter().take(v as usize));
        let vouchers: Vec<_> = pairs
            .map(|(escrow, operator)| {
                let (payer, escrow) = &opened[escrow as usize];
                payer.sign(voucher::<T>(payer, *escrow, scene::operator(operator)))
            })
            .collect();
        let all = vouchers.len();
        #[block]
        {
            Pallet::<T>::claim(opened[0].0.origin::<T>().into(), vouchers).expect("all are paid");
        }
        assert_eq!(paid::<T>(), all);
    }

    /// Each step is a hash on the way from a value to what is signed.
    #[benchmark]
    fn paths(s: Linear<0, 31>) {
        let path = MerklePath {
            index: 0,
            count: 1 << s,
            siblings: vec![Digest([1; 32]); s as usize],
        };
        let root;
        #[block]
        {
            root = path.root(&Digest([2; 32]));
        }
        assert!(root.is_some());
    }

    /// Each turn is the last that a unit has room for, and of a node of its own; there is a voucher, which pays.
    #[benchmark(pov_mode = MaxEncodedLen { Jobs::Cases: Measured })]
    fn show(e: Linear<0, EVIDENCE>) {
        let (requester, escrow) = open::<T>(0, 0, 0);
        let operator = Party::rich::<T>(OPERATORS);
        operator.bond::<T>();
        let opened = vec![turn(UNITS_PAID)];
        let sealed = requester.sign(opens::<T>(&requester, escrow, &operator, &opened));
        for number in 0..NEIGHBOURS {
            Cases::<T>::insert(escrow, id(number), full_case(number * FULL, 2));
        }
        let turns = (0..e).map(|number| {
            Cases::<T>::insert(escrow, unit(number), full_case(number * FULL, FULL - 1));
            evidence::<T>(&requester, escrow, &operator, number)
        });
        let showing = Showing {
            escrow,
            voucher: Some(sealed),
            opened,
            evidence: turns.collect(),
        };
        #[extrinsic_call]
        _(
            operator.origin::<T>(),
            operator.id::<T>(),
            Box::new(showing),
        );
        let is_full = |unit| {
            let case = Cases::<T>::get(escrow, unit);
            case.is_some_and(|case| case.filed.len() == FULL as usize)
        };
        assert!((0..e).map(unit).all(is_full));
    }

    /// Each turn is one that the voucher pays.
    #[benchmark]
    fn show_opened(o: Linear<0, OPENED>) {
        let (requester, escrow) = open::<T>(0, 0, 0);
        let operator = Party::rich::<T>(OPERATORS);
        let opened: Vec<PaidTurn> = (0..o).map(turn).collect();
        let sealed = requester.sign(opens::<T>(&requester, escrow, &operator, &opened));
        let showing = Showing {
            escrow,
            voucher: Some(sealed),
            opened,
            evidence: Vec::new(),
        };
        #[block]
        {
            let id = operator.id::<T>();
            Pallet::<T>::show(operator.origin::<T>().into(), id, Box::new(showing))
                .expect("all are paid");
        }
        assert_eq!(Tabs::<T>::iter().count(), 1);
    }

    #[benchmark]
    fn object() {
        let (payer, escrow) = open::<T>(0, 0, 1);
        Cases::<T>::insert(escrow, unit(0), full_case(0, FULL));
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow, unit(0));
        assert!(Cases::<T>::get(escrow, unit(0)).is_some_and(|case| case.objection.is_some()));
    }

    #[benchmark]
    fn resolve() {
        let (_, escrow) = open::<T>(0, 0, 1);
        let mut case = full_case(0, FULL);
        case.filed[0].compare_key = WRONG;
        Cases::<T>::insert(escrow, unit(0), case);
        begin_verdicts::<T>();
        fill_agenda::<T>(0);
        let verdict = Verdict::Result(RIGHT);
        #[extrinsic_call]
        _(Party::new(ARBITER).origin::<T>(), escrow, unit(0), verdict);
        assert!(Cases::<T>::get(escrow, unit(0)).is_some_and(|case| case.verdict.is_some()));
    }

    /// Each unit has a verdict, by which all operators but one lose a part of their bonds.
    #[benchmark(pov_mode = MaxEncodedLen { Jobs::Cases: Measured, Jobs::Tabs: Measured })]
    fn settle(u: Linear<0, UNITS>) {
        let (payer, escrow) = open::<T>(0, 0, u);
        let units: Vec<_> = (0..u).map(unit).collect();
        (0..u).for_each(|number| judged::<T>(escrow, number));
        begin_verdicts::<T>();
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow, units);
        assert_eq!(Cases::<T>::iter().count(), 0);
    }

    #[benchmark]
    fn refund() {
        let (payer, escrow) = open::<T>(0, 0, 0);
        begin_verdicts::<T>();
        #[extrinsic_call]
        _(payer.origin::<T>(), escrow);
        assert_eq!(left::<T>(&escrow), 0);
    }

    /// There is no room for any escrow of the turn.
    #[benchmark]
    fn tend_turn() {
        let (_, escrow) = open::<T>(0, 0, 0);
        fill_turn::<T>(0, escrow);
        #[block]
        {
            Pallet::<T>::tend(<T as Config>::WeightInfo::tend_turn());
        }
        assert!(left::<T>(&escrow) > 0);
    }

    /// Nobody has claimed anything of the escrow.
    #[benchmark]
    fn tend_refund() {
        let (_, escrow) = open::<T>(0, 0, 0);
        begin_verdicts::<T>();
        fill_turn::<T>(0, escrow);
        #[block]
        {
            Pallet::<T>::tend_one(0, &escrow, 0, 1);
        }
        assert_eq!(left::<T>(&escrow), 0);
    }

    /// Each unit waits for its verdict.
    #[benchmark(pov_mode = MaxEncodedLen { Jobs::Cases: Measured })]
    fn tend_cases(c: Linear<1, LOOKS>) {
        let (_, escrow) = open::<T>(0, 0, c);
        for number in 0..c {
            let mut case = full_case(number * FULL, FULL);
            case.filed[0].compare_key = WRONG;
            Cases::<T>::insert(escrow, unit(number), case);
        }
        begin_verdicts::<T>();
        fill_agenda::<T>(PHASE);
        fill_turn::<T>(0, escrow);
        #[block]
        {
            Pallet::<T>::tend_one(0, &escrow, 0, 1);
        }
        assert!(Agenda::<T>::iter_values().any(|due| due.contains(&escrow)));
    }
    impl_benchmark_test_suite!(Pallet, runtime::chain(Vec::new()), runtime::Runtime);
}
