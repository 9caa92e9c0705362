//! What the meter itself costs: how fast it is, how much larger it makes programs, and how fairly its
//! fuel is priced.

mod fairness;
mod kinds;
mod starts;

use std::time::{Duration, Instant};

use wasmtime::{Engine, component::Component};

use crate::{Effort, Error, Figures, measure::micros};

/// Measures the pass over `guest`, and what a fuel takes in each kind of loop.
pub fn measure(effort: Effort, guest: &[u8], figures: &mut Figures) -> Result<(), Error> {
    speed(effort, guest, figures)?;
    fairness::measure(effort, figures)
}

fn speed(effort: Effort, guest: &[u8], figures: &mut Figures) -> Result<(), Error> {
    let mut best = Duration::MAX;
    let mut metered = Vec::new();
    for _ in 0..effort.pick(1, 10) {
        let start = Instant::now();
        metered = opensky_meter::component(guest)?;
        best = best.min(start.elapsed());
    }
    // Debug sections are left out of what is metered, so they do not count as shrinking.
    let code = |component: &[u8]| -> Result<f64, Error> {
        let engine = Engine::default();
        let range = Component::from_binary(&engine, component)?.image_range();
        Ok((range.end as usize - range.start as usize) as f64)
    };
    figures.add("meter_mb_per_s", guest.len() as f64 / micros(best))?;
    figures.add(
        "meter_wasm_growth",
        metered.len() as f64 / guest.len() as f64,
    )?;
    figures.add("meter_native_growth", code(&metered)? / code(guest)?)?;
    Ok(())
}
