//! Data for kernels: the same on every machine, and cheap beside what is computed from it.

/// A xorshift64* generator.
pub struct Seeded(u64);

impl Seeded {
    /// A sequence of its own for each seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed) * 2 + 1)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}

/// Folds numbers into a checksum that depends on their order.
pub fn checksum(values: impl IntoIterator<Item = u64>) -> u64 {
    values
        .into_iter()
        .fold(0xCBF2_9CE4_8422_2325, |sum, value| {
            (sum ^ value).wrapping_mul(0x0000_0100_0000_01B3)
        })
}
