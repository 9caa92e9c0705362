//! A small world that a seed alone makes: some tens of nodes at most, and everything that can go
//! wrong.

use opensky_core::{Event, JobState, Policy, Replicas, Submission, Time};
use opensky_protocol::{Digest, PriceTerms, ledger::Terms};

use crate::{
    character::Character,
    dice::Dice,
    laws::Broken,
    orders::{self, ASK, LIMITS},
    trace::Trace,
    weather::Weather,
    world::{BEGIN, World},
};

const MINUTE: u64 = 60_000;
/// Jobs have so long from the world's beginning.
const DEADLINE: u64 = 15 * MINUTE;
const MONEY: u128 = 1 << 60;
/// Who may order beside the honest.
const REQUESTERS: [Character; 6] = [
    Character::Stingy,
    Character::Crony,
    Character::Sulky,
    Character::Quiet,
    Character::Drainer,
    Character::Pauper,
];

/// What the world came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The hash over all that happened.
    pub trace: Digest,
    /// How each job ended.
    pub endings: Vec<JobState>,
    /// Events that participants handled.
    pub handled: u64,
    /// Units that were run.
    pub executions: u64,
}

/// Why a seed is no good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// A law was broken.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// It did not happen again in the same way.
    #[error("it happened otherwise when it was run again: {first} and then {second}")]
    Differs {
        /// The hash of the first run.
        first: Digest,
        /// And of the second.
        second: Digest,
    },
}

/// Runs the world of that seed twice.
///
/// # Errors
/// If a law is broken, or if the runs differ.
pub fn check(seed: u64) -> Result<Outcome, Failure> {
    let first = run(seed)?;
    let second = run(seed)?;
    if first != second {
        let (first, second) = (first.trace, second.trace);
        return Err(Failure::Differs { first, second });
    }
    Ok(first)
}

/// Runs the world of that seed to its end.
///
/// # Errors
/// If a law is broken.
pub fn run(seed: u64) -> Result<Outcome, Broken> {
    let mut world = populate(seed);
    world.trace = Some(Trace::default());
    world.laws.is_thorough = true;
    world.run(Time(BEGIN.0 + DEADLINE))?;
    let terms = world.bank.books().terms();
    let horizon = terms.dispute_horizon();
    world.run(Time(BEGIN.0 + DEADLINE + horizon + 3 * MINUTE))?;
    world.conclude()?;
    let trace = world.trace.take().unwrap_or_default();
    Ok(Outcome {
        trace: trace.digest(),
        endings: world.laws.endings.into_values().collect(),
        handled: world.handled,
        executions: world.executions,
    })
}

/// The world of that seed, before anything has happened in it.
pub fn populate(seed: u64) -> World {
    let mut dice = Dice::new(seed ^ 0x5eed);
    let mut world = World::new(seed, weather(&mut dice), policy(seed), terms(&mut dice));
    let requesters = 1 + dice.below(2);
    for _ in 0..requesters {
        world.join(Character::Honest, None, MONEY);
    }
    let is_haunted = dice.happens(400);
    if is_haunted {
        let character = *pick(&mut dice, &REQUESTERS);
        world.join(character, None, MONEY);
        if character == Character::Crony {
            for _ in 0..4 {
                let mut cheap = orders::terms();
                cheap.ask.dispatch = 1;
                world.join(Character::Shill, Some(cheap), MONEY);
            }
        }
    }
    for _ in 0..4 + dice.below(6) {
        world.join(Character::Honest, Some(orders::terms()), MONEY);
    }
    bring_adversaries(&mut world, &mut dice);
    disturb(&mut world, &mut dice);
    let requesters = requesters + u64::from(is_haunted);
    for nonce in 0..2 + dice.below(4) {
        let place = dice.below(requesters) as usize;
        let order = order(&mut dice, nonce);
        let job = world.submit(place, order);
        if dice.happens(100) {
            cancel(&mut world, &mut dice, place, job);
        }
    }
    world
}

/// The user has thought better of it, and perhaps the process ends right then.
fn cancel(world: &mut World, dice: &mut Dice, place: usize, job: Digest) {
    let after = dice.below(MINUTE / 10);
    world.later(place, after, Event::Cancelled(job));
    if dice.happens(500) {
        world.leave(place, after + dice.below(500), Some(1 + dice.below(3_000)));
    }
}

