//! One kernel a file.

pub mod blake3;
pub mod fib;
pub mod interp;
pub mod json;
pub mod mandelbrot;
pub mod matmul;
pub mod nbody;
pub mod regex;
pub mod sieve;
pub mod sort;
pub mod words;
