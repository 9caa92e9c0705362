//! The worst of each call and of each thing that the chain does by itself, for measuring what it costs: as many requests as
//! can be open, the longest inputs and outputs, every seat taken, a full roster.
//!
//! The time is 0 throughout.

use alloc::{boxed::Box, vec, vec::Vec};

use frame_benchmarking::v2::*;
use frame_support::{BoundedVec, traits::fungible::MutateHold as _, weights::Weight};
use opensky_chain_pallet_providers::{Nodes, Operators, offers};
use opensky_protocol::{
    Account, Class, Commit, Digest, Limits, NodeKey, PriceTerms, Profile, Statement,
    ledger::{
        Answer, Asked, Callback, Data, Moment, NodeState, Offered, Operator, Refund, Request, Seat,
        Shown, Stage, Unbonding,
    },
};

use super::{
    Asks, Call, Config, Drawing, Due, HoldReason, MAX_OPEN, MEMBERS, Outputs, Own, Pallet,
    Requests, Round, Told, Untold, UntoldEnds, WeightInfo as _, upkeep::Looked,
};
use crate::{
    beacon,
    benchmarking::scene::{AMOUNT, OPERATORS, Party, id},
};

const SALT: Digest = Digest([3; 32]);
/// A request that is placed here: of 16 KiB, and as costly as they get.
const REQUEST: Digest = Digest([4; 32]);
const OVER: Moment = Moment { time: 0, block: 0 };
const LATER: Moment = Moment { time: 1, block: 0 };
/// Seats that were given before.
const BEFORE: u32 = 9;

fn asked(replicas: u8) -> Asked {
    Asked {
        program: id(0),
        input: Data::Inline(vec![1; Asked::MAX_INLINE]),
        limits: Limits::DEFAULT,
        replicas,
        max_price: AMOUNT * u128::from(replicas),
        deadline: 3_600_000,
        callback: Some(Callback {
            contract: [1; 20],
            gas: 0,
        }),
    }
}

fn ask() -> PriceTerms {
    PriceTerms {
        dispatch: AMOUNT,
        per_gfuel: 0,
        per_gib: 0,
    }
}

/// A seat whose operator has promised something, and has no account yet.
fn seat(number: u32) -> Seat {
    let operator = Party::new(OPERATORS + number);
    Seat {
        operator: operator.account(),
        ask: ask(),
        promise: Some((operator.node(), SALT)),
        shown: None,
        is_out: false,
    }
}

fn shown() -> Shown {
    Shown {
        key: id(0),
        class: Class::Ok,
        fuel: 0,
        output: SALT,
        output_len: 1,
    }
}

/// So many other requests are open.
fn others<T: Config>(number: u32) {
    let other = |number| Due {
        request: id(number),
        deadline: u64::MAX,
        stage: Stage::Drawing { since: u32::MAX },
    };
    let others: Vec<_> = (0..number).map(other).collect();
    Round::<T>::put(BoundedVec::truncate_from(others));
}

/// The last of as many requests as can be, with these seats.
fn open<T: Config>(asked: Asked, stage: Stage, seats: Vec<Seat>) -> Request {
    others::<T>(MAX_OPEN - 1);
    let payer = Party::rich::<T>(0);
    let held = T::Currency::hold(
        &HoldReason::Request.into(),
        &payer.id::<T>(),
        asked.max_price,
    );
    held.expect("it is rich");
    let mut row = Request::new(payer.account(), &asked, Profile::new("1"), 0, 0);
    row.stage = stage;
    row.seats = seats;
    let appended = Round::<T>::try_append(Due::of(REQUEST, &row));
    appended.expect("there is room for one more");
    Drawing::<T>::put(1);
    Own::<T>::insert(payer.id::<T>(), 1);
    Requests::<T>::insert(REQUEST, row.clone());
    Asks::<T>::insert(REQUEST, asked);
    row
}

