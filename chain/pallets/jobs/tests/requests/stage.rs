//! Random calls of a few parties that know each other's requests.

use std::collections::BTreeMap;

use frame_support::{
    storage::with_storage_layer,
    traits::{Hooks as _, fungible::Inspect as _},
    weights::Weight,
};
use opensky_chain_pallet_jobs::{
    beacon,
    requests::{self, Requests as Rows},
};
use opensky_protocol::{
    Account, Class, Commit, Digest, Limits, Output, Outputs, PriceTerms, Profile, Signature,
    Statement, Transcript,
    ledger::{Asked, Callback, Data, Offered, Request, commitment},
    names,
};
use proptest::prelude::*;
use sp_runtime::AccountId32;

use crate::{
    runtime::{
        Balances, Beacon, ExistentialDeposit, Jobs, Offers, Providers, Requests, Runtime,
        RuntimeOrigin, System, Timestamp, chain,
    },
    world::{MINUTE, Party},
};

/// Who asks and nothing else; the others are operators, who ask sometimes, too.
pub const REQUESTERS: usize = 2;
/// All.
pub const PARTIES: usize = 9;
/// What each begins with.
pub const MONEY: u128 = 100_000;
/// From block to block.
pub const SLOT: u64 = 6_000;
/// What a run takes.
const FUEL: u64 = 1_000;
const PROGRAMS: u8 = 2;

/// What an operator does in one committee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Says what is right.
    Honest,
    /// Says something else: one of two things.
    Wrong(u8),
    /// Says nothing.
    Silent,
    /// Promises, and shows nothing.
    Sulks,
    /// Promises what another has promised, and shows what that one shows.
    Copies,
    /// Keeps its random numbers to itself.
    Withholds,
}

pub fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        8 => Just(Way::Honest),
        3 => (1..3u8).prop_map(Way::Wrong),
        1 => Just(Way::Silent),
        1 => Just(Way::Sulks),
        1 => Just(Way::Copies),
        1 => Just(Way::Withholds),
    ]
}

/// What one of the parties does next: which of the calls, and small numbers to make it of.
#[derive(Clone, Debug)]
pub struct Step {
    pub kind: u8,
    pub who: usize,
    pub whom: usize,
    pub number: u8,
    pub amount: u128,
    pub wait: u64,
}

pub fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![8 => 0..3_000u128, 1 => Just(u128::MAX), 1 => Just(u128::MAX - 5)];
    let wait = prop_oneof![12 => Just(SLOT), 4 => 0..MINUTE, 1 => 0..12 * MINUTE];
    let parties = 0..PARTIES;
    (0..40u8, parties.clone(), parties, any::<u8>(), amount, wait).prop_map(
        |(kind, who, whom, number, amount, wait)| Step {
            kind,
            who,
            whom,
            number,
            amount,
            wait,
        },
    )
}

/// How much of a block the chain had for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    All,
    Little,
}

/// A request, and who has shown what of it.
pub struct Known {
    pub name: Digest,
    pub payer: usize,
    pub asked: Asked,
    pub shown: BTreeMap<usize, Statement>,
}

/// Who is there, and what they know.
pub struct Stage {
    pub parties: Vec<Party>,
    pub now: u64,
    pub known: Vec<Known>,
    ways: Vec<Way>,
}

impl Stage {
    /// A chain before its first block, and who lives on it.
    pub fn new(ways: Vec<Way>) -> (Self, sp_io::TestExternalities) {
        let parties: Vec<_> = (1..=PARTIES as u8).map(Party::new).collect();
        let accounts = parties.iter().map(|party| (id(party), MONEY));
        let pot = (Jobs::pot(), ExistentialDeposit::get() + 50);
        let purse = (purse(), ExistentialDeposit::get());
        let chain = chain(accounts.chain([pot, purse]).collect());
        let stage = Self {
            parties,
            now: 1_800_000_000_000,
            known: Vec::new(),
            ways,
        };
        (stage, chain)
    }

    /// All operators bond, offer and pin; somebody asks.
    pub fn beginning() -> Vec<Step> {
        let step = |kind, who, number| Step {
            kind,
            who,
            whom: 0,
            number,
            amount: 1_000 + who as u128,
            wait: 0,
        };
        let operators = REQUESTERS..PARTIES;
        let each = |who| {
            [(26, 0), (22, 2), (24, 0), (24, 1)].map(|(kind, number)| step(kind, who, number))
        };
        operators
            .flat_map(each)
            .chain([step(20, 0, 2), step(20, 1, 1)])
            .collect()
    }

    /// One block, in which one party does something or all of them do what the chain waits for.
    pub fn play(&mut self, step: &Step) -> Room {
        self.begin(step.wait);
        // What is refused is refused: what that leaves behind is the laws' affair.
        let _refused = self.call(step);
        let room = match step.kind {
            39 => Room::Little,
            _ => Room::All,
        };
        self.end(room);
        room
    }

    /// A block in which everybody does what the chain waits for.
    pub fn block(&mut self) {
        self.begin(SLOT);
        self.live();
        self.end(Room::All);
    }

