//! What signing costs: one by one, and one signature over the root of a thousand statements.

use std::hint::black_box;

use opensky_protocol::{SecretKey, Statement, merkle_root};

use crate::{
    Effort, Error, Figures,
    measure::{Contender, best, micros, short},
};

const BATCH: usize = 1_000;

/// Measures both ways with a statement of the usual size.
pub fn measure(effort: Effort, statement: &Statement, figures: &mut Figures) -> Result<(), Error> {
    let secret = SecretKey::from_seed(&[1; 32]);
    let statements = vec![statement.clone(); BATCH];
    let mut single = [Contender::new("one", || {
        black_box(secret.sign("opensky statement 1", black_box(statement)));
        Ok(0)
    })];
    let single = short("a signature", effort.pick(2, 20), 100, &mut single)?[0];
    let mut batch = [Contender::new("batch", || {
        let root = merkle_root(black_box(&statements));
        black_box(secret.sign("opensky statements 1", &root));
        Ok(0)
    })];
    let batch = best("a batch", effort.pick(2, 50), &mut batch)?[0];
    figures.add("sign_us_single", micros(single.p50))?;
    figures.add("sign_us_per_unit_batch_1000", micros(batch) / BATCH as f64)?;
    Ok(())
}
