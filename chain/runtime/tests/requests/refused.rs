//! What is not taken, and why.

use frame_support::dispatch::{DispatchClass, GetDispatchInfo as _, Pays};
use opensky_chain_pallet_jobs::{
    beacon,
    requests::{self, Error, Event},
};
use opensky_chain_runtime::{Runtime, RuntimeCall, RuntimeEvent};
use opensky_protocol::{
    Digest,
    ledger::{Asked, Data},
};
use sp_keyring::Ed25519Keyring as Key;
use sp_runtime::DispatchError;

use crate::{
    chain::MINUTE,
    world::{Habit, World},
};

fn refused(world: &mut World, key: Key, call: requests::Call<Runtime>) -> DispatchError {
    let call: RuntimeCall = call.into();
    world.chain.block(vec![(key, call)]).remove(0).unwrap_err()
}

#[test]
fn what_cannot_be_asked_is_refused_with_its_reason() {
    let mut world = World::new(&[Habit::Honest; 3]);
    type Change = fn(&mut Asked);
    let cases: [(Change, Error<Runtime>); 12] = [
        (|asked| asked.program = Digest([8; 32]), Error::Unpinned),
        (|asked| asked.deadline += 2_000 * MINUTE, Error::TooLate),
        (|asked| asked.deadline += 1_000 * MINUTE, Error::Unpinned),
        (|asked| asked.deadline -= 60 * MINUTE, Error::TooSoon),
        // Nobody could be drawn.
        (|asked| asked.replicas = 4, Error::TooFew),
        (|asked| asked.max_price = 3_000_000, Error::TooFew),
        (|asked| asked.limits.memory = u64::MAX, Error::TooFew),
        (|asked| asked.limits.fuel = 1_000_000_000_001, Error::TooFew),
        (|asked| asked.replicas = 0, Error::NoReplicas),
        (|asked| asked.replicas = 8, Error::TooManyReplicas),
        (|asked| asked.max_price = 0, Error::Price),
        (
            |asked| asked.input = Data::Inline(vec![0; 16_385]),
            Error::Input,
        ),
    ];
    for (change, error) in cases {
        let mut asked = world.asked(3);
        change(&mut asked);
        let asked = Box::new(asked);
        let why = refused(&mut world, Key::Alice, requests::Call::request { asked });
        assert_eq!(why, error.into());
    }
}

#[test]
fn nobody_promises_or_shows_what_is_not_theirs_to_say() {
    let mut world = World::new(&[Habit::Sulks, Habit::Sulks, Habit::Sulks, Habit::Sulks]);
    let unknown = requests::Call::promise {
        request: Digest([1; 32]),
        promise: Digest([1; 32]),
    };
    assert_eq!(
        refused(&mut world, Key::Bob, unknown),
        Error::<Runtime>::Unknown.into()
    );
    let request = world.ask(world.asked(3));
    let promise = |hash| requests::Call::promise {
        request,
        promise: hash,
    };
    let early = refused(&mut world, Key::Bob, promise(Digest([1; 32])));
    assert_eq!(early, Error::<Runtime>::Stage.into());

    // All have promised.
    let is_promised = |events: &[RuntimeEvent]| {
        let mut events = events.iter();
        events.any(|event| matches!(event, RuntimeEvent::Requests(Event::Promised { .. })))
    };
    while !is_promised(&world.block()) {}
    let seats = world.seats(request);
    let [(one, ..), (other, ..), ..] = seats[..] else {
        panic!("{seats:?}")
    };
    let late = refused(&mut world, one, promise(Digest([1; 32])));
    assert_eq!(late, Error::<Runtime>::Stage.into());
    let stranger = world.showing(request, Key::Alice, Habit::Honest);
    assert_eq!(
        refused(&mut world, Key::Alice, stranger),
        Error::<Runtime>::NoSeat.into()
    );

    let bend = |what: fn(&mut Bent)| {
        let mut bent = Bent::of(world.showing(request, one, Habit::Honest));
        what(&mut bent);
        bent.into_call(request)
    };
    let right = world.showing(request, one, Habit::Honest);
    let said: Vec<(_, Result<(), Error<Runtime>>)> = vec![
        (
            world.showing(request, other, Habit::Honest),
            Err(Error::Broken),
        ),
        (
            world.showing(request, one, Habit::Wrong),
            Err(Error::Broken),
        ),
        (bend(|bent| bent.salt = Digest([0; 32])), Err(Error::Broken)),
        (bend(|bent| bent.signature.0[5] ^= 1), Err(Error::Statement)),
        (bend(|bent| bent.statement.fuel += 1), Err(Error::Statement)),
        (
            bend(|bent| bent.output = Some(b"forty-four".to_vec())),
            Err(Error::Output),
        ),
        (
            bend(|bent| bent.output = Some(vec![0; 5_000])),
            Err(Error::Output),
        ),
        (right.clone(), Ok(())),
        (right, Err(Error::Again)),
    ];
    // They have not much time: all of that in one block.
    let stranger = world.showing(request, Key::Alice, Habit::Honest);
    let mut calls = vec![(Key::Alice, stranger.into())];
    calls.extend(said.iter().map(|(call, _)| (one, call.clone().into())));
    let mut done = world.chain.block(calls).into_iter();
    assert_eq!(done.next(), Some(Err(Error::<Runtime>::NoSeat.into())));
    for ((call, expected), done) in said.into_iter().zip(done) {
        assert_eq!(done, expected.map_err(DispatchError::from), "{call:?}");
    }
}