fn pick<'a, T>(dice: &mut Dice, all: &'a [T]) -> &'a T {
    &all[dice.below(all.len() as u64) as usize]
}

fn weather(dice: &mut Dice) -> Weather {
    let mut often = |most: u64| match dice.happens(400) {
        true => 0,
        false => dice.below(most),
    };
    Weather {
        loss: often(200),
        twice: often(200),
        crash: often(50),
        drops: often(200),
        finality: 1 + dice.below(500),
        latency: 1..=1 + dice.below(100),
        is_eager: dice.happens(500),
        is_diskless: false,
    }
}

/// In most worlds a requester that has not paid yet may owe a few units at most, and one at least. This has
/// dice of its own, or all else would be another for each seed.
fn policy(seed: u64) -> Policy {
    let mut dice = Dice::new(seed ^ 0xdeb7);
    let usual = Policy::default();
    // Inputs of a unit are far below what this is for.
    let dearest = ASK.worst_case(&LIMITS, 1 << 30);
    let max_unpaid = match dice.happens(300) {
        true => usual.max_unpaid,
        false => u128::from(dice.below(40_000)).max(dearest),
    };
    Policy {
        max_unpaid,
        ..usual
    }
}

/// Something at stake in every way.
fn terms(dice: &mut Dice) -> Terms {
    Terms {
        fee: dice.below(3) as u128,
        existential: dice.below(100) as u128,
        penalty: 1_000 * dice.below(3) as u128,
        objection_bond: 60,
        ..Terms::DEVELOPMENT
    }
}

fn bring_adversaries(world: &mut World, dice: &mut Dice) {
    use Character::{
        Copier, Failing, Hiding, Impostor, Lapsing, Liar, Mapper, Padder, Ring, Silent, Slow,
        Sometimes, Sybil, Turncoat,
    };
    let kinds = [
        Liar(1),
        Sometimes { lie: 2, parts: 100 },
        Copier,
        Ring,
        Sybil,
        Silent,
        Hiding,
        Failing,
        Slow(30),
        Turncoat(5),
        Mapper,
        Padder,
        Lapsing(3),
        Impostor,
    ];
    for _ in 0..dice.below(4) {
        let kind = *pick(dice, &kinds);
        let count = match kind {
            Ring | Sybil => 1 + dice.below(3),
            _ => 1,
        };
        let terms = match dice.happens(250) {
            true => bait(),
            false => orders::terms(),
        };
        for _ in 0..count {
            world.join(kind, Some(terms.clone()), MONEY);
        }
    }
    if dice.happens(200) {
        world.join(Character::Stranger, None, MONEY);
    }
    world.flood = dice.below(4) as u32;
}

/// For nothing, and faster than there can be: who would not take that?
fn bait() -> opensky_core::Terms {
    let mut terms = orders::terms();
    terms.ask = PriceTerms {
        dispatch: 0,
        per_gfuel: 0,
        per_gib: 0,
    };
    terms.speed = u64::MAX;
    terms
}

/// Nodes come and go, and the wire is cut.
fn disturb(world: &mut World, dice: &mut Dice) {
    for place in 0..world.nodes.len() {
        if dice.happens(150) {
            let after = dice.below(2 * MINUTE);
            let pause = 1 + dice.below(2 * MINUTE);
            let is_provider = !world.nodes[place].is_requester();
            let for_ever = is_provider && dice.happens(300);
            world.leave(place, after, (!for_ever).then_some(pause));
        }
    }
    if dice.happens(300) {
        let (after, span) = (dice.below(MINUTE), dice.below(MINUTE));
        world.split(after, span);
    }
}

fn order(dice: &mut Dice, nonce: u64) -> Submission {
    let shards = 1 + dice.below(12) as u32;
    let partitions = 1 + dice.below(3) as u32;
    let mut order = match dice.below(3) {
        0 => orders::single(nonce),
        1 => orders::map_reduce(nonce, shards, partitions, dice.happens(500)),
        _ => orders::stepper(nonce),
    };
    order.replicas = match dice.below(4) {
        0 => Replicas::Auto,
        1 => Replicas::Fixed(3),
        2 => Replicas::Fixed(1),
        _ => Replicas::Fixed(2),
    };
    let least = match order.replicas {
        Replicas::Auto => 1,
        Replicas::Fixed(count) => count,
    };
    order.replica_cap = least + dice.below(5) as u8;
    order.deadline = Time(BEGIN.0 + DEADLINE);
    order
}