/// An operator's row as long as it gets.
fn stake<T: Config>(account: &Account) {
    let part = Unbonding {
        amount: AMOUNT,
        ready: u64::MAX,
    };
    let operator = Operator {
        bond: AMOUNT,
        unbonding: [part; Operator::MAX_UNBONDINGS].into(),
    };
    Operators::<T>::insert(T::AccountId::from(account.0), operator);
}

/// As many operators as the roster takes, who can be drawn.
fn fill_roster<T: Config>() {
    let listed = (0..offers::MAX_LISTED).map(|number| {
        let operator = Account(id(number).0);
        stake::<T>(&operator);
        let offer = Offered {
            ask: ask(),
            memory: u64::MAX,
            fuel: u64::MAX,
        };
        offers::Listed { operator, offer }
    });
    let listed: Vec<_> = listed.collect();
    offers::Roster::<T>::put(BoundedVec::truncate_from(listed));
    offers::Pallet::<T>::enter();
    offers::Pallet::<T>::admit();
}

/// What a node says, with the longest output that is shown.
fn said(row: &Request, node: NodeKey, output: &[u8]) -> Statement {
    let mut said = Statement {
        unit: row.unit,
        compare_key: row.unit,
        class: Class::Ok,
        output: Digest::of(output),
        output_len: output.len() as u64,
        transcript: SALT,
        calls: 0,
        fuel: 1,
        profile: row.profile.clone(),
        node,
        operator: node.into(),
    };
    said.compare_key = said.key();
    said
}

/// Has a node work for an operator.
fn certify<T: Config>(node: &Party, operator: Account) {
    let state = NodeState {
        operator,
        revoked: None,
    };
    Nodes::<T>::insert(node.node(), state);
}

#[benchmarks(where T: beacon::Config)]
mod benchmarks {
    use super::*;

    /// The program's only holder is the last that is looked at.
    #[benchmark]
    fn request() {
        fill_roster::<T>();
        others::<T>(MAX_OPEN - 1);
        let payer = Party::rich::<T>(0);
        let holders = (0..offers::MAX_HOLDERS).map(|number| (Account(id(number).0), u64::MAX));
        let holders: Vec<_> = holders.collect();
        let (last, _) = holders[offers::MAX_HOLDERS as usize - 1];
        stake::<T>(&last);
        offers::Holders::<T>::insert(id(0), BoundedVec::truncate_from(holders));
        let asked = Asked {
            callback: None,
            ..asked(7)
        };
        #[extrinsic_call]
        _(payer.origin::<T>(), Box::new(asked));
        assert_eq!(Round::<T>::decode_len(), Some(MAX_OPEN as usize));
    }

    /// One more is waited for.
    #[benchmark]
    fn promise() {
        let node = Party::rich::<T>(1);
        let mut seats: Vec<_> = (0..MEMBERS).map(seat).collect();
        seats[0].promise = None;
        seats[15].promise = None;
        certify::<T>(&node, seats[15].operator);
        open::<T>(asked(7), Stage::Promising { until: LATER }, seats);
        #[extrinsic_call]
        _(node.origin::<T>(), REQUEST, SALT);
        assert!(Requests::<T>::get(REQUEST).is_some_and(|row| row.seats[15].promise.is_some()));
    }

    /// One more is waited for.
    #[benchmark]
    fn show() {
        let node = Party::rich::<T>(1);
        let mut seats: Vec<_> = (0..MEMBERS).map(seat).collect();
        let operator = seats[15].operator;
        certify::<T>(&node, operator);
        seats[1..15]
            .iter_mut()
            .for_each(|seat| seat.shown = Some(shown()));
        let mut row = open::<T>(asked(7), Stage::Showing { until: LATER }, seats);
        let output = vec![7; Answer::MAX_INLINE];
        let statement = said(&row, node.node(), &output);
        let turn = row.turn(&REQUEST, 15);
        let hash = Commit::hash_of(&node.node(), &turn, &statement.compare_key, &SALT);
        row.seats[15].promise = Some((node.node(), hash));
        Requests::<T>::insert(REQUEST, row);
        let signature = node.sign_statement(&statement);
        #[extrinsic_call]
        _(
            node.origin::<T>(),
            REQUEST,
            Box::new(statement),
            signature,
            SALT,
            Some(output),
        );
        assert!(Requests::<T>::get(REQUEST).is_some_and(|row| row.seats[15].shown.is_some()));
    }

