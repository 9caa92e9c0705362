//! What requests and the beacon move is told to everybody whose money it is, to the coin and once.

use std::mem;

use opensky_ledger::{Duty, Part, Seat};
use opensky_protocol::{
    Class, Commit, Digest, Limits, Outputs, PriceTerms, Receipt, Transcript, codec,
    ledger::{Asked, Call, Data, Fact, Offered, OnChain, Rejection, Status, commitment},
    names,
};

use crate::{
    chain::Chain,
    faults::begin,
    member::Member,
    process::until,
    sudo::{compact, send},
};

const SKY: u128 = 1_000_000_000_000;
const STAKE: u128 = 100 * SKY;
/// What a request may cost: more than two operators ask.
const PRICE: u128 = 2 * SKY;
/// What an operator asks for a run, whatever it takes.
const ASK: u128 = 7_000_003;
/// What silence costs: the runtime says so.
const PENALTY: u128 = 100_000_000;
const PROGRAM: Digest = Digest([7; 32]);
/// A stage of the beacon is over after so many milliseconds and blocks, and not before.
const TURN: u64 = 12_000;
const BLOCKS: usize = 10;
const HOUR: u64 = 3_600_000;

/// `Revive::call`: the numbers of its pallet and its own.
const CALL: [u8; 2] = [5, 1];
/// Where contracts ask, and how they call it there.
const OPENSKY: [u8; 20] = *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0SK\0\0";
const REQUEST: [u8; 4] = [0x16, 0x52, 0x7e, 0xdb];
/// How many of a contract's coins are one of the chain's.
const WEI: u128 = 1_000_000;
/// Of a callback, and what one costs.
const GAS: u64 = 100_000;
const GAS_PRICE: u128 = 400;

/// Who asks, and operators who do what the chain wants of them; but for the last, who never reveals what it has committed
/// to. Blocks are made when they are asked for.
struct Scene {
    chain: Chain,
    asker: Member,
    operators: Vec<Member>,
    _folder: tempfile::TempDir,
}

#[test]
fn requests_and_the_beacon_are_told_to_the_coin() {
    let scene = Scene::new();
    scene.ask();
    scene.is_over();
    scene.adds_up();
    scene.tells_what_it_came_to();

    let nothing = || Call::OnChain(Box::new(OnChain::SetOffer(None)));
    let leave = scene.operators.iter().map(|one| (one, nothing()));
    scene.have(leave.collect());
    let before: Vec<_> = scene.operators.iter().map(Member::facts).collect();
    let refused = scene.have(vec![(&scene.asker, scene.asks())]);
    assert!(refused[0].is_err(), "there is nobody to run it");
    let after = scene.operators.iter().map(Member::facts);
    assert!(after.eq(before));
    scene.adds_up();
}

#[test]
fn what_a_dead_chain_had_paid_and_lost_is_told_as_it_was_in_the_end() {
    let mut scene = Scene::new();
    scene.chain.kill();
    scene.chain.keep();
    scene.chain.begin();
    scene.ask();
    scene.is_over();
    scene.adds_up();
    scene.chain.kill();
    scene.chain.lose();
    // They know it from what they have written down.
    scene.asker = scene.asker.reborn(&scene.chain);
    let operators = mem::take(&mut scene.operators).into_iter();
    scene.operators = operators.map(|one| one.reborn(&scene.chain)).collect();
    scene.chain.begin();
    until("all is asked again", || {
        scene.chain.seal();
        scene.have_seen_all();
        scene.all().all(|member| member.status().waiting == 0)
    });
    scene.is_over();
    scene.adds_up();
    scene.tells_what_it_came_to();
}

/// Who has no code is called, too: nothing happens, and that costs something.
#[test]
fn callback_is_told_by_what_it_took() {
    let scene = Scene::new();
    send(
        &scene.chain,
        &scene.asker.party.0,
        &scene.asks_as_a_contract(),
    );
    scene.chain.wait_for(1);
    scene.chain.seal();
    scene.have_seen_all();
    let price = u128::from(GAS) * GAS_PRICE;
    assert_eq!(scene.asker.state().purse.held, PRICE + price);
    scene.is_over();
    scene.adds_up();
    let told = scene.asker.facts();
    let [_, opened, _, _, refunded, called_back, given_back] = &told[..] else {
        panic!("{told:?}");
    };
    let held = PRICE + price;
    assert!(matches!(opened, Fact::Opened { amount, .. } if *amount == held));
    assert!(matches!(refunded, Fact::Refunded { amount, .. } if *amount == PRICE - 2 * ASK));
    let (Fact::Paid { amount: used, .. }, Fact::Refunded { amount: rest, .. }) =
        (called_back, given_back)
    else {
        panic!("{told:?}");
    };
    assert!((1..price).contains(used));
    assert_eq!(used + rest, price);
}