    /// A block in which nobody says anything.
    pub fn seal(&mut self) {
        self.begin(0);
        self.end(Room::All);
    }

    /// Until every request's deadline is over.
    pub fn wait_for_all(&mut self) {
        let deadlines = self.known.iter().map(|known| known.asked.deadline);
        self.now = deadlines.fold(self.now, u64::max);
    }

    /// Which operator does what for a request, or in a round.
    pub fn way(&self, who: usize, what: usize) -> Way {
        self.ways[(who + 7 * what) % self.ways.len()]
    }

    fn begin(&mut self, wait: u64) {
        self.now += wait;
        System::set_block_number(System::block_number() + 1);
        System::reset_events();
        Timestamp::set_timestamp(self.now);
    }

    fn end(&mut self, room: Room) {
        let block = System::block_number();
        let room = match room {
            Room::All => Weight::MAX,
            Room::Little => Weight::from_parts(20_000_000_000, 600_000),
        };
        for hook in [Jobs::on_idle, Requests::on_idle, Beacon::on_idle] {
            let used = hook(block, room);
            assert!(used.all_lte(room), "{used:?} of {room:?}");
        }
    }

    fn call(&mut self, step: &Step) -> Result<(), sp_runtime::DispatchError> {
        let Step { who, amount, .. } = *step;
        let party = &self.parties[who];
        let origin = RuntimeOrigin::signed(id(party));
        let program = Digest([step.number % PROGRAMS; 32]);
        match step.kind {
            20 | 21 => self.ask(step),
            22 => Offers::set_offer(origin, Some(offer(step.number))),
            23 => Offers::set_offer(origin, None),
            24 => Offers::pin(origin, program, self.now + 1_000 * MINUTE),
            25 => Offers::unpin(origin, program),
            26 => Providers::bond(origin, amount),
            27 => Providers::unbond(origin, amount),
            28 => Providers::withdraw(origin),
            29 => {
                let commitment = Digest([step.number; 32]);
                done(Beacon::commit(origin, round(), commitment))
            }
            30 => {
                let secret = Digest([step.number; 32]);
                done(Beacon::reveal(origin, round(), secret))
            }
            31 | 32 => {
                let Some(at) = self.one(step.number) else {
                    return Ok(());
                };
                let way = Way::Wrong(step.number % 3);
                match step.kind {
                    31 => self.promise(who, at, Digest([step.number; 32])),
                    _ => self.show(who, at, self.statement(step.whom, at, way)),
                }
                Ok(())
            }
            _ => {
                self.live();
                Ok(())
            }
        }
    }

    fn one(&self, number: u8) -> Option<usize> {
        (!self.known.is_empty()).then(|| usize::from(number) % self.known.len())
    }

    fn ask(&mut self, step: &Step) -> Result<(), sp_runtime::DispatchError> {
        let number = u64::from(step.number);
        let asked = Asked {
            program: Digest([step.number % PROGRAMS; 32]),
            input: Data::Inline(b"in".to_vec()),
            limits: Limits {
                fuel: FUEL,
                ..Limits::DEFAULT
            },
            replicas: (step.number % 5).max(1),
            max_price: step.amount,
            deadline: self.now + (1 + number % 20) * MINUTE + FUEL,
            callback: (step.kind == 21).then_some(Callback {
                contract: [1; 20],
                gas: number,
            }),
        };
        let payer = id(&self.parties[step.who]);
        // As a contract's call would do it, or a transaction.
        let name = with_storage_layer(|| Requests::place(payer, asked.clone()))?;
        self.known.push(Known {
            name,
            payer: step.who,
            asked,
            shown: BTreeMap::new(),
        });
        Ok(())
    }

    /// Everybody does what the chain waits for, as is their way.
    fn live(&mut self) {
        self.make_numbers();
        for at in 0..self.known.len() {
            let Some(row) = Rows::<Runtime>::get(self.known[at].name) else {
                continue;
            };
            for seat in row.seats {
                let who = self.who(&seat.operator).unwrap();
                match (seat.promise, self.way(who, at)) {
                    (_, Way::Silent) => {}
                    (None, Way::Copies) => self.copy(who, at),
                    (None, way) => {
                        let hash = self.hash(who, at, &self.statement(who, at, way));
                        self.promise(who, at, hash);
                    }
                    (Some(_), Way::Sulks) => {}
                    (Some(_), Way::Copies) => {
                        let others: Vec<_> = self.known[at].shown.values().cloned().collect();
                        for said in others {
                            self.show(who, at, said);
                        }
                        self.show(who, at, self.statement(who, at, Way::Honest));
                    }
                    (Some(_), way) => self.show(who, at, self.statement(who, at, way)),
                }
            }
        }
    }

    /// Everybody who takes part in a round says what it waits for.
    pub fn make_numbers(&self) {
        if let Some(current) = beacon::Current::<Runtime>::get() {
            for who in REQUESTERS..PARTIES {
                self.draw(who, &current);
            }
        }
    }

