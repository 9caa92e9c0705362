//! Recursion: calls and nothing else.

use std::hint::black_box;

/// The `n`th Fibonacci number, the slow way.
pub fn fib(n: u32) -> u64 {
    // Hidden from the compiler, which would turn one of the two calls into a loop.
    match black_box(n) {
        0 | 1 => u64::from(n),
        _ => fib(n - 1) + fib(n - 2),
    }
}
