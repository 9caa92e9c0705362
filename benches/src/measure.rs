//! Times things side by side: in turn, over and over, the best time of each. Other work on the machine
//! then hits all of them alike, and the minimum forgets it.

use std::time::{Duration, Instant};

use crate::Error;

/// One of several ways to compute the same thing.
pub struct Contender<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> Result<u64, Error> + 'a>,
}

impl<'a> Contender<'a> {
    /// `run` returns a checksum of what it computed.
    pub fn new(name: &'static str, run: impl FnMut() -> Result<u64, Error> + 'a) -> Self {
        let run = Box::new(run);
        Self { name, run }
    }
}

/// Two ways to compute the same thing gave different results.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}: `{name}` computed {found:x}, `{reference}` {expected:x}")]
pub struct Differs {
    /// What they computed.
    pub what: String,
    /// The one that came first.
    pub reference: &'static str,
    /// Its checksum.
    pub expected: u64,
    /// The other.
    pub name: &'static str,
    /// Its checksum.
    pub found: u64,
}

/// The best time of each contender over so many rounds. All of them have to agree in each.
pub fn best(
    what: &str,
    rounds: usize,
    contenders: &mut [Contender<'_>],
) -> Result<Vec<Duration>, Error> {
    let mut best = vec![Duration::MAX; contenders.len()];
    for _ in 0..rounds {
        let mut reference = None;
        for (Contender { name, run }, best) in contenders.iter_mut().zip(&mut best) {
            let start = Instant::now();
            let found = run()?;
            *best = start.elapsed().min(*best);
            let (reference, expected) = *reference.get_or_insert((*name, found));
            if found != expected {
                let what = what.to_owned();
                return Err(Box::new(Differs {
                    what,
                    reference,
                    expected,
                    name,
                    found,
                }));
            }
        }
    }
    Ok(best)
}

/// How long something short takes.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    /// Median of the quietest round.
    pub p50: Duration,
    /// Mean of the quietest round: what throughput is made of.
    pub mean: Duration,
}

/// Times something too short to be timed once: `calls` calls in a row for each contender in turn, over
/// so many rounds.
pub fn short(
    what: &str,
    rounds: usize,
    calls: u32,
    contenders: &mut [Contender<'_>],
) -> Result<Vec<Short>, Error> {
    // The first call of each is not counted, but it is compared.
    best(what, 1, contenders)?;
    let worst = Short {
        p50: Duration::MAX,
        mean: Duration::MAX,
    };
    let mut quietest = vec![worst; contenders.len()];
    let mut times = Vec::with_capacity(calls as usize);
    for _ in 0..rounds {
        for (contender, quietest) in contenders.iter_mut().zip(&mut quietest) {
            times.clear();
            let start = Instant::now();
            for _ in 0..calls {
                let call = Instant::now();
                std::hint::black_box((contender.run)()?);
                times.push(call.elapsed());
            }
            quietest.mean = quietest.mean.min(start.elapsed() / calls);
            times.sort_unstable();
            quietest.p50 = quietest.p50.min(times[times.len() / 2]);
        }
    }
    Ok(quietest)
}

/// Microseconds, as figures have them.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// How many times longer `a` is than `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// The mean of ratios.
pub fn geomean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_that_disagree_have_no_times() {
        let contender = |name, result| Contender::new(name, move || Ok(result));
        assert!(best("sum", 2, &mut [contender("a", 1), contender("b", 1)]).is_ok());
        let error = best("sum", 2, &mut [contender("a", 1), contender("b", 2)]).unwrap_err();
        assert_eq!(error.to_string(), "sum: `b` computed 2, `a` 1");
    }

    #[test]
    fn mean_of_ratios_is_geometric() {
        assert!((geomean(&[0.5, 2.0, 1.0]) - 1.0).abs() < 1e-12);
    }
}