    fn draw(&self, who: usize, current: &beacon::Round) {
        let (party, round) = (&self.parties[who], current.number);
        let secret = Digest::derive("opensky test secret 1", &(party.account(), round));
        let origin = RuntimeOrigin::signed(id(party));
        // Some may not, or have already.
        let _ = match (current.reveals, self.way(who, round as usize)) {
            (false, _) => {
                let commitment = commitment(round, &party.account(), &secret);
                Beacon::commit(origin, round, commitment)
            }
            (true, Way::Withholds) => return,
            (true, _) => Beacon::reveal(origin, round, secret),
        };
    }

    fn copy(&mut self, who: usize, at: usize) {
        let row = Rows::<Runtime>::get(self.known[at].name);
        let seats = row.into_iter().flat_map(|row| row.seats);
        let promised = seats.filter_map(|seat| Some(seat.promise?.1)).next();
        if let Some(hash) = promised {
            self.promise(who, at, hash);
        }
    }

    pub fn promise(&self, who: usize, at: usize, hash: Digest) {
        let origin = RuntimeOrigin::signed(id(&self.parties[who]));
        // Some may not, or have already.
        let _ = Requests::promise(origin, self.known[at].name, hash);
    }

    pub fn show(&mut self, who: usize, at: usize, said: Statement) {
        let party = &self.parties[who];
        let signature: Signature = party.0.sign("opensky statement 1", &said);
        let origin = RuntimeOrigin::signed(id(party));
        let known = &mut self.known[at];
        let output = Some(output(&said));
        let shown = Requests::show(
            origin,
            known.name,
            Box::new(said.clone()),
            signature,
            salt(party),
            output,
        );
        if shown.is_ok() {
            let before = known.shown.insert(who, said);
            assert_eq!(before, None, "somebody has shown twice");
        }
    }

    /// What a party says came of a request.
    pub fn statement(&self, who: usize, at: usize, way: Way) -> Statement {
        let result = match way {
            Way::Wrong(number) => number,
            _ => 0,
        };
        let outputs = Outputs([(names::OUTPUT.into(), Output::of(&[result]))].into());
        let work = self.known[at].asked.work(&Profile::new("1"));
        let transcript = Transcript::start(&work.unit());
        let node = self.parties[who].node();
        Statement::new(node, &work, Class::Ok, FUEL / 2, &transcript, &outputs)
    }

    /// What somebody promises who will show that.
    pub fn hash(&self, who: usize, at: usize, said: &Statement) -> Digest {
        let (name, party) = (self.known[at].name, &self.parties[who]);
        let row = Rows::<Runtime>::get(name).unwrap();
        let turn = row.turn(&name, row.seat_of(&party.account()).unwrap());
        Commit::hash_of(&said.node, &turn, &said.compare_key, &salt(party))
    }

    /// The first one asks for one result.
    pub fn ask_again(&mut self) {
        self.play(&Step {
            kind: 20,
            who: 0,
            whom: 0,
            number: 1,
            amount: 1_000,
            wait: SLOT,
        });
    }

    /// A block in which nobody says anything.
    pub fn pass(&mut self, wait: u64) {
        self.begin(wait);
        self.end(Room::All);
    }

    pub fn is_open(&self, at: usize) -> bool {
        Rows::<Runtime>::contains_key(self.known[at].name)
    }

    /// How far a request is.
    pub fn row(&self, at: usize) -> Request {
        Rows::<Runtime>::get(self.known[at].name).unwrap()
    }

    /// Who has a seat.
    pub fn seats(&self, at: usize) -> Vec<usize> {
        let seats = self.row(at).seats.into_iter();
        seats
            .map(|seat| self.who(&seat.operator).unwrap())
            .collect()
    }

    pub fn who(&self, account: &Account) -> Option<usize> {
        self.parties
            .iter()
            .position(|party| party.account() == *account)
    }
}

/// The bytes whose digest a statement names.
fn output(said: &Statement) -> Vec<u8> {
    let mut results = (0..3u8).map(|result| vec![result]);
    let output = results.find(|bytes| Digest::of(bytes) == said.output);
    output.unwrap()
}

pub fn offer(number: u8) -> Offered {
    Offered {
        ask: PriceTerms {
            dispatch: u128::from(number),
            per_gfuel: 0,
            per_gib: 0,
        },
        memory: 1 << 40,
        fuel: u64::MAX,
    }
}

fn round() -> u64 {
    beacon::Current::<Runtime>::get().map_or(0, |round| round.number)
}

pub fn salt(party: &Party) -> Digest {
    Digest::derive("opensky test salt 1", &party.account())
}

fn done(
    done: frame_support::dispatch::DispatchResultWithPostInfo,
) -> Result<(), sp_runtime::DispatchError> {
    done.map(drop).map_err(|failed| failed.error)
}

pub fn id(party: &Party) -> AccountId32 {
    party.account().0.into()
}

/// Where the price of callbacks goes.
pub fn purse() -> AccountId32 {
    use requests::CallBack as _;
    crate::runtime::Contract::purse()
}

/// All the money of an account, held money too.
pub fn has(account: &AccountId32) -> u128 {
    Balances::total_balance(account)
}
