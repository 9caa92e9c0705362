//! What runs units wrongly: nodes around it sign and defend its results like honest ones.

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    thread::sleep,
    time::Duration,
};

use opensky_executor::Run;
use opensky_node::{Batch, Execute};
use opensky_protocol::{Abort, Digest, Transcript, Work, names};

/// What a bad node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Another output than the right one, in so many of 100 units; each time the same one, so that
    /// liars agree with each other.
    Lie(u8),
    /// Its process dies as soon as it is to run something.
    Crash,
    /// Takes seconds longer than it has to.
    Slow,
    /// Takes units on, and is never heard of again.
    Silent,
    /// Runs the first unit of a program, and gives its result for all others.
    Copy,
}

/// The text is no habit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not lie, lie=PERCENT, crash, slow, silent or copy")]
pub struct ParseHabitError(String);

impl FromStr for Habit {
    type Err = ParseHabitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseHabitError(text.into());
        match text {
            "lie" => Ok(Self::Lie(100)),
            "crash" => Ok(Self::Crash),
            "slow" => Ok(Self::Slow),
            "silent" => Ok(Self::Silent),
            "copy" => Ok(Self::Copy),
            _ => {
                let percent = text.strip_prefix("lie=").ok_or_else(error)?;
                let percent: u8 = percent.parse().map_err(|_| error())?;
                (percent <= 100)
                    .then_some(Self::Lie(percent))
                    .ok_or_else(error)
            }
        }
    }
}

/// An honest executor in bad hands.
pub struct Bad {
    honest: Arc<dyn Execute>,
    habit: Habit,
    first: Mutex<BTreeMap<Digest, Run>>,
}

/// How much longer a slow node takes for each batch.
const SLOW: Duration = Duration::from_secs(5);

impl Bad {
    /// Spoils what `honest` runs.
    pub fn new(honest: Arc<dyn Execute>, habit: Habit) -> Self {
        Self {
            honest,
            habit,
            first: Mutex::default(),
        }
    }

    fn copy(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>> {
        let Some(program) = batch.works.first().map(|work| work.program) else {
            return Vec::new();
        };
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = first.get(&program) {
            let works = batch.works.iter();
            return works.map(|work| Ok(passed_off(known, work))).collect();
        }
        let results = self.honest.run(batch);
        if let Some(Ok(run)) = results.first() {
            first.insert(program, run.clone());
        }
        results
    }
}

impl Execute for Bad {
    fn run(&self, batch: &Batch<'_>) -> Vec<Result<Run, Abort>> {
        match self.habit {
            Habit::Crash => std::process::abort(),
            Habit::Silent => loop {
                sleep(Duration::from_secs(3600));
            },
            Habit::Slow => {
                sleep(SLOW);
                self.honest.run(batch)
            }
            Habit::Copy => self.copy(batch),
            Habit::Lie(percent) => {
                let units = batch.works.iter().map(|work| work.unit());
                let results = self.honest.run(batch).into_iter().zip(units);
                let lie = |(run, unit): (Result<Run, Abort>, Digest)| {
                    let draw = u16::from_le_bytes([unit.0[0], unit.0[1]]) % 100;
                    match draw < u16::from(percent) {
                        true => run.map(twist),
                        false => run,
                    }
                };
                results.map(lie).collect()
            }
        }
    }
}

/// A result as if it were that of another unit: with the same host calls, which begin there.
fn passed_off(run: &Run, work: &Work) -> Run {
    let mut transcript = Transcript::start(&work.unit());
    for call in &run.transcript.calls {
        transcript.push(&call.import, call.args, call.results);
    }
    Run {
        transcript,
        ..run.clone()
    }
}

/// The same run, with another output.
fn twist(mut run: Run) -> Run {
    let output = run.outputs.entry(names::OUTPUT.into()).or_default();
    match output.first_mut() {
        Some(byte) => *byte ^= 1,
        None => output.push(0),
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_read() {
        assert_eq!("lie".parse(), Ok(Habit::Lie(100)));
        assert_eq!("lie=10".parse(), Ok(Habit::Lie(10)));
        assert_eq!("copy".parse(), Ok(Habit::Copy));
        for wrong in ["", "lie=", "lie=101", "nice"] {
            assert!(wrong.parse::<Habit>().is_err(), "{wrong}");
        }
    }
}
