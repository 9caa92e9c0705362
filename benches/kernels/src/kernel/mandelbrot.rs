//! The Mandelbrot set: scalar floating-point arithmetic in registers.

use crate::seeded::checksum;

const ITERATIONS: u64 = 200;

/// The checksum of escape times over a picture of `width` by `width` points.
pub fn mandelbrot(width: u32) -> u64 {
    let points = (0..width).flat_map(|y| (0..width).map(move |x| (x, y)));
    checksum(points.map(|(x, y)| {
        let scale = 3.0 / f64::from(width);
        escape_time(f64::from(x) * scale - 2.25, f64::from(y) * scale - 1.5)
    }))
}

fn escape_time(cx: f64, cy: f64) -> u64 {
    let (mut x, mut y) = (0.0, 0.0);
    for time in 0..ITERATIONS {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return time;
        }
        y = 2.0 * x * y + cy;
        x = xx - yy + cx;
    }
    ITERATIONS
}
