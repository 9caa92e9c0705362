//! A large world that is written down in a file, and the figures that it gives.

use core::{fmt, time::Duration};

use opensky_core::{Policy, Replicas, Terms, Time};
use opensky_protocol::{PriceTerms, ledger};
use serde::Deserialize;

use crate::{
    character::Character, dice::Dice, figures::Figures, laws::Broken, orders, recorder::Recorder,
    weather::Weather, world::World,
};

/// A scenario's file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// Providers, each its own operator; the adversaries are among them.
    pub operators: u32,
    /// Requesters. Each knows of operators only what it has seen itself.
    pub brokers: u32,
    /// Units of all jobs together.
    pub units: u64,
    /// Units of one job: all but one are maps, the last one reduces them.
    pub units_per_job: u32,
    /// Jobs of one broker at a time.
    pub jobs_at_once: u64,
    /// One run for each: so many replicas, or `auto`.
    pub replicas: Vec<Choice>,
    /// Results of one unit that are paid for at most.
    pub replica_cap: u8,
    /// Hundredths of all units until averages are counted.
    pub warm_up: u64,
    /// How many providers of each kind are no honest ones.
    #[serde(default)]
    pub adversaries: Adversaries,
    /// The wire.
    pub wire: Wire,
}

/// How often units are run at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// So often.
    Fixed(u8),
    /// As the core decides.
    Auto(Auto),
}

/// The word for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// The only one.
    Auto,
}

/// Counts of adversaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adversaries {
    /// Members of one ring.
    pub ring: u32,
    /// Who always lies, each in its own way.
    pub liars: u32,
    /// Who lies one time in ten, each in its own way.
    pub ten_percent_liars: u32,
    /// Who copies.
    pub copiers: u32,
    /// Identities of a flood at a time.
    pub sybils: u32,
    /// Identities that it has beyond these.
    pub fresh_sybils: u32,
    /// Who never answers.
    pub silent: u32,
    /// Who takes ten times as long.
    pub slow: u32,
}

/// The wire: times in milliseconds, frequencies in parts of 1,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// The least and the most time of a message.
    pub latency: (u64, u64),
    /// Messages that are lost.
    pub loss: u64,
    /// Messages that come twice.
    pub twice: u64,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not written as one.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// A number of it is impossible.
    #[error("there are more adversaries than operators, or a count is zero")]
    Counts,
}

/// A character, from the lie that it tells if it is one that has its own.
type MakeLiar = fn(u8) -> Character;

impl Scenario {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        let counts = [
            u64::from(scenario.operators),
            u64::from(scenario.brokers),
            scenario.units,
            u64::from(scenario.units_per_job.saturating_sub(1)),
            scenario.jobs_at_once,
        ];
        let adversaries: u32 = scenario.cast().iter().map(|(_, count)| count).sum();
        match counts.contains(&0) || adversaries > scenario.operators {
            true => Err(ScenarioError::Counts),
            false => Ok(scenario),
        }
    }

    fn cast(&self) -> [(MakeLiar, u32); 7] {
        let bad = &self.adversaries;
        [
            (|_| Character::Ring, bad.ring),
            (Character::Liar, bad.liars),
            (
                |lie| Character::Sometimes { lie, parts: 100 },
                bad.ten_percent_liars,
            ),
            (|_| Character::Copier, bad.copiers),
            (|_| Character::Sybil, bad.sybils),
            (|_| Character::Silent, bad.silent),
            (|_| Character::Slow(10), bad.slow),
        ]
    }

    fn populate(&self) -> World {
        let weather = Weather {
            latency: self.wire.latency.0..=self.wire.latency.1,
            loss: self.wire.loss,
            twice: self.wire.twice,
            is_eager: false,
            is_diskless: true,
            ..Weather::CALM
        };
        let rules = ledger::Terms {
            penalty: 1_000_000,
            objection_bond: 1_000,
            ..ledger::Terms::DEVELOPMENT
        };
        let mut world = World::new(self.seed, weather, Policy::default(), rules);
        world.flood = self.adversaries.fresh_sybils;
        for _ in 0..self.brokers {
            world.join(Character::Honest, None, 1 << 90);
        }
        let mut dice = Dice::new(self.seed ^ 0xca57);
        let mut lie = 0u8;
        let mut characters = Vec::new();
        for (character, count) in self.cast() {
            for _ in 0..count {
                characters.push(character(lie % 100));
                lie = lie.wrapping_add(1);
            }
        }
        characters.resize(self.operators as usize, Character::Honest);
        // Nobody is there before the others, or has better machines.
        for place in (1..characters.len()).rev() {
            let other = dice.below(place as u64 + 1) as usize;
            characters.swap(place, other);
        }
        for character in characters {
            world.join(character, Some(offer(&mut dice)), 1 << 40);
        }
        world
    }

    /// Runs it once with that choice. `watch` hears how many units of how many have a result.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn run(&self, choice: Choice, watch: impl Fn(u64, u64)) -> Result<Figures, Broken> {
        let mut world = self.populate();
        world.recorder = Some(Recorder::new(Policy::default()));
        let jobs = self.units.div_ceil(u64::from(self.units_per_job));
        let each = jobs.div_ceil(u64::from(self.brokers));
        let mut submitted = vec![0; self.brokers as usize];
        loop {
            for (place, count) in submitted.iter_mut().enumerate() {
                let ended = world.tally.ended.get(&place).copied().unwrap_or(0);
                while *count < each && *count < ended + self.jobs_at_once {
                    let order = self.order(choice, place as u64 * each + *count, world.now);
                    world.submit(place, order);
                    *count += 1;
                }
            }
            world.run(Time(world.now.0.max(crate::BEGIN.0) + SLICE))?;
            world.now = Time(world.now.0.max(crate::BEGIN.0) + 1);
            let done: u64 = world.tally.jobs.iter().map(|job| job.units).sum();
            watch(done, self.units);
            if world.tally.ended.values().sum::<u64>() >= each * u64::from(self.brokers) {
                break;
            }
        }
        let horizon = world.bank.books().terms().dispute_horizon();
        world.run(Time(world.now.0 + horizon + SLICE))?;
        world.conclude()?;
        Ok(Figures::of(self.warm_up, choice, &mut world))
    }

    fn order(&self, choice: Choice, nonce: u64, now: Time) -> opensky_core::Submission {
        let mut order = orders::map_reduce(nonce, self.units_per_job - 1, 1, false);
        order.replicas = match choice {
            Choice::Fixed(count) => Replicas::Fixed(count),
            Choice::Auto(_) => Replicas::Auto,
        };
        order.replica_cap = self.replica_cap;
        order.deadline = now.after(Duration::from_secs(12 * 3_600));
        order.price = priced(2_000);
        order
    }
}

/// How often the brokers' users look whether jobs have ended, in milliseconds.
const SLICE: u64 = 500;

fn priced(parts: u128) -> PriceTerms {
    let ask = orders::ASK;
    PriceTerms {
        dispatch: ask.dispatch * parts / 1_000,
        per_gfuel: ask.per_gfuel * parts / 1_000,
        per_gib: ask.per_gib * parts / 1_000,
    }
}

/// No two machines are alike.
fn offer(dice: &mut Dice) -> Terms {
    let mut terms = orders::terms();
    terms.ask = priced(u128::from(dice.within(&(800..=1_200))));
    terms.speed = dice.within(&(500..=2_000)) * 1_000_000;
    terms.capacity.cores = dice.within(&(2..=8)) as u16;
    terms
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(count) => write!(f, "{count}"),
            Self::Auto(_) => f.write_str("auto"),
        }
    }
}