struct Bent {
    statement: Box<opensky_protocol::Statement>,
    signature: opensky_protocol::Signature,
    salt: Digest,
    output: Option<Vec<u8>>,
}

impl Bent {
    fn of(call: requests::Call<Runtime>) -> Self {
        match call {
            requests::Call::show {
                statement,
                signature,
                salt,
                output,
                ..
            } => Self {
                statement,
                signature,
                salt,
                output,
            },
            other => panic!("{other:?}"),
        }
    }

    fn into_call(self, request: Digest) -> requests::Call<Runtime> {
        let Self {
            statement,
            signature,
            salt,
            output,
        } = self;
        requests::Call::show {
            request,
            statement,
            signature,
            salt,
            output,
        }
    }
}

/// What the chain asks of an operator is free; what it has not asked for is not, so that nobody fills blocks with it.
#[test]
fn words_that_do_not_count_cost_their_fee() {
    let mut world = World::new(&[Habit::Absent; 3]);
    let request = world.ask(world.asked(3));
    while world.seats(request).is_empty() {
        world.block();
    }
    let promise = || requests::Call::<Runtime>::promise {
        request,
        promise: Digest([1; 32]),
    };
    let before = world.has(Key::Bob);
    world.chain.send(Key::Bob, promise());
    assert_eq!(world.has(Key::Bob), before);
    let again = refused(&mut world, Key::Bob, promise());
    assert_eq!(again, Error::<Runtime>::Again.into());
    assert!(world.has(Key::Bob) < before);
}

#[test]
fn one_account_fills_its_own_places_only() {
    let mut world = World::new(&[Habit::Absent; 3]);
    let ask = |world: &World| {
        let asked = Box::new(world.asked(1));
        requests::Call::<Runtime>::request { asked }
    };
    for _ in 0..requests::MAX_OWN {
        let call = ask(&world);
        world.chain.send(Key::Alice, call);
    }
    let more = ask(&world);
    assert_eq!(
        refused(&mut world, Key::Alice, more),
        Error::<Runtime>::TooManyOwn.into()
    );
    let others = ask(&world);
    world.chain.send(Key::Two, others);
}

#[test]
fn what_the_chain_waits_for_has_a_part_of_each_block_for_itself() {
    let (request, round, digest) = (Digest([1; 32]), 1, Digest([2; 32]));
    let mut world = World::new(&[Habit::Honest]);
    world.ask(world.asked(1));
    let words: [RuntimeCall; 4] = [
        beacon::Call::commit {
            round,
            commitment: digest,
        }
        .into(),
        beacon::Call::reveal {
            round,
            secret: digest,
        }
        .into(),
        requests::Call::promise {
            request,
            promise: digest,
        }
        .into(),
        world.showing(request, Key::Bob, Habit::Honest).into(),
    ];
    for word in words {
        let info = word.get_dispatch_info();
        assert_eq!(info.class, DispatchClass::Operational, "{word:?}");
        // One that is not taken pays.
        assert_eq!(info.pays_fee, Pays::Yes, "{word:?}");
    }
}
