//! Twelve kernels that every variant of the benchmark computes: natively as a library, and as one
//! job in every engine. Each is a pure function of its size and returns a checksum, so no variant can
//! be fast by being wrong.

use opensky::Error;

mod kernel;
mod seeded;

/// One thing to compute.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// What tables and figures call it.
    pub name: &'static str,
    /// A few milliseconds in plain wasmtime: far more than starting an instance.
    pub size: u32,
    /// Small enough for an unoptimised build.
    pub quick_size: u32,
    compute: fn(u32) -> u64,
}

impl Kernel {
    /// The checksum of the kernel at this size.
    pub fn compute(&self, size: u32) -> u64 {
        (self.compute)(size)
    }

    /// What the job takes to compute this kernel.
    pub fn input(&self, size: u32) -> Vec<u8> {
        format!("{} {size}", self.name).into_bytes()
    }
}

/// Input on which the job reports progress once and computes nothing: an observer can hold it there.
pub const MEET: &[u8] = b"meet";

/// All kernels, in the order of the tables.
pub const KERNELS: &[Kernel] = &[
    kernel("fib", 27, 15, kernel::fib::fib),
    kernel("sieve", 1_000_000, 20_000, kernel::sieve::sieve),
    kernel("mandelbrot", 120, 16, kernel::mandelbrot::mandelbrot),
    kernel("matmul", 160, 24, kernel::matmul::scalar),
    kernel("matmul_simd", 160, 24, kernel::matmul::simd),
    kernel("blake3", 1_000_000, 20_000, kernel::blake3::blake3),
    kernel("sort", 40_000, 2_000, kernel::sort::sort),
    kernel("nbody", 12_000, 200, kernel::nbody::nbody),
    kernel("regex", 150_000, 2_000, kernel::regex::regex),
    kernel("json", 500, 30, kernel::json::json),
    kernel("interp", 100_000, 8_000, kernel::interp::interp),
    kernel("words", 15_000, 500, kernel::words::words),
];

const fn kernel(name: &'static str, size: u32, quick_size: u32, compute: fn(u32) -> u64) -> Kernel {
    Kernel {
        name,
        size,
        quick_size,
        compute,
    }
}

/// The job: `name size` in, the checksum's eight little-endian bytes out.
#[opensky::job]
pub fn compute(input: Vec<u8>) -> Result<Vec<u8>, Error> {
    if input == MEET {
        opensky::progress(0, None);
        return Ok(Vec::new());
    }
    let checksum =
        computed(&input).ok_or_else(|| Error::invalid_input("not a kernel and a size"))?;
    Ok(checksum.to_le_bytes().to_vec())
}

fn computed(input: &[u8]) -> Option<u64> {
    let (name, size) = std::str::from_utf8(input).ok()?.split_once(' ')?;
    let kernel = KERNELS.iter().find(|kernel| kernel.name == name)?;
    Some(kernel.compute(size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_depends_on_its_size() {
        for kernel in KERNELS {
            let small = kernel.compute(kernel.quick_size);
            assert_eq!(small, kernel.compute(kernel.quick_size), "{}", kernel.name);
            assert_ne!(
                small,
                kernel.compute(kernel.quick_size + 1),
                "{}",
                kernel.name
            );
        }
    }

    #[test]
    fn kernels_compute_what_they_are_named_after() {
        assert_eq!(kernel::fib::fib(20), 6_765);
        assert_eq!(kernel::sieve::primes_below(100).count(), 25);
        assert_eq!(kernel::matmul::scalar(24), kernel::matmul::simd(24));
    }

    #[test]
    fn job_and_library_agree() {
        let kernel = KERNELS[0];
        let output = opensky::test::run(compute, kernel.input(10)).unwrap();
        assert_eq!(output, kernel.compute(10).to_le_bytes());
        assert!(opensky::test::run(compute, b"none 1".to_vec()).is_err());
    }
}