    /// Nobody has promised anything: one more is to be drawn.
    #[benchmark]
    fn go_on() {
        let mut seats: Vec<_> = (1..MEMBERS).map(seat).collect();
        seats.iter_mut().for_each(|seat| seat.promise = None);
        open::<T>(asked(1), Stage::Promising { until: OVER }, seats);
        let looked;
        #[block]
        {
            looked = Pallet::<T>::look(&REQUEST, None);
        }
        assert_eq!(looked, Ok(Looked::GoesOn));
    }

    /// All agree, each begins an account with what it is paid, and as many outputs were shown.
    #[benchmark(pov_mode = MaxEncodedLen { Requests::Outputs: Measured })]
    fn end(s: Linear<1, MEMBERS>) {
        let seats = (0..s).map(|number| Seat {
            shown: Some(shown()),
            ..seat(number)
        });
        open::<T>(
            asked(s as u8),
            Stage::Showing { until: OVER },
            seats.collect(),
        );
        for number in 0..s {
            let output = vec![7; Answer::MAX_INLINE];
            Outputs::<T>::insert(REQUEST, id(number), BoundedVec::truncate_from(output));
        }
        let looked;
        #[block]
        {
            looked = Pallet::<T>::look(&REQUEST, None);
        }
        assert_eq!(looked, Ok(Looked::Over(s)));
        assert_eq!(UntoldEnds::<T>::get(), (0, 1));
    }

    /// As many as can be needed at once are drawn.
    #[benchmark]
    fn draw() {
        fill_roster::<T>();
        let out = |number| Seat {
            is_out: true,
            promise: None,
            ..seat(number)
        };
        let seats = (0..BEFORE).map(out).collect();
        open::<T>(asked(7), Stage::Drawing { since: 0 }, seats);
        beacon::Last::<T>::put(beacon::Outcome {
            round: 1,
            seed: SALT,
            begun: 1,
        });
        let roster = offers::Eligible::<T>::get();
        let looked;
        #[block]
        {
            looked = Pallet::<T>::look(&REQUEST, Some(&roster));
        }
        assert_eq!(looked, Ok(Looked::Seated));
    }

    /// As many as can be are open, and none of them is due.
    #[benchmark]
    fn tend() {
        others::<T>(MAX_OPEN);
        let used;
        #[block]
        {
            used = Pallet::<T>::tend(Weight::MAX);
        }
        assert_eq!(used, <T as Config>::WeightInfo::tend());
    }

    #[benchmark]
    fn tend_roster() {
        fill_roster::<T>();
        let staked;
        #[block]
        {
            staked = offers::Eligible::<T>::get();
        }
        assert_eq!(staked.len(), offers::MAX_LISTED as usize);
    }

    /// There is nobody to tell: what the call takes is counted apart.
    #[benchmark]
    fn tell() {
        let payer = Party::rich::<T>(0);
        let held = T::Currency::hold(&HoldReason::Request.into(), &payer.id::<T>(), AMOUNT);
        held.expect("it is rich");
        let mut answer = Answer::refunded(Refund::Deadline, 0);
        answer.output = Data::Inline(vec![7; Answer::MAX_INLINE]);
        let told = Told {
            payer: payer.id::<T>(),
            contract: [1; 20],
            gas: 0,
            held: AMOUNT,
            request: REQUEST,
            answer,
        };
        Own::<T>::insert(payer.id::<T>(), 1);
        Untold::<T>::insert(0, told);
        UntoldEnds::<T>::put((0, 1));
        #[block]
        {
            Pallet::<T>::tell(Weight::MAX);
        }
        assert_eq!(UntoldEnds::<T>::get(), (1, 1));
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::benchmarking::runtime::chain(Vec::new()),
        crate::benchmarking::runtime::Runtime
    );
}
