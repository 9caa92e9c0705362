//! Counts the primes up to a number, a block at a time.

use opensky::{Error, Step, Stepper};
use serde::{Deserialize, Serialize};

/// Candidates in one step: few enough for a step to stay short.
const BLOCK: u64 = 10_000;

/// The program.
pub struct Primes;

/// All that one step knows of those before it.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    next: u64,
    limit: u64,
    found: u64,
}

#[opensky::stepper]
impl Stepper for Primes {
    type Input = String;
    type State = State;
    type Output = String;

    /// The input is the number to stop at.
    fn init(limit: String) -> Result<State, Error> {
        Ok(State {
            next: 2,
            limit: limit.trim().parse().map_err(Error::invalid_input)?,
            found: 0,
        })
    }

    fn step(mut state: State) -> Result<Step<State, String>, Error> {
        let end = state.limit.saturating_add(1).min(state.next + BLOCK);
        state.found += (state.next..end).filter(|n| is_prime(*n)).count() as u64;
        state.next = end.max(state.next);
        opensky::progress(state.next.min(state.limit), Some(state.limit));
        Ok(match state.next > state.limit {
            true => Step::Done(format!("{}\n", state.found)),
            false => Step::More(state),
        })
    }
}

fn is_prime(n: u64) -> bool {
    (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(limit: &str) -> Result<String, Error> {
        opensky::test::Unit::new().stepper::<Primes>(limit.to_owned())
    }

    #[test]
    fn primes_are_counted_over_several_steps() {
        assert_eq!(count("100").as_deref(), Ok("25\n"));
        assert_eq!(count("30000\n").as_deref(), Ok("3245\n"));
        assert_eq!(count("0").as_deref(), Ok("0\n"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert!(matches!(count("many"), Err(Error::InvalidInput(_))));
    }
}
