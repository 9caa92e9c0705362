//! The product of two matrices, without and with wasm's vector instructions. Natively both are the
//! same code.

use crate::seeded::{Seeded, checksum};

/// The checksum of a product of two `n` by `n` matrices.
pub fn scalar(n: u32) -> u64 {
    product(n)
}

/// The same product, with vectors.
pub fn simd(n: u32) -> u64 {
    vectors(n)
}

/// Safe to call from code without the feature: a module that has vectors does not load at all where
/// there are none. A pointer to it is not, so nobody else may have one.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn vectors(n: u32) -> u64 {
    product(n)
}

/// Every element's sum is made in the order of `k`, so vectors over `j` do not change a bit of it.
#[inline(always)]
fn product(n: u32) -> u64 {
    let size = n as usize;
    let mut seeded = Seeded::new(n);
    let mut matrix = || -> Vec<f32> {
        let element = |_| (seeded.below(2_000) as f32 - 1_000.0) / 1_000.0;
        (0..size * size).map(element).collect()
    };
    let (a, b) = (matrix(), matrix());
    let mut c = vec![0.0f32; size * size];
    for (row_a, row_c) in a.chunks_exact(size).zip(c.chunks_exact_mut(size)) {
        for (factor, row_b) in row_a.iter().zip(b.chunks_exact(size)) {
            for (sum, element) in row_c.iter_mut().zip(row_b) {
                *sum += factor * element;
            }
        }
    }
    checksum(c.iter().map(|element| u64::from(element.to_bits())))
}