impl Scene {
    fn new() -> Self {
        let chain = Chain::start("manual");
        let folder = tempfile::tempdir().unwrap();
        let scene = Self {
            asker: begin(&chain, 5, folder.path()),
            operators: [1, 2, 3]
                .map(|number| begin(&chain, number, folder.path()))
                .into(),
            chain,
            _folder: folder,
        };
        let until = scene.now() + 2 * HOUR;
        let offer = Offered {
            ask: PriceTerms {
                dispatch: ASK,
                per_gfuel: 0,
                per_gib: 0,
            },
            memory: u64::MAX,
            fuel: u64::MAX,
        };
        let program = PROGRAM;
        let calls = [
            Call::Bond { amount: STAKE },
            Call::OnChain(Box::new(OnChain::SetOffer(Some(offer)))),
            Call::OnChain(Box::new(OnChain::Pin { program, until })),
        ];
        for call in calls {
            let all = scene.operators.iter().map(|one| (one, call.clone()));
            let done = scene.have(all.collect());
            assert!(done.iter().all(Result::is_ok), "{done:?}");
        }
        scene
    }

    fn all(&self) -> impl Iterator<Item = &Member> {
        self.operators.iter().chain([&self.asker])
    }

    /// Has all that done in one block.
    fn have(&self, asked: Vec<(&Member, Call)>) -> Vec<Result<Vec<Fact>, Rejection>> {
        let asked = asked.into_iter();
        let asked = asked.map(|(member, call)| (member, member.hand_in(call)));
        let asked: Vec<_> = asked.collect();
        self.chain.wait_for(asked.len());
        self.chain.seal();
        let decided = asked.into_iter();
        let decided = decided.map(|(member, intent)| match member.decided(intent).status {
            Status::Final { facts, .. } => Ok(facts),
            Status::Rejected { reason, .. } => Err(reason),
            Status::Pending => panic!("it was decided"),
        });
        decided.collect()
    }

    fn asks(&self) -> Call {
        let asked = Asked {
            program: PROGRAM,
            input: Data::Inline(b"what is it?".to_vec()),
            limits: Limits::DEFAULT,
            replicas: 2,
            max_price: PRICE,
            deadline: self.now() + HOUR,
            callback: None,
        };
        Call::OnChain(Box::new(OnChain::Request(asked)))
    }

    /// The same, with a callback, as a contract would ask it.
    fn asks_as_a_contract(&self) -> Vec<u8> {
        let input = b"what is it?";
        let limits = Limits::DEFAULT;
        let number = |number: u128| [[0; 16], number.to_be_bytes()].concat();
        let seconds = (self.now() + HOUR) / 1_000;
        let head = [
            number(10 * 32),
            number(limits.fuel.into()),
            number(limits.memory.into()),
            number(limits.output.into()),
            number(limits.log.into()),
            number(2),
            number(PRICE * WEI),
            number(seconds.into()),
            number(GAS.into()),
        ];
        let mut padded = input.to_vec();
        padded.resize(input.len().next_multiple_of(32), 0);
        let tail = [number(input.len() as u128), padded].concat();
        let bytes = [&REQUEST[..], &PROGRAM.0, &head.concat(), &tail].concat();
        // Nothing is sent along; half a second of a block, and 2 MiB of proof; a deposit of nothing.
        let [nothing, time, proof] = [0, 500_000_000_000, 2 << 20].map(compact);
        let limits = [&nothing[..], &time, &proof, &nothing].concat();
        [&CALL[..], &OPENSKY, &limits, &codec::encode(&bytes)].concat()
    }

    fn ask(&self) {
        let done = self.have(vec![(&self.asker, self.asks())]);
        let Ok([Fact::Opened { amount: PRICE, .. }]) = done[0].as_deref() else {
            panic!("{done:?}");
        };
        assert_eq!(self.asker.state().purse.held, PRICE);
    }

