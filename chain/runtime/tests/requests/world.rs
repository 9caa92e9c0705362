//! A chain with operators who do what their habits say, whatever the chain asks of them.

use opensky_chain_pallet_jobs::{
    beacon::{self, Event as Drawing},
    requests::{self, Event as Asking},
};
use opensky_chain_pallet_providers::{self as providers, offers};
use opensky_chain_runtime::{Balance, Balances, Runtime, RuntimeCall, RuntimeEvent};
use opensky_protocol::{
    Account, Class, Commit, Digest, Limits, NodeKey, Outputs, PriceTerms, Profile, Receipt,
    SecretKey, Transcript, Turn,
    ledger::{Answer, Asked, Data, Offered},
    names,
};
use sp_keyring::Ed25519Keyring as Key;
use sp_runtime::DispatchError;

use crate::chain::{Chain, MINUTE};

/// A SKY, in the smallest coin.
pub const SKY: Balance = 1_000_000_000_000;
/// What is asked to be run.
pub const PROGRAM: Digest = Digest([7; 32]);
/// What each operator asks.
pub const ASK: PriceTerms = PriceTerms {
    dispatch: 1_000_000,
    per_gfuel: 1_000_000_000,
    per_gib: 0,
};
/// What the program says.
pub const OUTPUT: &[u8] = b"forty-two";
/// What it says when it fails.
pub const ERROR: &[u8] = b"nobody asked";
/// What a run takes.
pub const FUEL: u64 = 1_000_000;

/// What an operator does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// All that it should.
    Honest,
    /// Takes part in no committee.
    Absent,
    /// Promises and does not show.
    Sulks,
    /// Has another result.
    Wrong,
    /// Has an error of the program's own.
    Errs,
    /// Commits to a random number and does not reveal it.
    Withholds,
}

/// What a seat is still to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owes {
    Promise,
    Result,
    Nothing,
}

/// The chain and its operators.
pub struct World {
    pub chain: Chain,
    pub operators: Vec<(Key, Habit)>,
    /// What each of their calls came to that failed.
    pub failed: Vec<(Key, DispatchError)>,
    waiting: Vec<(Key, RuntimeCall)>,
    asked: Option<Asked>,
}

impl World {
    /// Operators with those habits, bonded, with an offer, who keep the program at hand.
    pub fn new(habits: &[Habit]) -> Self {
        let keys = [
            Key::Bob,
            Key::Charlie,
            Key::Dave,
            Key::Eve,
            Key::Ferdie,
            Key::One,
            Key::Two,
        ];
        let operators: Vec<_> = keys.into_iter().zip(habits.iter().copied()).collect();
        let mut chain = Chain::new();
        for (key, _) in &operators {
            let offer = Offered {
                ask: ASK,
                memory: 1 << 32,
                fuel: 1_000_000_000_000,
            };
            chain.send(*key, providers::Call::bond { amount: 100 * SKY });
            chain.send(*key, offers::Call::set_offer { offer: Some(offer) });
            let until = chain.now + 1_000 * MINUTE;
            chain.send(
                *key,
                offers::Call::pin {
                    program: PROGRAM,
                    until,
                },
            );
        }
        Self {
            chain,
            operators,
            failed: Vec::new(),
            waiting: Vec::new(),
            asked: None,
        }
    }

    /// A request for so many equal results.
    pub fn asked(&self, replicas: u8) -> Asked {
        Asked {
            program: PROGRAM,
            input: Data::Inline(b"what is it?".to_vec()),
            limits: Limits::DEFAULT,
            replicas,
            max_price: u128::from(replicas) * SKY,
            deadline: self.chain.now + 60 * MINUTE,
            callback: None,
        }
    }

    /// Alice asks.
    pub fn ask(&mut self, asked: Asked) -> Digest {
        self.asked = Some(asked.clone());
        let asked = Box::new(asked);
        let events = self
            .chain
            .send(Key::Alice, requests::Call::request { asked });
        self.hear(&events);
        let placed = events.iter().find_map(|event| match event {
            RuntimeEvent::Requests(Asking::Placed { request, .. }) => Some(*request),
            _ => None,
        });
        placed.unwrap()
    }

    /// Somebody else asks that.
    pub fn follow(&mut self, asked: Asked, events: &[RuntimeEvent]) {
        self.asked = Some(asked);
        self.hear(events);
    }

    /// One block: the operators say what they have to say since the last one.
    pub fn block(&mut self) -> Vec<RuntimeEvent> {
        let calls = std::mem::take(&mut self.waiting);
        let keys: Vec<_> = calls.iter().map(|(key, _)| *key).collect();
        let done = self.chain.block(calls);
        let failed = keys.into_iter().zip(done);
        let failed = failed.filter_map(|(key, done)| Some((key, done.err()?)));
        self.failed.extend(failed);
        let events = self.chain.events();
        self.hear(&events);
        events
    }

    /// Blocks until the request is over: how many, and what became of it.
    pub fn until_answered(&mut self, request: Digest) -> (usize, Answer) {
        for blocks in 1..1_000 {
            for event in self.block() {
                if let RuntimeEvent::Requests(Asking::Answered {
                    request: of,
                    answer,
                    ..
                }) = event
                    && of == request
                {
                    return (blocks, answer);
                }
            }
        }
        panic!("there is no answer");
    }

