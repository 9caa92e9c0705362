//! Planets: floating-point arithmetic through memory, with square roots and divisions.

use crate::seeded::{Seeded, checksum};

#[derive(Clone, Copy)]
struct Body {
    position: [f64; 3],
    velocity: [f64; 3],
    mass: f64,
}

const BODIES: usize = 5;
const STEP: f64 = 0.001;

/// The checksum of where five bodies are after `steps` steps.
pub fn nbody(steps: u32) -> u64 {
    let mut seeded = Seeded::new(7);
    let mut coordinate = || f64::from(seeded.below(20_000)) / 1_000.0 - 10.0;
    let mut bodies = [(); BODIES].map(|()| Body {
        position: [coordinate(), coordinate(), coordinate()],
        velocity: [
            coordinate() / 50.0,
            coordinate() / 50.0,
            coordinate() / 50.0,
        ],
        mass: coordinate().abs() + 0.1,
    });
    (0..steps).for_each(|_| advance(&mut bodies));
    checksum(
        bodies
            .iter()
            .flat_map(|body| body.position.map(f64::to_bits)),
    )
}

fn advance(bodies: &mut [Body; BODIES]) {
    for first in 0..BODIES {
        for second in first + 1..BODIES {
            let [a, b] = [bodies[first], bodies[second]];
            let distance: [f64; 3] =
                std::array::from_fn(|axis| a.position[axis] - b.position[axis]);
            let square: f64 = distance.iter().map(|d| d * d).sum::<f64>() + 0.01;
            let magnitude = STEP / (square * square.sqrt());
            push(&mut bodies[first], distance, -b.mass * magnitude);
            push(&mut bodies[second], distance, a.mass * magnitude);
        }
    }
    for body in bodies {
        for (position, velocity) in body.position.iter_mut().zip(body.velocity) {
            *position += STEP * velocity;
        }
    }
}

fn push(body: &mut Body, distance: [f64; 3], strength: f64) {
    for (velocity, distance) in body.velocity.iter_mut().zip(distance) {
        *velocity += distance * strength;
    }
}