    /// Everybody does its duty until nothing is held for the request.
    fn is_over(&self) {
        until("the request is over", || {
            self.have_seen_all();
            let mut asked = Vec::new();
            for (number, operator) in self.operators.iter().enumerate() {
                let duties = operator.duties(&operator.account()).unwrap();
                let duties = duties.into_iter();
                let does = duties.filter_map(|duty| does(operator, duty));
                let part = operator.part(&operator.account());
                let is_silent = number + 1 == self.operators.len();
                let part = part.filter(|part| !is_silent || matches!(part, Part::Commit { .. }));
                let says = does.chain(part.map(|part| takes(operator, part)));
                asked.extend(says.map(|call| (operator, call)));
            }
            if asked.is_empty() {
                self.chain.pass(TURN);
                (0..BLOCKS).for_each(|_| drop(self.chain.seal()));
            }
            self.have(asked);
            self.have_seen_all();
            self.asker.state().purse.held == 0
        });
    }

    fn have_seen_all(&self) {
        let height = self.chain.height();
        for member in self.all() {
            member.waits(|member| member.has_seen(height));
        }
    }

    /// Each was told what moved its money, and nothing else.
    fn adds_up(&self) {
        self.have_seen_all();
        self.all().for_each(Member::adds_up);
    }

    fn tells_what_it_came_to(&self) {
        let told = self.asker.facts();
        let [_, opened, first, second, refunded] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(matches!(opened, Fact::Opened { amount: PRICE, .. }));
        for paid in [first, second] {
            assert!(matches!(paid, Fact::Paid { amount: ASK, .. }), "{paid:?}");
        }
        let rest = PRICE - 2 * ASK;
        assert!(matches!(refunded, Fact::Refunded { amount, .. } if *amount == rest));
        let paid: Vec<_> = self.operators.iter().flat_map(Member::paid).collect();
        assert_eq!(paid, [ASK, ASK]);
        let silent = self.operators.last().unwrap();
        let lost = Fact::Slashed {
            account: silent.account(),
            amount: PENALTY,
        };
        let lost = silent.facts().into_iter().filter(|fact| *fact == lost);
        assert_eq!(lost.count(), 1);
        assert_eq!(silent.state().operator.bond, STAKE - PENALTY);
    }

    /// By the chain's clock.
    fn now(&self) -> u64 {
        self.asker.waits(|asker| asker.status().finalized.is_ok());
        self.asker.status().finalized.unwrap().at
    }
}

fn secret(operator: &Member, round: u64) -> Digest {
    Digest::derive("opensky test secret 1", &(operator.account(), round))
}

/// What an operator says to take part in a round.
fn takes(operator: &Member, part: Part) -> Call {
    let call = match part {
        Part::Commit { round } => OnChain::Commit {
            round,
            commitment: commitment(round, &operator.account(), &secret(operator, round)),
        },
        Part::Reveal { round, .. } => OnChain::Reveal {
            round,
            secret: secret(operator, round),
        },
    };
    Call::OnChain(Box::new(call))
}

/// What an operator says to do its duty.
fn does(operator: &Member, duty: Duty) -> Option<Call> {
    let salt = secret(operator, 0);
    let call = match duty {
        Duty::Promise(seat) => {
            let said = receipt(operator, &seat).statement;
            OnChain::Promise {
                request: seat.turn.job,
                promise: Commit::hash_of(&said.node, &seat.turn, &said.compare_key, &salt),
            }
        }
        Duty::Show(seat) => {
            let receipt = receipt(operator, &seat);
            OnChain::Show {
                request: seat.turn.job,
                statement: Box::new(receipt.statement),
                signature: receipt.signature,
                salt,
                output: Some(b"forty-two".to_vec()),
            }
        }
        Duty::Keep(_) => return None,
    };
    Some(Call::OnChain(Box::new(call)))
}

/// What came of the run, as all say.
fn receipt(operator: &Member, seat: &Seat) -> Receipt {
    let asked = operator.asked(&seat.turn.job).unwrap();
    let work = asked.work(&seat.profile);
    let transcript = Transcript::start(&work.unit());
    let outputs = Outputs::of(&[(names::OUTPUT.to_owned(), b"forty-two".to_vec())].into());
    let key = &operator.party.0;
    Receipt::sign(key, work, Class::Ok, 1, transcript, outputs, Vec::new())
}