    /// All the money that an account has, held money too.
    pub fn has(&mut self, key: Key) -> Balance {
        let account = key.to_account_id();
        self.chain.with(|| {
            let state = frame_system::Account::<Runtime>::get(&account);
            state.data.free + state.data.reserved
        })
    }

    /// All the money that there is.
    pub fn issued(&mut self) -> Balance {
        self.chain.with(Balances::total_issuance)
    }

    /// Operators know what has happened.
    pub fn hear(&mut self, events: &[RuntimeEvent]) {
        for event in events {
            match event {
                RuntimeEvent::Beacon(Drawing::Begun { round }) => self.commit(*round),
                RuntimeEvent::Beacon(Drawing::Revealing { round }) => self.reveal(*round),
                RuntimeEvent::Requests(Asking::Seated { request, .. }) => self.promise(*request),
                RuntimeEvent::Requests(Asking::Promised { request }) => self.show(*request),
                _ => {}
            }
        }
    }

    fn commit(&mut self, round: u64) {
        for (key, _) in self.operators.clone() {
            let commitment =
                opensky_protocol::ledger::commitment(round, &account(key), &secret(key, round));
            let call = beacon::Call::commit { round, commitment };
            self.waiting.push((key, call.into()));
        }
    }

    fn reveal(&mut self, round: u64) {
        for (key, habit) in self.operators.clone() {
            if habit != Habit::Withholds {
                let secret = secret(key, round);
                let call = beacon::Call::reveal { round, secret };
                self.waiting.push((key, call.into()));
            }
        }
    }

    /// Those of the committee with a habit, and their turns.
    pub fn seats(&mut self, request: Digest) -> Vec<(Key, Habit, Turn, Owes)> {
        let row = self
            .chain
            .with(|| requests::Requests::<Runtime>::get(request))
            .unwrap();
        let operators = self.operators.clone().into_iter();
        let turn = |seat| row.turn(&request, seat);
        let seats = operators.filter_map(|(key, habit)| {
            let seat = row.seat_of(&account(key))?;
            let row = &row.seats[seat];
            let owes = match (row.promise.is_some(), row.shown.is_some()) {
                (false, _) => Owes::Promise,
                (true, false) => Owes::Result,
                (true, true) => Owes::Nothing,
            };
            Some((key, habit, turn(seat), owes))
        });
        seats.collect()
    }

    fn promise(&mut self, request: Digest) {
        for (key, habit, turn, owes) in self.seats(request) {
            if habit != Habit::Absent && owes == Owes::Promise {
                let receipt = self.receipt(key, habit);
                let said = &receipt.statement;
                let promise = Commit::hash_of(&said.node, &turn, &said.compare_key, &salt(key));
                let call = requests::Call::promise { request, promise };
                self.waiting.push((key, call.into()));
            }
        }
    }

    fn show(&mut self, request: Digest) {
        for (key, habit, _, owes) in self.seats(request) {
            if !matches!(habit, Habit::Absent | Habit::Sulks) && owes == Owes::Result {
                let call = self.showing(request, key, habit);
                self.waiting.push((key, call.into()));
            }
        }
    }

    /// What an operator shows.
    pub fn showing(&self, request: Digest, key: Key, habit: Habit) -> requests::Call<Runtime> {
        let receipt = self.receipt(key, habit);
        requests::Call::show {
            request,
            statement: Box::new(receipt.statement),
            signature: receipt.signature,
            salt: salt(key),
            output: Some(output(habit).to_vec()),
        }
    }

    /// What an operator says that came of the run.
    pub fn receipt(&self, key: Key, habit: Habit) -> Receipt {
        let work = self.asked.as_ref().unwrap().work(&Profile::new("1"));
        let (class, name) = match habit {
            Habit::Errs => (Class::Err, names::ERROR),
            _ => (Class::Ok, names::OUTPUT),
        };
        let outputs = Outputs::of(&[(name.to_owned(), output(habit).to_vec())].into());
        let transcript = Transcript::start(&work.unit());
        let states = Vec::new();
        Receipt::sign(&node(key), work, class, FUEL, transcript, outputs, states)
    }
}

fn output(habit: Habit) -> &'static [u8] {
    match habit {
        Habit::Wrong => b"forty-three",
        Habit::Errs => ERROR,
        _ => OUTPUT,
    }
}

/// An operator's account, which is its node, too.
pub fn account(key: Key) -> Account {
    node(key).node().into()
}

/// A key that signs statements.
pub fn node(key: Key) -> SecretKey {
    let node = SecretKey::from_seed(&key.pair().seed());
    assert_eq!(node.node(), NodeKey(key.public().0));
    node
}

fn secret(key: Key, round: u64) -> Digest {
    Digest::derive("opensky test secret 1", &(account(key), round))
}

/// What hides a result.
pub fn salt(key: Key) -> Digest {
    Digest::derive("opensky test salt 1", &account(key))
}
