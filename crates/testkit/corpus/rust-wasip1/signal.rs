//! A Fourier transform of standard input, and its autocorrelation with vectors of 128 bits.

use std::{
    arch::wasm32::*,
    f64::consts::TAU,
    io::{self, Read},
};

const POINTS: usize = 512;

fn main() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let samples: Vec<f32> = (0..POINTS)
        .map(|at| f32::from(input.get(at).copied().unwrap_or(0)) - 127.5)
        .collect();
    let (mut re, mut im): (Vec<f64>, Vec<f64>) = samples
        .iter()
        .map(|&sample| (f64::from(sample), 0.0))
        .unzip();
    transform(&mut re, &mut im);
    for at in (0..POINTS).step_by(37) {
        let size = re[at].hypot(im[at]);
        println!("{at} {:.12e} {size:?} {:.6}", re[at], im[at].atan2(re[at]));
    }
    for lag in [0, 1, 7, 64] {
        println!("lag {lag} {:?}", correlation(&samples, lag));
    }
    odd_numbers(samples[0]);
    Ok(())
}

/// Cooley and Tukey's, in place.
fn transform(re: &mut [f64], im: &mut [f64]) {
    let len = re.len();
    let shift = usize::BITS - len.trailing_zeros();
    for at in 0..len {
        let other = at.reverse_bits() >> shift;
        if at < other {
            re.swap(at, other);
            im.swap(at, other);
        }
    }
    let mut half = 1;
    while half < len {
        for start in (0..len).step_by(2 * half) {
            for at in 0..half {
                let (sin, cos) = (-TAU * at as f64 / (2 * half) as f64).sin_cos();
                let (low, high) = (start + at, start + at + half);
                let turned = (
                    re[high] * cos - im[high] * sin,
                    re[high] * sin + im[high] * cos,
                );
                (re[high], im[high]) = (re[low] - turned.0, im[low] - turned.1);
                (re[low], im[low]) = (re[low] + turned.0, im[low] + turned.1);
            }
        }
        half *= 2;
    }
}

fn correlation(samples: &[f32], lag: usize) -> f32 {
    let mut sums = f32x4_splat(0.0);
    for (one, other) in samples.chunks_exact(4).zip(samples[lag..].chunks_exact(4)) {
        let one = f32x4(one[0], one[1], one[2], one[3]);
        let other = f32x4(other[0], other[1], other[2], other[3]);
        sums = f32x4_add(sums, f32x4_mul(one, other));
    }
    f32x4_extract_lane::<0>(sums)
        + f32x4_extract_lane::<1>(sums)
        + f32x4_extract_lane::<2>(sums)
        + f32x4_extract_lane::<3>(sums)
}

/// What is not a number, very small or very large, with its bits.
fn odd_numbers(sample: f32) {
    let zero = sample - sample;
    let lanes = f32x4_div(f32x4_splat(zero), f32x4_splat(-zero));
    println!(
        "{:08x} {:08x}",
        (zero / zero).to_bits(),
        (-(zero / zero)).to_bits()
    );
    println!("{:08x}", u32x4_extract_lane::<2>(lanes));
    println!(
        "{:016x}",
        (f64::from(zero) - f64::INFINITY + f64::INFINITY).to_bits()
    );
    println!(
        "{:?} {:?}",
        f64::from(sample) * 5e-324,
        f64::from(sample) * 1e306 * 1e5
    );
    println!("{} {}", f64::from(sample) as i8, (1.0 / zero) as u64);
}
